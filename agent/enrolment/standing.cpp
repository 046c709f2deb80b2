#include "agent/enrolment/standing.h"

#include "vigil/v1/identity.grpc.pb.h"

#include <grpcpp/client_context.h>

#include <chrono>

namespace vigil::agent {

std::string why_refused(const ChannelOptions& channel, const std::string& name) {
  constexpr std::chrono::seconds kAnswerSoon{5};
  const auto stub = v1::Identity::NewStub(make_channel(channel));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kAnswerSoon);
  v1::StandingRequest request;
  request.set_name(name);
  v1::StandingResponse answer;
  const grpc::Status status = stub->Standing(&context, request, &answer);
  const bool is_refused = status.error_code() == grpc::StatusCode::PERMISSION_DENIED ||
                          status.error_code() == grpc::StatusCode::UNAUTHENTICATED;
  return is_refused ? status.error_message() : "";
}

}  // namespace vigil::agent
