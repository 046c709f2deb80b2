#include "aggregator/head/slice.h"

#include "aggregator/head/points.h"
#include "aggregator/head/tier_reader.h"
#include "aggregator/store/history.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

namespace vigil::aggregator {
namespace {

// Series are read so many at a time that their points stay in the processor's caches, but a column group of a
// block is decompressed for several of them.
constexpr std::size_t kPointsAtATime = 128UL * 1024;
constexpr std::size_t kMostSeries = 64;
constexpr std::size_t kGroupOfColumns = 16;
constexpr std::size_t kManyPoints = 4UL * 1024 * 1024;

std::size_t series_at_a_time(std::size_t rows) {
  const std::size_t fitting = kPointsAtATime / std::max<std::size_t>(rows, 1);
  const std::size_t least =
      std::clamp<std::size_t>(kManyPoints / std::max<std::size_t>(rows, 1), 1, kGroupOfColumns);
  return std::clamp(fitting, least, kMostSeries);
}

/// Ids of one label set stand together, so that they are read together.
void group_by_labels(std::vector<WantedSeries>& wanted) {
  std::unordered_map<const Labels*, SeriesId> first;
  first.reserve(wanted.size());
  bool twice = false;
  for (const WantedSeries& series : wanted)
    twice = !first.emplace(series.labels.get(), series.id).second || twice;
  if (!twice) return;
  std::ranges::stable_sort(wanted, {},
                           [&](const WantedSeries& series) { return first.at(series.labels.get()); });
}

bool is_empty(const SliceRead& read) {
  return read.start_ms > read.end_ms;
}

constexpr SliceRead kNothing{.start_ms = 0, .end_ms = -1};

/// Takes all of it, up to a number of points.
class Collected final : public promql::SeriesSink {
 public:
  Collected(std::size_t max_points, std::vector<promql::SelectedSeries>& out)
      : max_points_(max_points), out_(out) {}
  void begin(std::size_t) override {}
  Result<void> take(std::size_t, promql::SelectedSeries& series) override {
    points_ += series.points.size();
    if (points_ > max_points_) return too_many_points(max_points_);
    out_.push_back(std::move(series));
    return {};
  }

