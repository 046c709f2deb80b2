// From samples to rows of a tier: for each series and bucket of time the aggregates that stand in for its
// samples. Pure.
//
// A tier's block has several columns per series, tier_column(id, aggregate) each. Gauges: min, max, sum,
// count, last. Counters: first, last, count, and excess, what resets within the bucket hide: the increase
// from first to last, resets counted as Prometheus does, minus (last - first). All in the raw form of the
// series itself (scale, encoding), but count, an integer. A row's time is the last millisecond of its bucket,
// so that a window that ends with a bucket holds it.
#pragma once

#include "aggregator/blocks/block.h"
#include "common/series.h"

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

namespace vigil::aggregator {

enum class Aggregate : std::uint8_t { min = 0, max = 1, sum = 2, count = 3, last = 4, first = 5, excess = 6 };

inline constexpr SeriesId kAggregatesPerSeries = 8;

inline SeriesId tier_column(SeriesId series, Aggregate aggregate) {
  return series * kAggregatesPerSeries + static_cast<SeriesId>(aggregate);
}
inline SeriesId series_of_column(SeriesId column) {
  return column / kAggregatesPerSeries;
}
inline Aggregate aggregate_of_column(SeriesId column) {
  return static_cast<Aggregate>(column % kAggregatesPerSeries);
}

struct SeriesKind {
  SeriesType type = SeriesType::unknown;
  Encoding encoding = Encoding::decimal;
};

/// The buckets of one source of one host, over a span of time. Blocks may come in any order, but the samples
/// of a counter must come in order for its resets to be seen.
class Rollup {
 public:
  struct Span {
    std::int64_t start_ms = 0;  // a multiple of bucket_ms
    std::int64_t end_ms = 0;    // exclusive
    std::int64_t bucket_ms = 0;
  };
  explicit Rollup(const Span& span) : span_(span) {}

  /// Takes the rows within the span. `kinds` by series id; a series beyond it counts as a gauge.
  void add(const Block& block, const std::vector<SeriesKind>& kinds);
  /// Series that came and went less than `most_ms` apart, while others of the source were there before and
  /// after; ascending. Never those that are pushed: one sample a day may be all they have.
  std::vector<SeriesId> brief(std::int64_t most_ms) const;
  /// The rows of all buckets with at least one sample; none when there was nothing. Empty afterwards.
  std::optional<Block> take();

 private:
  struct Bucket {
    std::int64_t index = 0;
    std::int64_t first_ms = 0;
    std::int64_t last_ms = 0;
    std::int64_t min = 0;
    std::int64_t max = 0;
    std::int64_t sum = kAbsent;  // kAbsent: it does not fit
    std::int64_t count = 0;
    std::int64_t first = 0;
    std::int64_t last = 0;
    std::int64_t excess = 0;
  };
  struct Series {
    SeriesKind kind;
    std::vector<Bucket> buckets;  // ascending
  };
  static void put(Bucket& bucket, const SeriesKind& kind, std::int64_t time_ms, std::int64_t raw);
  static void put_counter(Bucket& bucket, Encoding encoding, std::int64_t raw);
  static Bucket& bucket_at(Series& series, std::int64_t index);

  const Span span_;
  std::map<SeriesId, Series> series_;
};

}  // namespace vigil::aggregator
