// What is read from the history's files: blocks of all partitions as one, gaps, the newest time of a host.
// Thread-safe.
#pragma once

#include "aggregator/store/block_cache.h"
#include "aggregator/store/catalogue.h"
#include "aggregator/store/connections.h"
#include "aggregator/store/partition.h"
#include "aggregator/store/records.h"

#include <filesystem>
#include <vector>

namespace vigil::aggregator {

/// The span of ids of the series that are wanted: a cheap first sieve.
struct SeriesRange {
  std::int64_t least = 0;
  std::int64_t most = 0;
};

struct FoundBlock {
  std::int64_t source = 0;
  std::shared_ptr<const SealedBlock> block;
};

struct FoundBlocks {
  std::vector<FoundBlock> blocks;  // by first time, then source
  std::size_t damaged = 0;         // left out
};

struct BlockQuery {
  Tier tier = Tier::raw;
  HostId host = 0;
  TimeRange range;
  SeriesRange series;
};

class Readers {
 public:
  Readers(std::filesystem::path index, std::string vfs, BlockCache& cache, const Catalogue& catalogue)
      : index_(std::move(index)), connections_(std::move(vfs)), cache_(cache), catalogue_(catalogue) {}

  Result<FoundBlocks> blocks(const BlockQuery& query);
  Result<std::vector<GapRecord>> gaps(HostId host, TimeRange range);
  Result<std::vector<RunRecord>> runs();
  /// As History::newest_ms().
  Result<std::int64_t> newest_ms(HostId host, std::string_view except);
  ReadConnections& connections() { return connections_; }

 private:
  Result<void> read_partition(const PartitionInfo& partition, const BlockQuery& query, FoundBlocks& found);
  Result<void> read_blocks(ReadConnection& connection, const PartitionInfo& partition,
                           const BlockQuery& query, FoundBlocks& found);
  Result<std::shared_ptr<const SealedBlock>> load(ReadConnection& connection, const BlockKey& key);
  Result<std::vector<std::int64_t>> sources_of(std::string_view job);

  const std::filesystem::path index_;
  ReadConnections connections_;
  BlockCache& cache_;
  const Catalogue& catalogue_;
};

}  // namespace vigil::aggregator
