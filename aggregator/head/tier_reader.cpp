#include "aggregator/head/tier_reader.h"

#include "aggregator/store/history.h"
#include "aggregator/store/rollup.h"

namespace vigil::aggregator {

namespace {

Aggregate column_of(promql::Stand stand) {
  switch (stand) {
    case promql::Stand::least:
      return Aggregate::min;
    case promql::Stand::greatest:
      return Aggregate::max;
    case promql::Stand::last:
      break;
  }
  return Aggregate::last;
}

}  // namespace

TierReader::TierReader(HostId host, std::span<const WantedSeries> wanted, const History& history,
                       PointSets& sets)
    : host_(host), history_(history), sets_(sets) {
  for (const WantedSeries& series : wanted) wanted_[series.id] = &series;
}

Result<void> TierReader::add(Tier tier, const SliceRead& read) {
  if (read.start_ms > read.end_ms) return {};
  sets_.coarse(read.end_ms + 1, resolution_ms(tier));
  const auto blocks = history_.read_tier(tier, host_, read.start_ms, read.end_ms);
  if (!blocks) return blocks.error();
  for (const auto& block : *blocks) {
    if (auto added = add_block(*block, read.stand); !added) return added;
    if (sets_.points() > read.max_points) return too_many_points(read.max_points);
  }
  return {};
}

Result<void> TierReader::add_block(const SealedBlock& block, promql::Stand stand) {
  std::unordered_map<SeriesId, std::size_t> columns;  // by tier column
  const auto ids = block.series();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (wanted_.contains(series_of_column(ids[i]))) columns[ids[i]] = i;
  }
  if (columns.empty()) return {};
  auto times = block.times();
  if (!times) return times.error();
  times_ms_ = std::move(*times);
  for (const auto& [id, series] : wanted_) {
    auto last = columns.find(tier_column(id, column_of(stand)));
    if (last == columns.end()) last = columns.find(tier_column(id, Aggregate::last));  // a counter
    if (last == columns.end()) continue;
    const auto values = block.column(last->second);
    if (!values) return values.error();
    const auto hidden = columns.find(tier_column(id, Aggregate::excess));
    Result<std::vector<std::int64_t>> excess = std::vector<std::int64_t>();
    if (hidden != columns.end()) excess = block.column(hidden->second);
    if (!excess) return excess.error();
    add_series(*series, *values, *excess);
  }
  return {};
}

void TierReader::add_series(const WantedSeries& series, std::span<const std::int64_t> last,
                            std::span<const std::int64_t> excess) {
  const std::int64_t none = is_float(series.form.encoding) ? raw_from_double(0) : 0;
  std::vector<std::int64_t> times;
  std::vector<std::int64_t> values;
  for (std::size_t row = 0; row < last.size(); ++row) {
    // Whoever counts resets adds what is before a fall: so much did the counter grow unseen.
    if (!excess.empty() && excess[row] != none && excess[row] != kAbsent) {
      times.push_back(times_ms_[row] - 1);
      values.push_back(excess[row]);
    }
    times.push_back(times_ms_[row]);
    values.push_back(last[row]);
  }
  sets_.add(series.id, {times, values.data()});
}

}  // namespace vigil::aggregator
