// Which series of the index no kept file holds a block of. What files hold stands in their table `held`, so
// no block is read: an answer costs one look into each file, a few rows of it for each host, and the ids that
// the index has of these hosts. On the keeper's thread only, which alone replaces and removes files.
#pragma once

#include "aggregator/store/history.h"
#include "aggregator/store/pending_blocks.h"
#include "aggregator/store/series_set.h"

#include <string>
#include <vector>

namespace vigil::aggregator {

class UnusedSeriesFinder {
 public:
  /// All of it outlives this.
  UnusedSeriesFinder(const Catalogue& catalogue, const PendingBlocks& pending, ReadConnections& connections,
                     const std::string& index_path)
      : catalogue_(catalogue), pending_(pending), connections_(connections), index_path_(index_path) {}

  /// As History::ask_unused(). Any file that cannot be read fails it.
  Result<std::vector<UnusedSeries::OfHost>> find(const std::vector<HostId>& hosts);

 private:
  Result<void> add_held(const PartitionInfo& file, const std::vector<HostId>& hosts,
                        std::vector<SeriesSet>& held);
  Result<std::vector<SeriesId>> others(HostId host, const SeriesSet& held);

  const Catalogue& catalogue_;
  const PendingBlocks& pending_;
  ReadConnections& connections_;
  const std::string& index_path_;
};

}  // namespace vigil::aggregator
