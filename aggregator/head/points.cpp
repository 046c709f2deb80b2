#include "aggregator/head/points.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace vigil::aggregator {
namespace {

/// Whether one of the cells is one of the two. Almost never, so that all are looked at first by their upper
/// halves: those the compiler compares several at a time on any x86-64, whole ones it does not.
bool any_of(std::span<const std::int64_t> cells, std::int64_t one, std::int64_t other) {
  const auto upper = [](std::int64_t cell) {
    return static_cast<std::uint32_t>(static_cast<std::uint64_t>(cell) >> 32);
  };
  std::uint32_t alike = 0;
  for (const std::int64_t cell : cells) {
    alike |= static_cast<std::uint32_t>(upper(cell) == upper(one)) |
             static_cast<std::uint32_t>(upper(cell) == upper(other));
  }
  return alike != 0 && std::ranges::any_of(cells, [&](std::int64_t c) { return c == one || c == other; });
}

/// Cells as points, for std::vector::insert: resizing would write each point twice.
template <class Number>
class PointIterator {
 public:
  using iterator_category = std::random_access_iterator_tag;  // so that the vector grows once
  using value_type = promql::Point;
  using difference_type = std::ptrdiff_t;
  using pointer = const promql::Point*;
  using reference = promql::Point;

  PointIterator(const std::int64_t* time_ms, const std::int64_t* cell, Number number)
      : time_ms_(time_ms), cell_(cell), number_(number) {}
  promql::Point operator*() const { return {*time_ms_, number_(*cell_)}; }
  PointIterator& operator++() { return *this += 1; }
  PointIterator& operator--() { return *this += -1; }
  PointIterator& operator+=(std::ptrdiff_t n) {
    time_ms_ += n;
    cell_ += n;
    return *this;
  }
  friend std::ptrdiff_t operator-(const PointIterator& a, const PointIterator& b) {
    return a.time_ms_ - b.time_ms_;
  }
  friend bool operator==(const PointIterator& a, const PointIterator& b) { return a.time_ms_ == b.time_ms_; }

 private:
  const std::int64_t* time_ms_;
  const std::int64_t* cell_;
  [[no_unique_address]] Number number_;
};

struct Decimal {
  double power = 1;
  double operator()(std::int64_t raw) const { return static_cast<double>(raw) / power; }
};

template <class Number>
void convert(std::span<const std::int64_t> times_ms, const std::int64_t* cells,
             std::vector<promql::Point>& out, Number number) {
  const PointIterator begin(times_ms.data(), cells, number);
  const PointIterator end(times_ms.data() + times_ms.size(), cells + times_ms.size(), number);
  out.insert(out.end(), begin, end);
}

}  // namespace

void PointCollector::begin(std::int64_t start_ms, std::int64_t end_ms) {
  start_ms_ = start_ms;
  end_ms_ = end_ms;
  before_ms_ = std::numeric_limits<std::int64_t>::min();
  value_before_ = false;
  ascending_ = true;
  doubtful_ = false;
  has_markers_ = false;
  sparse_ = false;
  points_.clear();
}

void PointCollector::add(const Column& column, const SeriesForm& form) {
  const auto& times = column.times_ms;
  const auto begin =
      static_cast<std::size_t>(std::lower_bound(times.begin(), times.end(), start_ms_) - times.begin());
  const auto end =
      static_cast<std::size_t>(std::upper_bound(times.begin(), times.end(), end_ms_) - times.begin());
  if (is_sparse(form.encoding)) return add_sparse(column, {begin, end}, form);
  see_before(column, begin);
  if (begin >= end) return;
  if (!points_.empty() && times[begin] <= points_.back().t_ms) ascending_ = false;
  const auto within = times.subspan(begin, end - begin);
  const std::int64_t* cells = column.cells + begin;
  if (!any_of({cells, within.size()}, kAbsent, kAbsent)) return append(within, cells, form);
  has_markers_ = true;
  if (begin == 0 && *cells == kAbsent) doubtful_ = true;
  append_with_absent(within, cells, form, begin == 0 || cells[-1] != kAbsent);
}

void PointCollector::append(std::span<const std::int64_t> times_ms, const std::int64_t* cells,
                            const SeriesForm& form) {
  if (is_float(form.encoding)) {
    convert(times_ms, cells, points_, [](std::int64_t raw) { return double_from_raw(raw); });
  } else if (form.scale == 0) {
    convert(times_ms, cells, points_, [](std::int64_t raw) { return static_cast<double>(raw); });
  } else {
    convert(times_ms, cells, points_, Decimal{power_of_ten(form.scale)});
  }
}

void PointCollector::append_with_absent(std::span<const std::int64_t> times_ms, const std::int64_t* cells,
                                        const SeriesForm& form, bool had_value) {
  for (std::size_t row = 0; row < times_ms.size(); ++row) {
    const std::int64_t raw = cells[row];
    if (raw != kAbsent) {
      points_.push_back({times_ms[row], to_double(raw, form.encoding, form.scale)});
      had_value = true;
    } else if (had_value) {
      points_.push_back({times_ms[row], stale_marker()});
      had_value = false;
    }
  }
}

/// Absent cells say nothing here, and what ended says so itself.
void PointCollector::add_sparse(const Column& column, const Rows& rows, const SeriesForm& form) {
  sparse_ = true;
  if (rows.begin >= rows.end) return;
  const auto within = column.times_ms.subspan(rows.begin, rows.end - rows.begin);
  const std::int64_t* cells = column.cells + rows.begin;
  const std::int64_t ended = is_float(form.encoding) ? raw_from_double(stale_marker()) : kEnded;
  if (!any_of({cells, within.size()}, kAbsent, ended)) {
    if (!points_.empty() && within.front() <= points_.back().t_ms) ascending_ = false;
    return append(within, cells, form);
  }
  has_markers_ = true;
  for (std::size_t row = 0; row < within.size(); ++row) {
    if (cells[row] == kAbsent) continue;
    if (!points_.empty() && within[row] <= points_.back().t_ms) ascending_ = false;
    points_.push_back({within[row], to_double(cells[row], form.encoding, form.scale)});
  }
}

