// Decoded rows into a host's head: for what arrives, and for what the journal replays.
#pragma once

#include "aggregator/head/shard.h"
#include "aggregator/ingest/stream_decoder.h"
#include "common/error.h"

#include <cstdint>
#include <span>

namespace vigil::aggregator {

struct Appended {
  Arrival arrival;
  std::uint64_t rows = 0;
  std::uint64_t samples = 0;    // cells, absent ones included
  std::uint64_t too_old = 0;    // rows refused: older than what is kept
  std::uint64_t in_future = 0;  // rows refused: nobody would find them, and retention would never take them
};

/// Gives every column of the batch its series, on the shard's thread. Errc::limit when the host invents too
/// many. Comes before the batch is journalled: what is refused must never be acknowledged.
Result<void> admit_columns(Shard& shard, Host& host, std::span<const SourceRows> sources,
                           std::int64_t now_ms);

/// On the shard's thread. Fails as admit_columns() does; then no row is in.
Result<Appended> append_rows(Shard& shard, Host& host, std::span<const SourceRows> sources,
                             std::int64_t now_ms);

}  // namespace vigil::aggregator
