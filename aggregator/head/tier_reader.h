// Points of a tier in place of samples: of gauges the last, least or greatest value of each bucket; of
// counters the last one, and before it what a reset within the bucket hides, so that rate() and increase()
// over it give what they gave over the samples.
#pragma once

#include "aggregator/head/points.h"
#include "aggregator/head/slice.h"
#include "aggregator/store/tier.h"
#include "common/error.h"

#include <span>
#include <unordered_map>

namespace vigil::aggregator {

class TierReader {
 public:
  TierReader(HostId host, std::span<const WantedSeries> wanted, const History& history, PointSets& sets);

  /// Adds the points of [start_ms, end_ms]; nothing when that is empty. Tiers in order of time. Errc::limit
  /// beyond max_points.
  Result<void> add(Tier tier, const SliceRead& read);

 private:
  Result<void> add_block(const SealedBlock& block, promql::Stand stand);
  void add_series(const WantedSeries& series, std::span<const std::int64_t> last,
                  std::span<const std::int64_t> excess);

  const HostId host_;
  const History& history_;
  PointSets& sets_;
  std::unordered_map<SeriesId, const WantedSeries*> wanted_;
  std::vector<std::int64_t> times_ms_;  // of the block that is read
};

}  // namespace vigil::aggregator
