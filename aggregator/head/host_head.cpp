#include "aggregator/head/host_head.h"

#include "aggregator/head/points.h"
#include "aggregator/store/tier.h"

#include <algorithm>
#include <cassert>
#include <unordered_set>

namespace vigil::aggregator {
namespace {

bool overlaps(std::int64_t first_ms, std::int64_t last_ms, const promql::Selection& selection) {
  return first_ms <= selection.end_ms && last_ms >= selection.start_ms;
}

OpenRows copy_columns(const OpenBlock& open, const std::unordered_set<SeriesId>& ids) {
  OpenRows rows;
  std::vector<std::size_t> columns;
  for (std::size_t i = 0; i < open.width(); ++i) {
    if (!ids.contains(open.columns()[i])) continue;
    columns.push_back(i);
    rows.series.push_back(open.columns()[i]);
  }
  if (columns.empty()) return rows;
  rows.times_ms.assign(open.times_ms().begin(), open.times_ms().end());
  rows.cells.resize(open.rows() * columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i)
    open.read(columns[i], std::span(rows.cells).subspan(i * open.rows(), open.rows()));
  return rows;
}

struct NewestCell {
  std::int64_t time_ms = std::numeric_limits<std::int64_t>::min();
  std::int64_t raw = kAbsent;
};

/// Cells of the wanted series (by id) in the rows [first, last], where they are newer than what is known: in
/// the last of them, but of sparse series, of which a row need not say anything, in the last one that does.
void read_rows(const OpenBlock& open, std::size_t first, std::size_t last,
               std::span<const WantedSeries> series, std::span<NewestCell> cells) {
  constexpr std::size_t kFew = 4;
  const auto columns = open.columns();
  const auto take = [&](std::size_t i, std::size_t column) {
    std::size_t row = last;
    std::int64_t raw = open.cell(row, column);
    if (is_sparse(series[i].form.encoding)) {
      while (raw == kAbsent && row > first) raw = open.cell(--row, column);
      if (raw == kAbsent) return;
    }
    const std::int64_t time_ms = open.times_ms()[row];
    if (cells[i].time_ms < time_ms) cells[i] = {time_ms, raw};
  };
  if (series.size() <= kFew) {
    for (std::size_t i = 0; i < series.size(); ++i) {
      const auto at = std::find(columns.begin(), columns.end(), series[i].id);
      if (at != columns.end()) take(i, static_cast<std::size_t>(at - columns.begin()));
    }
    return;
  }
  const SeriesId least = series.front().id;
  const SeriesId most = series.back().id;
  for (std::size_t column = 0; column < columns.size(); ++column) {
    if (columns[column] < least || columns[column] > most) continue;
    const auto at = std::ranges::lower_bound(series, columns[column], {}, &WantedSeries::id);
    if (at != series.end() && at->id == columns[column])
      take(static_cast<std::size_t>(at - series.begin()), column);
  }
}

/// Label sets that have more than one id among the series.
std::unordered_set<const Labels*> ids_of_one_label_set(std::span<const WantedSeries> series) {
  std::unordered_set<const Labels*> again;
  constexpr std::size_t kFew = 16;
  if (series.size() <= kFew) {
    for (std::size_t i = 1; i < series.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (series[i].labels == series[j].labels) again.insert(series[i].labels.get());
      }
    }
    return again;
  }
  std::vector<const Labels*> all;
  all.reserve(series.size());
  for (const WantedSeries& one : series) all.push_back(one.labels.get());
  std::ranges::sort(all);
  for (std::size_t i = 1; i < all.size(); ++i) {
    if (all[i] == all[i - 1]) again.insert(all[i]);
  }
  return again;
}

}  // namespace

HostHead::HostHead(HostId id, SeriesRegistry registry, const HeadOptions& options)
    : id_(id), options_(options), registry_(std::move(registry)) {}

