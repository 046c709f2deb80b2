// What the door of the gRPC port has counted.
#pragma once

#include "aggregator/self/registry.h"
#include "tests/support/catch.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

namespace vigil::aggregator {

inline std::uint64_t ended_by_door(const self::Registry& registry, const std::string& reason) {
  const std::string text = registry.exposition();
  const std::string name =
      "vigil_aggregator_connections_ended_total{port=\"grpc\",reason=\"" + reason + "\"} ";
  const auto at = text.find(name);
  REQUIRE(at != std::string::npos);
  return std::stoull(text.substr(at + name.size()));
}

/// It is counted just after the client sees its end.
inline bool door_ends(const self::Registry& registry, const std::string& reason, std::uint64_t number) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (ended_by_door(registry, reason) < number && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  return ended_by_door(registry, reason) == number;
}

}  // namespace vigil::aggregator
