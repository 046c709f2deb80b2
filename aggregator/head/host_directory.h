// Which number and which shard a host has. The only state shards share: asked when a stream opens, never per
// batch.
#pragma once

#include "aggregator/blocks/block.h"
#include "aggregator/store/records.h"
#include "common/error.h"

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::aggregator {

class History;

/// Hosts that may ever be known: a name is cheap to make up, and each one costs memory, series and alerts.
inline constexpr std::size_t kMaxHosts = 25'000;

/// Thread-safe.
class HostDirectory {
 public:
  /// `history` may be null.
  HostDirectory(History* history, std::size_t shards) : history_(history), shards_(shards) {}

  std::size_t shard_of(std::string_view name) const;
  /// The shard of a host by number; 0 for a number never given.
  std::size_t shard_of(HostId id) const;
  /// Gives a new host the next number and stores it. Numbers are dense, so giving and storing is one step.
  /// Errc::limit once kMaxHosts are known.
  Result<HostId> enroll(HostRecord record);
  /// A host known from before; in order of id.
  void restore(const HostRecord& record);

 private:
  History* const history_;
  const std::size_t shards_;
  mutable std::mutex mutex_;  // protects shard_of_id_
  std::vector<std::uint16_t> shard_of_id_;
};

}  // namespace vigil::aggregator