void HostHead::set_columns(std::uint32_t source, SourceKey key, std::vector<SeriesId> columns) {
  Source& at = sources_[source];
  const auto declared_before = at.open.columns().subspan(0, at.declared);
  if (at.key == key && std::ranges::equal(declared_before, columns)) return;
  const std::size_t declared = columns.size();
  // Ended series stay for one block as columns without values: read after the last value, that is the end of
  // the series. When nothing was appended since the last change, those that ended then still wait for it.
  const auto before = at.open.empty() ? at.open.columns() : declared_before;
  const std::unordered_set<SeriesId> now(columns.begin(), columns.end());
  std::ranges::copy_if(before, std::back_inserter(columns), [&](SeriesId id) { return !now.contains(id); });
  close(source, at);
  const bool ended = declared == 0 && !columns.empty();
  at = Source{std::move(key), false, OpenBlock(std::move(columns)), declared, at.last_ms};
  if (ended) append(source, at.last_ms + 1, {});  // no row will come that could say so
}

void HostHead::append(std::uint32_t source, std::int64_t time_ms, std::span<const std::int64_t> values) {
  Source& at = sources_.at(source);
  assert(values.size() == at.declared);
  if (!at.open.empty() && !fits(at.open, time_ms)) close(source, at);
  at.open.append(time_ms, values);
  at.last_ms = time_ms;
}

void HostHead::end_series(std::uint32_t first_source) {
  for (auto& [number, source] : sources_) {
    const bool live = lane_of(number) == kLiveLane;
    if (live && number >= first_source && source.declared > 0) set_columns(number, source.key, {});
  }
}

void HostHead::end_lane(Lane lane) {
  const auto first = sources_.lower_bound(source_number(lane, 0));
  const auto last = sources_.lower_bound(source_number(lane + 1, 0));
  for (auto at = first; at != last; ++at) {
    close(at->first, at->second);
    end_absent(at->first, at->second);
  }
  sources_.erase(first, last);
}

/// A marker for each series of a late source that no live one has: nobody else would say that it is over.
void HostHead::end_absent(std::uint32_t number, Source& source) {
  if (source.last_ms == 0) return;
  std::unordered_set<SeriesId> live;
  for (const auto& [other, at] : sources_) {
    const auto columns = at.open.columns().subspan(0, at.declared);
    if (lane_of(other) == kLiveLane) live.insert(columns.begin(), columns.end());
  }
  const auto declared = source.open.columns().subspan(0, source.declared);
  std::vector<SeriesId> over;
  std::ranges::copy_if(declared, std::back_inserter(over), [&](SeriesId id) { return !live.contains(id); });
  if (over.empty()) return;
  source.open = OpenBlock(std::move(over));
  source.declared = 0;
  source.open.append(source.last_ms + 1, {});
  close(number, source);
}

void HostHead::make_live(Lane lane) {
  const auto first = sources_.lower_bound(source_number(lane, 0));
  const auto last = sources_.lower_bound(source_number(lane + 1, 0));
  std::map<std::uint32_t, Source> moved;
  for (auto at = first; at != last; ++at) moved.emplace(at->first % kLaneSources, std::move(at->second));
  sources_.erase(first, last);
  sources_.merge(moved);
}

std::int64_t HostHead::newest_ms(Lane lane) const {
  std::int64_t newest = 0;
  const auto last = sources_.lower_bound(source_number(lane + 1, 0));
  for (auto at = sources_.lower_bound(source_number(lane, 0)); at != last; ++at)
    newest = std::max(newest, at->second.last_ms);
  return newest;
}

void HostHead::begin_round() {
  registry_.begin_round();
  const auto use = [this](std::span<const SeriesId> ids) {
    for (const SeriesId id : ids) registry_.use(id);
  };
  for (const auto& [number, source] : sources_) use(source.open.columns());
  for (const Kept& kept : kept_) use(kept.block->series());
  for (const auto* parts : {&unsaved_, &unsaved_late_})
    for (const SealedPart& part : *parts) use(part.block->series());
}

