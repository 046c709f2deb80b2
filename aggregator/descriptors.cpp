#include "aggregator/descriptors.h"

#include <algorithm>

namespace vigil::aggregator {
namespace {

constexpr std::uint64_t kHttp = 256;
/// HTTP, the command line and other clients of the gRPC port, databases, receivers of messages.
constexpr std::uint64_t kReserve = kHttp + 256;

}  // namespace

Room room_for(std::uint64_t open_files, std::size_t wanted_agents) {
  const std::uint64_t agents = open_files >= 2 * kReserve ? open_files - kReserve : open_files / 2;
  return {
      static_cast<std::size_t>(std::min<std::uint64_t>(wanted_agents, std::max<std::uint64_t>(agents, 1))),
      static_cast<std::size_t>(std::clamp<std::uint64_t>(open_files / 8, 4, kHttp))};
}

}  // namespace vigil::aggregator
