// Blocks that were handed to seal() and are not committed yet: read() shows them all the same. Thread-safe.
#pragma once

#include "aggregator/store/reader.h"

#include <mutex>
#include <unordered_map>
#include <vector>

namespace vigil::aggregator {

class PendingBlocks {
 public:
  void add(HostId host, std::vector<FoundBlock> blocks);
  /// After their commit.
  void remove(HostId host, const std::vector<FoundBlock>& blocks);
  /// Those that overlap the range, by the order in which they were added.
  std::vector<FoundBlock> find(HostId host, TimeRange range) const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<HostId, std::vector<FoundBlock>> by_host_;
};

}  // namespace vigil::aggregator
