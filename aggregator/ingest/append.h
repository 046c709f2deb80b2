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
  std::uint64_t blocks = 0;     // closed by rows that do not follow each other
};

/// Where rows go, on the shard's thread.
struct RowTarget {
  Shard& shard;
  Host& host;
  Lane lane = kLiveLane;
};

/// Gives every column of the batch its series. Errc::limit when the host invents too many. Comes before the
/// batch is journalled: what is refused must never be acknowledged.
Result<void> admit_columns(const RowTarget& target, std::span<const SourceRows> sources, std::int64_t now_ms);

/// Fails as admit_columns() does; then no row is in.
Result<Appended> append_rows(const RowTarget& target, std::span<const SourceRows> sources,
                             std::int64_t now_ms);

}  // namespace vigil::aggregator
