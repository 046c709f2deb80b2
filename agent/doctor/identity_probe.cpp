#include "agent/doctor/identity_probe.h"

#include "agent/delivery/identity.h"
#include "common/doctor/probe.h"

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

doctor::PeerOptions peer_of(const ChannelOptions& channel, std::chrono::milliseconds patience) {
  doctor::PeerOptions peer;
  peer.address = parse_address(channel.address, kGrpcPort).value();
  peer.is_tls = channel.transport == Transport::tls;
  peer.ca_pem = channel.tls.ca;
  peer.cert_pem = channel.tls.cert;
  peer.key_pem = channel.tls.key;
  peer.patience = patience;
  return peer;
}

}  // namespace vigil::agent