std::size_t HostHead::active_series() const {
  std::size_t count = 0;
  for (const auto& [number, source] : sources_)
    if (lane_of(number) == kLiveLane) count += source.declared;
  return count;
}

bool HostHead::fits(const OpenBlock& open, std::int64_t time_ms) const {
  // History keeps a day in a file: a block of two days would have to be divided.
  const bool same_day = period_start_ms(Tier::raw, time_ms) == period_start_ms(Tier::raw, open.first_ms());
  return time_ms > open.last_ms() && time_ms - open.first_ms() <= 2 * options_.slot_ms && same_day &&
         (open.rows() + 1) * open.width() <= kMaxOpenCells;
}

void HostHead::close(std::uint32_t number, Source& source) {
  if (source.open.empty()) return;
  auto sealed = SealedBlock::open(aggregator::seal(source.open.transposed()));
  assert(sealed);  // what seal() wrote, open() reads
  const bool late = lane_of(number) != kLiveLane;
  kept_.push_back({*sealed, late, false, {}, {}});
  ++closed_blocks_;
  if (source.in_pieces) {  // what had no value in this block may have none in the next one
    std::vector<SeriesId> filled = source.open.filled_columns();
    source.open.clear();
    source.open.set_columns(std::move(filled));
    source.declared = source.open.width();
  }
  if (late) unsaved_late_bytes_ += (*sealed)->bytes().size();
  (late ? unsaved_late_ : unsaved_).push_back({source.key, std::move(*sealed)});
  if (source.open.width() > source.declared) {
    const auto columns = source.open.columns().subspan(0, source.declared);
    source.open = OpenBlock(std::vector<SeriesId>(columns.begin(), columns.end()));
  } else {
    source.open.clear();
  }
}

std::vector<SealedPart> HostHead::seal(std::int64_t now_ms) {
  for (auto& [number, source] : sources_) close(number, source);
  schedule_seal(now_ms);
  for (Kept& kept : kept_) kept.saved = true;
  std::vector<SealedPart> parts = std::exchange(unsaved_, {});
  std::ranges::move(seal_late(), std::back_inserter(parts));
  return parts;
}

std::vector<SealedPart> HostHead::seal_late() {
  for (auto& [number, source] : sources_)
    if (lane_of(number) != kLiveLane) close(number, source);
  unsaved_late_bytes_ = 0;
  for (Kept& kept : kept_) kept.saved = kept.saved || kept.late;
  return std::exchange(unsaved_late_, {});
}

void HostHead::schedule_seal(std::int64_t now_ms) {
  // Hosts end their slots at different times, or all of them would be compressed in the same second.
  const auto slot = options_.slot_ms;
  const std::int64_t phase = static_cast<std::int64_t>(std::hash<std::string>{}(registry_.instance()) %
                                                       static_cast<std::size_t>(slot));
  next_seal_ms_ = (now_ms - phase) / slot * slot + phase + slot;
}

bool HostHead::seal_due(std::int64_t now_ms) {
  if (next_seal_ms_ == 0 || now_ms < next_seal_ms_ - 2 * options_.slot_ms) schedule_seal(now_ms);
  return now_ms >= next_seal_ms_;
}

void HostHead::adopt(std::vector<std::shared_ptr<const SealedBlock>> blocks, std::int64_t complete_from_ms) {
  std::vector<Kept> before;
  before.reserve(blocks.size() + kept_.size());
  for (auto& block : blocks) before.push_back({std::move(block), false, true, {}, {}});
  std::ranges::move(kept_, std::back_inserter(before));
  kept_ = std::move(before);
  complete_from_ms_ = complete_from_ms;
}

void HostHead::evict(std::int64_t now_ms) {
  const std::int64_t horizon_ms = now_ms - options_.window_ms;
  std::erase_if(kept_, [&](const Kept& kept) {
    if (!kept.saved || kept.block->last_ms() >= horizon_ms) return false;
    complete_from_ms_ = std::max(complete_from_ms_, kept.block->last_ms() + 1);
    return true;
  });
}

