#include "agent/doctor/identity_probe.h"

#include "agent/delivery/identity.h"
#include "common/doctor/probe.h"
#include "vigil/v1/identity.grpc.pb.h"

#include <grpcpp/client_context.h>

#include <filesystem>

namespace vigil::agent {

IdentityFacts look_at_identity(const AgentConfig& config) {
  const std::string folder = identity_folder(config);
  IdentityFacts facts;
  facts.path = identity_path(folder);
  facts.configured_name = config.name;
  facts.machine_name = host_name();
  facts.is_used = !says_how_to_speak(config.tls);
  const auto address = parse_address(config.aggregator, kGrpcPort);
  facts.is_needed = facts.is_used && address && !address->is_loopback();
  std::error_code error;
  facts.is_there = std::filesystem::exists(facts.path, error);
  if (error) {
    facts.trouble = fail_errno(error.value(), facts.path);
    if (error == std::errc::permission_denied) facts.trouble->code = Errc::permission;
  }
  if (!facts.is_there || !facts.is_used) return facts;
  facts.owner = doctor::owner_of(facts.path);
  auto identity = load_identity(folder);
  if (identity) {
    facts.identity = std::move(*identity);
  } else {
    facts.trouble = identity.error();
  }
  return facts;
}

std::string ask_whether_it_counts(const ChannelOptions& channel) {
  constexpr std::chrono::seconds kAnswerSoon{5};
  const auto stub = v1::Identity::NewStub(make_channel(channel));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kAnswerSoon);
  v1::IssuedCertificate answer;
  const grpc::Status status = stub->Renew(&context, v1::RenewRequest(), &answer);
  return status.error_code() == grpc::StatusCode::PERMISSION_DENIED ? status.error_message() : "";
}

}  // namespace vigil::agent
