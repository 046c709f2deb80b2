// The gRPC channel to the aggregator, tuned for one small message a second.
#pragma once

#include "common/error.h"

#include <grpcpp/channel.h>

#include <memory>
#include <string>

namespace vigil {

/// PEM texts; all empty: plain text.
struct TlsMaterial {
  std::string ca;    // who signed the aggregator's certificate; empty: the system's authorities
  std::string cert;  // this agent's certificate and key, for mutual TLS; both or neither
  std::string key;
};

enum class Transport : std::uint8_t { plain, tls };

struct ChannelOptions {
  std::string address;  // host:port
  Transport transport = Transport::plain;
  TlsMaterial tls;
};

/// A new connection each time: gRPC's own back-off, hidden inside a channel, would be added to ours
/// otherwise.
std::shared_ptr<grpc::Channel> make_channel(const ChannelOptions& options);

}  // namespace vigil