std::vector<WantedSeries> HostHead::wanted(const promql::Selection& selection, MatchBudget* budget) const {
  std::vector<WantedSeries> series;
  const auto ids = budget != nullptr ? registry_.matching(selection.matchers, *budget)
                                     : registry_.matching(selection.matchers);
  series.reserve(ids.size());
  for (const SeriesId id : ids) {
    series.push_back({id, registry_.at(id)->labels, registry_.at(id)->form});
  }
  return series;
}

HostSlice HostHead::slice(const promql::Selection& selection, LateRows late, MatchBudget* budget) const {
  HostSlice slice{
      id_, kind_of(registry_.instance()), {}, wanted(selection, budget), {}, {}, complete_from_ms_};
  if (selection.need == promql::Need::last_point) {
    slice.ready.reserve(slice.series.size());
    newest(selection, slice.series, [&slice](LabelsPtr labels, const promql::Point& point, bool is_marker) {
      slice.ready.push_back({std::move(labels), {point}});
      slice.ready.back().has_markers = is_marker;
    });
  }
  if (slice.series.empty()) return slice;
  const bool hide = late == LateRows::hidden;
  for (const Kept& kept : kept_) {
    if (hide && kept.late) continue;
    if (overlaps(kept.block->first_ms(), kept.block->last_ms(), selection))
      slice.blocks.push_back(kept.block);
  }
  std::unordered_set<SeriesId> ids;
  for (const WantedSeries& series : slice.series) ids.insert(series.id);
  for (const auto& [number, source] : sources_) {
    if (hide && lane_of(number) != kLiveLane) continue;
    if (source.open.empty() || !overlaps(source.open.first_ms(), source.open.last_ms(), selection)) continue;
    OpenRows rows = copy_columns(source.open, ids);
    if (!rows.series.empty()) slice.open.push_back(std::move(rows));
  }
  return slice;
}

Result<void> HostHead::collect(Kept& kept, PointSets& sets) {
  const auto ids = kept.block->series();
  thread_local std::vector<std::uint32_t> wanted;
  sets.find_wanted(ids, wanted);
  for (const std::uint32_t column : wanted) {
    if (kept.times_ms.empty()) {
      auto times = kept.block->times();
      if (!times) return times.error();
      kept.times_ms = std::move(*times);
    }
    auto cached = kept.columns.find(column);
    if (cached == kept.columns.end()) {
      auto values = kept.block->column(column);
      if (!values) return values.error();
      cached = kept.columns.emplace(column, std::move(*values)).first;
    }
    sets.add(ids[column], {kept.times_ms, cached->second.data()});
  }
  return {};
}

/// The newest points that stand in open live rows, which is where those of running sources are: no block is
/// decoded and nothing but one cell a series is read. What is found leaves `series`; what is absent there, or
/// has more than one id, stays for the long way. take(labels, point, form's has_markers).
template <class Take>
void HostHead::newest(const promql::Selection& selection, std::vector<WantedSeries>& series,
                      Take take) const {
  thread_local std::vector<NewestCell> cells;
  cells.assign(series.size(), {});
  for (const auto& [number, source] : sources_) {
    const OpenBlock& open = source.open;
    if (open.empty() || lane_of(number) != kLiveLane) continue;
    const auto times = open.times_ms();
    const auto end = std::upper_bound(times.begin(), times.end(), selection.end_ms);
    const auto begin = std::lower_bound(times.begin(), end, selection.start_ms);
    if (begin == end) continue;
    read_rows(open, static_cast<std::size_t>(begin - times.begin()),
              static_cast<std::size_t>(std::prev(end) - times.begin()), series, cells);
  }
  const auto again = ids_of_one_label_set(series);
  std::size_t left = 0;
  for (std::size_t i = 0; i < series.size(); ++i) {
    WantedSeries& one = series[i];
    if (cells[i].raw == kAbsent || (!again.empty() && again.contains(one.labels.get()))) {
      if (left != i) series[left] = std::move(one);
      ++left;
    } else {
      const double value = to_double(cells[i].raw, one.form.encoding, one.form.scale);
      take(std::move(one.labels), promql::Point{cells[i].time_ms, value},
           is_end(cells[i].raw, one.form.encoding));
    }
  }
  series.resize(left);
}

