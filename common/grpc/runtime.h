// What gRPC does for its whole process, wherever it is used.
#pragma once

#include <cstdint>

namespace vigil {

/// Before the first channel or server. gRPC's own lines go to our log, with the component "grpc", 30 a minute
/// at most; Abseil's search for deadlocks, which Debian's build has on for every lock taken, is off. TLS
/// is 1.3 or nothing.
void prepare_grpc();

/// How often a port of this process could not accept a connection, since its start. gRPC 1.51 gives a
/// listening socket up for good after one such failure (no descriptor left, most likely) and tells nobody but
/// its log.
std::uint64_t grpc_accept_failures();

}  // namespace vigil