 private:
  const std::size_t max_points_;
  std::vector<promql::SelectedSeries>& out_;
  std::size_t points_ = 0;
};

}  // namespace

/// What is older than the slice. Where samples have been removed, minutes stand in for them, and hours for
/// minutes; where days are rolled up they do so as far as the question allows it.
Result<SliceReader::Plan> SliceReader::plan(const HostSlice& slice, const SliceRead& read) const {
  Plan plan{kNothing, kNothing, kNothing, read.start_ms, {}};
  if (history_ == nullptr) return plan;
  // Where nothing was retired it is the least number there is, and we look at the millisecond before.
  constexpr std::int64_t kAlways = std::numeric_limits<std::int64_t>::min() + 1;
  std::int64_t raw_from = std::max(history_->complete_from_ms(Tier::raw), kAlways);
  std::int64_t minutes_from = std::max(history_->complete_from_ms(Tier::minute), kAlways);
  const auto may_read = [&](Tier tier) {
    return read.coarse_ms >= resolution_ms(tier) &&
           history_->complete_from_ms(tier) <= std::max(read.start_ms, raw_from);
  };
  if (may_read(Tier::minute)) raw_from = std::max(raw_from, read.rolled_up_ms);
  if (may_read(Tier::hour)) minutes_from = std::max(minutes_from, read.rolled_up_ms);
  // An instant selector may look back to the hour before.
  if (read.start_ms < minutes_from) plan.wanted_from_ms -= kHourMs;
  const std::int64_t start_ms = plan.wanted_from_ms;
  if (start_ms >= slice.complete_from_ms) return plan;
  const std::int64_t end_ms = std::min(read.end_ms, slice.complete_from_ms - 1);
  const auto over = [&read](std::int64_t from_ms, std::int64_t to_ms) {
    SliceRead part = read;
    part.start_ms = from_ms;
    part.end_ms = to_ms;
    return part;
  };
  const std::int64_t before = std::min(end_ms, raw_from - 1);
  plan.hours = over(start_ms, std::min(before, minutes_from - 1));
  plan.minutes = over(std::max(start_ms, minutes_from), before);
  plan.samples = over(std::max(start_ms, raw_from), end_ms);
  if (is_empty(plan.samples)) return plan;
  std::vector<SeriesId> ids;
  for (const WantedSeries& series : slice.series) ids.push_back(series.id);
  auto blocks = history_->read(slice.host, ids, plan.samples.start_ms, plan.samples.end_ms);
  if (!blocks) return blocks.error();
  plan.stored = std::move(*blocks);
  return plan;
}

Result<void> SliceReader::add_block(const SealedBlock& block) {
  sets_.find_wanted(block.series(), columns_);
  if (columns_.empty()) return {};
  if (auto read = block.times(times_ms_); !read) return read;
  ColumnReader reader(block, cache_);
  for (const std::uint32_t i : columns_) {
    const auto values = reader.read(i);
    if (!values) return values.error();
    sets_.add(block.series()[i], {times_ms_, values->data()});
  }
  return {};
}

Result<void> SliceReader::read_some(const HostSlice& slice, std::span<const WantedSeries> wanted,
                                    const Plan& plan) {
  if (!is_empty(plan.hours) || !is_empty(plan.minutes)) {
    TierReader tiers(slice.host, wanted, *history_, sets_);
    if (auto added = tiers.add(Tier::hour, plan.hours); !added) return added;
    if (auto added = tiers.add(Tier::minute, plan.minutes); !added) return added;
  }
  for (const Blocks* blocks : {&plan.stored, &slice.blocks}) {
    for (const auto& block : *blocks) {
      if (auto added = add_block(*block); !added) return added;
    }
  }
  for (const OpenRows& rows : slice.open) {
    sets_.find_wanted(rows.series, columns_);
    for (const std::size_t column : columns_)
      sets_.add(rows.series[column], {rows.times_ms, rows.cells.data() + column * rows.times_ms.size()});
  }
  return {};
}

Result<void> SliceReader::read(const HostSlice& slice, const SliceRead& read, std::size_t part,
                               promql::SeriesSink& sink) {
  for (promql::SelectedSeries one : slice.ready) {
    if (auto taken = sink.take(part, one); !taken) return taken;
  }
  if (slice.series.empty()) return {};
  const auto planned = plan(slice, read);
  if (!planned) return planned.error();
  std::size_t rows = 0;
  for (const auto& block : planned->stored) rows += block->rows();
  for (const auto& block : slice.blocks) rows += block->rows();
  for (const OpenRows& open : slice.open) rows += open.times_ms.size();
  wanted_ = slice.series;
  group_by_labels(wanted_);
  const std::size_t step = series_at_a_time(rows);
  for (std::size_t first = 0; first < wanted_.size();) {
    std::size_t last = std::min(first + step, wanted_.size());
    while (last < wanted_.size() && wanted_[last].labels == wanted_[last - 1].labels) ++last;
    const auto some = std::span(wanted_).subspan(first, last - first);
    sets_.begin(some, planned->wanted_from_ms, read.end_ms);
    if (rows <= kManyPoints) sets_.reserve(rows);
    if (auto done = read_some(slice, some, *planned); !done) return done;
    if (sets_.points() > read.max_points) return too_many_points(read.max_points);
    if (auto done = sets_.hand_over(part, sink); !done) return done;
    first = last;
  }
  return {};
}

Result<void> read_slice(const HostSlice& slice, const History* history, const SliceRead& read,
                        std::vector<promql::SelectedSeries>& out) {
  Collected collected(read.max_points, out);
  return SliceReader(history).read(slice, read, 0, collected);
}

}  // namespace vigil::aggregator
