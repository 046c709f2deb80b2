#include "aggregator/descriptors.h"

#include <algorithm>

namespace vigil::aggregator {
namespace {

/// The command line and other clients of the gRPC port, databases, receivers of messages.
constexpr std::uint64_t kOthers = 256;
constexpr std::uint64_t kGrpcOthers = 128;  // of them: connections to the gRPC port

}  // namespace

Room room_for(std::uint64_t open_files, const Wanted& wanted) {
  const std::uint64_t reserve = wanted.http_connections + kOthers;
  const std::uint64_t most = open_files >= 2 * reserve ? open_files - reserve : open_files / 2;
  const std::uint64_t agents = std::min<std::uint64_t>(wanted.agents, std::max<std::uint64_t>(most, 1));
  const std::uint64_t eighth = std::max<std::uint64_t>(open_files / 8, 4);
  return {static_cast<std::size_t>(agents), static_cast<std::size_t>(agents + std::min(eighth, kGrpcOthers)),
          static_cast<std::size_t>(std::min<std::uint64_t>(eighth, wanted.http_connections))};
}

}  // namespace vigil::aggregator
