// The other end of a connection, as the kernel and as gRPC name it.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace vigil::aggregator::door {

/// Address, IPv4 as IPv6 maps it, and port.
using Peer = std::pair<std::array<unsigned char, 16>, std::uint16_t>;

/// Of IPv4 or IPv6.
Peer peer_of(const sockaddr_storage& address);
/// "ipv4:10.0.0.1:4711", "ipv6:%5Bfe80::1%25eth0%5D:4711". Nothing: it is none of these, as a Unix socket's.
std::optional<Peer> peer_from(std::string_view grpc_name);
/// As access::source_of() has it.
std::string source_of(const Peer& peer);

}  // namespace vigil::aggregator::door