/// The first `count` rows lie before the span: the last of them may be the value a marker ends.
void PointCollector::see_before(const Column& column, std::size_t count) {
  if (count == 0 || column.times_ms[count - 1] < before_ms_) return;
  before_ms_ = column.times_ms[count - 1];
  value_before_ = column.cells[count - 1] != kAbsent;
}

std::vector<promql::Point>& PointCollector::finish() {
  if (!ascending_) {
    const auto earlier = [](const promql::Point& a, const promql::Point& b) { return a.t_ms < b.t_ms; };
    const auto same = [](const promql::Point& a, const promql::Point& b) { return a.t_ms == b.t_ms; };
    std::stable_sort(points_.begin(), points_.end(), earlier);
    points_.erase(std::unique(points_.begin(), points_.end(), same), points_.end());
  }
  if ((doubtful_ || !ascending_) && !sparse_) {
    std::erase_if(points_, [had_value = value_before_](const promql::Point& point) mutable {
      return !std::exchange(had_value, !is_stale(point.v)) && is_stale(point.v);
    });
  }
  return points_;
}

std::vector<promql::Point> PointCollector::take() {
  return std::move(finish());
}

void PointSets::begin(std::span<const WantedSeries> wanted, std::int64_t start_ms, std::int64_t end_ms) {
  targets_.clear();
  labels_.clear();
  targets_.reserve(wanted.size());
  labels_.reserve(wanted.size());
  constexpr std::size_t kFew = 16;  // looking at each of them costs less than a table
  std::unordered_map<const Labels*, std::uint32_t> by_labels;
  if (wanted.size() > kFew) by_labels.reserve(wanted.size());
  const auto collector_of = [&](const LabelsPtr& labels) {
    const auto next = static_cast<std::uint32_t>(labels_.size());
    if (wanted.size() > kFew) return by_labels.emplace(labels.get(), next).first->second;
    return static_cast<std::uint32_t>(std::ranges::find(labels_, labels) - labels_.begin());
  };
  for (const WantedSeries& series : wanted) {
    const std::uint32_t collector = collector_of(series.labels);
    if (collector == labels_.size()) labels_.push_back(series.labels);
    targets_.push_back({series.id, collector, series.form});
  }
  if (!std::ranges::is_sorted(targets_, {}, &Target::id)) std::ranges::sort(targets_, {}, &Target::id);
  if (collectors_.size() < labels_.size()) collectors_.resize(labels_.size());
  for (std::size_t i = 0; i < labels_.size(); ++i) collectors_[i].begin(start_ms, end_ms);
  coarse_until_ms_ = std::numeric_limits<std::int64_t>::min();
  coarse_ms_ = 0;
}

void PointSets::reserve(std::size_t points) {
  for (std::size_t i = 0; i < labels_.size(); ++i) collectors_[i].reserve(points);
}

const PointSets::Target* PointSets::find(SeriesId id) const {
  const auto at = std::ranges::lower_bound(targets_, id, {}, &Target::id);
  return at != targets_.end() && at->id == id ? &*at : nullptr;
}

void PointSets::find_wanted(std::span<const SeriesId> columns, std::vector<std::uint32_t>& out) const {
  out.clear();
  if (targets_.empty()) return;
  const SeriesId least = targets_.front().id;
  const SeriesId most = targets_.back().id;
  for (std::uint32_t i = 0; i < columns.size(); ++i) {
    if (columns[i] >= least && columns[i] <= most && wants(columns[i])) out.push_back(i);
  }
}

void PointSets::add(SeriesId id, const PointCollector::Column& column) {
  if (const Target* target = find(id)) collectors_[target->collector].add(column, target->form);
}

void PointSets::coarse(std::int64_t until_ms, std::int64_t apart_ms) {
  coarse_until_ms_ = std::max(coarse_until_ms_, until_ms);
  coarse_ms_ = std::max(coarse_ms_, apart_ms);
}

std::size_t PointSets::points() const {
  std::size_t count = 0;
  for (std::size_t i = 0; i < labels_.size(); ++i) count += collectors_[i].size();
  return count;
}

Result<void> PointSets::hand_over(std::size_t part, promql::SeriesSink& sink) {
  series_.coarse_until_ms = coarse_until_ms_;
  series_.coarse_ms = coarse_ms_;
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    std::vector<promql::Point>& points = collectors_[i].finish();
    if (points.empty()) continue;
    series_.labels = std::move(labels_[i]);
    series_.has_markers = collectors_[i].has_markers();
    std::swap(series_.points, points);
    auto taken = sink.take(part, series_);
    std::swap(series_.points, points);
    if (!taken) return taken;
  }
  return {};
}

Result<void> PointSets::take(std::size_t max_points, std::vector<promql::SelectedSeries>& out) {
  if (points() > max_points) return too_many_points(max_points);
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    auto points = collectors_[i].take();
    if (points.empty()) continue;
    out.push_back(
        {labels_[i], std::move(points), coarse_until_ms_, coarse_ms_, collectors_[i].has_markers()});
  }
  return {};
}

Error too_many_points(std::size_t max_points) {
  return fail(Errc::limit, "the query loads more than {} samples: select fewer series or a shorter time",
              max_points);
}

}  // namespace vigil::aggregator
