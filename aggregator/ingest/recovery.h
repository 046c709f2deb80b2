// What a start does before anything listens: hosts, series and recent blocks come back from the history, and
// the journal is replayed into the heads, as if its batches had just arrived.
#pragma once

#include "aggregator/head/shard_set.h"
#include "aggregator/store/history.h"
#include "common/error.h"

#include <cstdint>

namespace vigil::aggregator {

struct RecoverySummary {
  std::size_t hosts = 0;
  std::uint64_t entries = 0;
  std::uint64_t rows = 0;
  std::uint64_t undecodable = 0;     // batches whose rows are lost: what they build on is damaged
  std::uint64_t damaged_groups = 0;  // of the journal
  std::size_t given_up_streams = 0;  // nothing the journal has of them can ever be decoded
};

/// Before history.start(), and before the shards' threads run.
Result<RecoverySummary> recover(History& history, ShardSet& shards, std::int64_t now_ms);
/// After history.start(), before the shards' threads run: the blocks of the rolling window, and when each
/// host was last heard of.
Result<void> load_window(const History& history, ShardSet& shards, std::int64_t now_ms);

}  // namespace vigil::aggregator
