// "host:port" as flags and configuration write it.
#pragma once

#include "common/error.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace vigil {

inline constexpr std::uint16_t kGrpcPort = 8460;  // of the aggregator, unless configured otherwise
inline constexpr std::uint16_t kHttpPort = 8461;
inline constexpr const char* kGrpcAddress = "127.0.0.1:8460";
inline constexpr const char* kHttpAddress = "127.0.0.1:8461";

struct Address {
  std::string host;        // without brackets; a name, an IPv4 or an IPv6 address
  std::uint16_t port = 0;  // 0: any free port, where one listens
  std::string to_string() const;
  /// Whether traffic to it stays on this machine: 127.0.0.0/8, ::1, localhost.
  bool is_loopback() const;
};

/// "127.0.0.1:8460", "[::1]:8460", "aggregator.example.org:8460", ":8460" (all interfaces), or without a port
/// if `default_port`.
Result<Address> parse_address(std::string_view text, std::uint16_t default_port);

}  // namespace vigil
