// What a selection touches of one host, taken out of its shard: shared immutable blocks and a copy of the
// open rows that match. Taking a slice is cheap (no decompression) and happens on the shard's thread; reading
// it happens wherever the question came from.
#pragma once

#include "aggregator/blocks/block.h"
#include "aggregator/head/host_kind.h"
#include "aggregator/head/points.h"
#include "aggregator/promql/storage.h"
#include "common/error.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vigil::aggregator {

class History;

/// Open rows of one source, only the columns that match, column-major: cells[column * times_ms.size() + row].
struct OpenRows {
  std::vector<SeriesId> series;
  std::vector<std::int64_t> times_ms;
  std::vector<std::int64_t> cells;
};

struct HostSlice {
  HostId host = 0;
  HostKind kind = HostKind::agent;
  std::vector<promql::SelectedSeries>
      ready;  // answered from the newest row already (promql::Need::last_point)
  std::vector<WantedSeries> series;
  std::vector<std::shared_ptr<const SealedBlock>> blocks;
  std::vector<OpenRows> open;
  /// Everything stored with a time from here on is in the slice; what is older is in the history (and may be
  /// in the slice, too).
  std::int64_t complete_from_ms = 0;
};

struct SliceRead {
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;
  std::size_t max_points = 0;  // beyond it Errc::limit
};

/// Decodes a slice, and what is older from `history` (may be null). Points of `out` are ascending; series
/// without any are left out. Adds to `out`.
Result<void> read_slice(const HostSlice& slice, const History* history, const SliceRead& read,
                        std::vector<promql::SelectedSeries>& out);

}  // namespace vigil::aggregator
