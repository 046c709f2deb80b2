#include "aggregator/trial/test_storage.h"

#include <algorithm>

namespace vigil::trial {
namespace {

bool matches(const promql::Selection& selection, const Labels& labels) {
  return std::all_of(selection.matchers.begin(), selection.matchers.end(),
                     [&labels](const promql::Matcher& matcher) { return matcher.matches(labels); });
}

}  // namespace

void TestStorage::add(const Labels& labels, promql::Point point) {
  const auto [place, is_new] = places_.try_emplace(labels, series_.size());
  if (is_new) series_.push_back({std::make_shared<const Labels>(labels), {}});
  std::vector<promql::Point>& points = series_[place->second].points;
  const auto at = std::lower_bound(points.begin(), points.end(), point.t_ms,
                                   [](const promql::Point& p, std::int64_t t_ms) { return p.t_ms < t_ms; });
  if (at != points.end() && at->t_ms == point.t_ms) {
    at->v = point.v;
  } else {
    points.insert(at, point);
  }
}

void TestStorage::add(std::span<const rules::RecordedSample> samples) {
  for (const rules::RecordedSample& sample : samples) add(*sample.labels, {sample.t_ms, sample.value});
}

Result<std::vector<promql::SelectedSeries>> TestStorage::select(const promql::Selection& selection) {
  std::vector<promql::SelectedSeries> out;
  const std::int64_t end_ms = std::min(selection.end_ms, now_ms_);
  for (const Series& series : series_) {
    if (!matches(selection, *series.labels)) continue;
    const auto earlier = [](const promql::Point& p, std::int64_t t_ms) { return p.t_ms < t_ms; };
    const auto first =
        std::lower_bound(series.points.begin(), series.points.end(), selection.start_ms, earlier);
    const auto last = std::lower_bound(first, series.points.end(), end_ms + 1, earlier);
    if (first != last) out.push_back({series.labels, {first, last}});
  }
  return out;
}

}  // namespace vigil::trial