/// All points of the wanted series, from sealed and open rows.
Result<void> HostHead::collect_all(const promql::Selection& selection, LateRows late, PointSets& sets) {
  const bool hide = late == LateRows::hidden;
  for (Kept& kept : kept_) {
    if (hide && kept.late) continue;
    if (!overlaps(kept.block->first_ms(), kept.block->last_ms(), selection)) continue;
    if (auto done = collect(kept, sets); !done) return done.error();
  }
  thread_local std::vector<std::int64_t> cells;
  thread_local std::vector<std::uint32_t> columns;
  for (const auto& [number, source] : sources_) {
    const OpenBlock& open = source.open;
    if (hide && lane_of(number) != kLiveLane) continue;
    if (open.empty() || !overlaps(open.first_ms(), open.last_ms(), selection)) continue;
    sets.find_wanted(open.columns(), columns);
    if (columns.empty()) continue;
    const auto times = open.times_ms();
    // With the row before the span: it tells what a marker at its begin ends.
    const auto within = std::ranges::lower_bound(times, selection.start_ms) - times.begin();
    const std::size_t first =
        open.page_before(static_cast<std::size_t>(std::max<std::ptrdiff_t>(within - 1, 0)));
    cells.resize(open.rows() - first);
    for (const std::uint32_t i : columns) {
      open.read(i, first, cells);
      sets.add(open.columns()[i], {times.subspan(first), cells.data()});
    }
  }
  return {};
}

Result<void> HostHead::visit(const promql::Selection& selection, const Reading& reading,
                             promql::SeriesSink& sink) {
  sink.begin(1);
  auto series = wanted(selection);
  Result<void> taken;
  if (selection.need == promql::Need::last_point) {
    promql::SelectedSeries one;
    newest(selection, series, [&](LabelsPtr labels, const promql::Point& point, bool is_marker) {
      if (!taken) return;
      one.labels = std::move(labels);
      one.points.assign(1, point);
      one.has_markers = is_marker;
      taken = sink.take(0, one);
    });
  }
  if (!taken || series.empty()) return taken;
  thread_local PointSets sets;  // its memory is used again and again: rules read ranges all the time
  sets.begin(series, selection.start_ms, selection.end_ms);
  if (auto done = collect_all(selection, reading.late, sets); !done) return done;
  const std::size_t points = sets.points();
  taken = points > reading.max_points ? Result<void>(too_many_points(reading.max_points))
                                      : sets.hand_over(0, sink);
  constexpr std::size_t kManyPoints = 1 << 16;
  if (points > kManyPoints) sets = PointSets();
  return taken;
}

Result<std::vector<promql::SelectedSeries>> HostHead::select(const promql::Selection& selection,
                                                             std::size_t max_points, LateRows late) {
  struct Collected : promql::SeriesSink {
    void begin(std::size_t /*parts*/) override {}
    Result<void> take(std::size_t /*part*/, promql::SelectedSeries& one) override {
      series.push_back(std::move(one));
      return {};
    }
    std::vector<promql::SelectedSeries> series;
  } out;
  if (auto read = visit(selection, {max_points, late}, out); !read) return read.error();
  return std::move(out.series);
}

std::size_t HostHead::memory_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [number, source] : sources_) bytes += source.open.memory_bytes();
  for (const Kept& kept : kept_) {
    bytes += kept.block->bytes().size() + kept.times_ms.size() * sizeof(std::int64_t);
    for (const auto& [column, values] : kept.columns) bytes += values.size() * sizeof(std::int64_t);
  }
  return bytes;
}

}  // namespace vigil::aggregator
