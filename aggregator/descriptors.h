// How many connections the limit of open descriptors has room for. Pure.
//
// gRPC stops accepting for good when the process runs out of them (common/grpc/runtime.h), so agents are
// refused before that, and whatever else the process opens has a reserve.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vigil::aggregator {

struct Room {
  std::size_t agents = 0;            // streams at the same time
  std::size_t grpc_connections = 0;  // those of agents, and others
  std::size_t http_connections = 0;  // at the same time
};

struct Wanted {
  std::size_t agents = 0;
  std::size_t http_connections = 256;
};

/// `open_files`: the limit of the process. A small one is shared out: half of it for agents, an eighth for
/// HTTP.
Room room_for(std::uint64_t open_files, const Wanted& wanted);

}  // namespace vigil::aggregator
