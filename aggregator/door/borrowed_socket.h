// The socket of a connection that somebody else has and closes: gRPC. Its number may be another one's by the
// time somebody looks, so each call says which socket is meant, by its inode. Any thread; nothing blocks.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace vigil::aggregator::door {

/// Nothing: the descriptor is no socket, or closed.
std::optional<ino_t> inode_of(int fd);
/// All bytes that came over TCP, read or not. Nothing: the connection is gone.
std::optional<std::uint64_t> received_by(int fd, ino_t socket);
/// Whoever has it sees its end at once, as does the other side. False: it was gone.
bool end_connection(int fd, ino_t socket);

}  // namespace vigil::aggregator::door
