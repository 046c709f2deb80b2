#include "aggregator/head/points.h"

#include <algorithm>
#include <utility>

namespace vigil::aggregator {

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
  bool had_value = true;
  if (begin > 0) {
    had_value = column.cells[begin - 1] != kAbsent;
  } else if (column.cells[0] == kAbsent) {
    doubtful_ = true;
  }
  for (std::size_t row = begin; row < end; ++row) {
    const std::int64_t raw = column.cells[row];
    if (raw != kAbsent) {
      points_.push_back({times[row], to_double(raw, form.encoding, form.scale)});
      had_value = true;
    } else if (had_value) {
      points_.push_back({times[row], stale_marker()});
      had_value = false;
    }
  }
}

/// Absent cells say nothing here, and what ended says so itself.
void PointCollector::add_sparse(const Column& column, const Rows& rows, const SeriesForm& form) {
  for (std::size_t row = rows.begin; row < rows.end; ++row) {
    if (column.cells[row] == kAbsent) continue;
    if (!points_.empty() && column.times_ms[row] <= points_.back().t_ms) ascending_ = false;
    points_.push_back({column.times_ms[row], to_double(column.cells[row], form.encoding, form.scale)});
  }
  sparse_ = true;
}

/// The first `count` rows lie before the span: the last of them may be the value a marker ends.
void PointCollector::see_before(const Column& column, std::size_t count) {
  if (count == 0 || column.times_ms[count - 1] < before_ms_) return;
  before_ms_ = column.times_ms[count - 1];
  value_before_ = column.cells[count - 1] != kAbsent;
}

std::vector<promql::Point> PointCollector::take() {
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
  return std::move(points_);
}

PointSets::PointSets(std::span<const WantedSeries> wanted, std::int64_t start_ms, std::int64_t end_ms) {
  std::unordered_map<const Labels*, std::size_t> by_labels;
  for (const WantedSeries& series : wanted) {
    const auto [at, added] = by_labels.emplace(series.labels.get(), collectors_.size());
    if (added) {
      collectors_.emplace_back(start_ms, end_ms);
      labels_.push_back(series.labels);
    }
    targets_[series.id] = {at->second, series.form};
  }
}

void PointSets::add(SeriesId id, const PointCollector::Column& column) {
  const auto at = targets_.find(id);
  if (at != targets_.end()) collectors_[at->second.collector].add(column, at->second.form);
}

void PointSets::coarse(std::int64_t until_ms, std::int64_t apart_ms) {
  coarse_until_ms_ = std::max(coarse_until_ms_, until_ms);
  coarse_ms_ = std::max(coarse_ms_, apart_ms);
}

std::size_t PointSets::points() const {
  std::size_t count = 0;
  for (const PointCollector& collector : collectors_) count += collector.size();
  return count;
}

Result<void> PointSets::take(std::size_t max_points, std::vector<promql::SelectedSeries>& out) {
  if (points() > max_points) return too_many_points(max_points);
  for (std::size_t i = 0; i < collectors_.size(); ++i) {
    auto points = collectors_[i].take();
    if (!points.empty()) out.push_back({labels_[i], std::move(points), coarse_until_ms_, coarse_ms_});
  }
  return {};
}

Error too_many_points(std::size_t max_points) {
  return fail(Errc::limit, "the query loads more than {} samples: select fewer series or a shorter time",
              max_points);
}

}  // namespace vigil::aggregator
