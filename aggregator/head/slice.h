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
#include <span>
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
  std::int64_t coarse_ms = 0;  // promql::Selection's
  promql::Stand stand = promql::Stand::last;
  std::int64_t rolled_up_ms = 0;  // History::rolled_up_until_ms()
};

/// Decodes slices, and what is older from a history, a few series at a time: only their points are held. For
/// many slices one after the other, so that memory is used again; on one thread.
class SliceReader {
 public:
  /// Both may be null.
  explicit SliceReader(const History* history, GroupCache* cache = nullptr)
      : history_(history), cache_(cache) {}

  /// Hands every series with points to the sink, as those of `part`. Points are ascending. Errc::limit when
  /// more than max_points would be held at a time.
  Result<void> read(const HostSlice& slice, const SliceRead& read, std::size_t part,
                    promql::SeriesSink& sink);

 private:
  using Blocks = std::vector<std::shared_ptr<const SealedBlock>>;
  /// Where a span of time is read from.
  struct Plan {
    SliceRead hours, minutes, samples;  // empty when they end before they start
    std::int64_t wanted_from_ms = 0;    // a little before what is read for, where points are far apart
    Blocks stored;
  };
  Result<Plan> plan(const HostSlice& slice, const SliceRead& read) const;
  Result<void> read_some(const HostSlice& slice, std::span<const WantedSeries> wanted, const Plan& plan);
  Result<void> add_block(const SealedBlock& block);

  const History* const history_;
  GroupCache* const cache_;
  PointSets sets_;
  std::vector<WantedSeries> wanted_;
  std::vector<std::uint32_t> columns_;
  std::vector<std::int64_t> times_ms_;
};

/// The same of one slice into `out`, to which it adds. `history` may be null.
Result<void> read_slice(const HostSlice& slice, const History* history, const SliceRead& read,
                        std::vector<promql::SelectedSeries>& out);

}  // namespace vigil::aggregator
