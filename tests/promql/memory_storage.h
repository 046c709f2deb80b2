// Series in memory behind the engine's Storage, for tests.
#pragma once

#include "aggregator/promql/storage.h"

#include <algorithm>
#include <map>

namespace vigil::promql {

class MemoryStorage : public Storage {
 public:
  void add(const Labels& labels, Point point) { series_[labels].push_back(point); }
  /// Points `step_ms` apart from time 0.
  void add(const Labels& labels, std::int64_t step_ms, const std::vector<double>& values) {
    for (std::size_t i = 0; i < values.size(); ++i)
      add(labels, {static_cast<std::int64_t>(i) * step_ms, values[i]});
  }
  /// All points of one series.
  void replace(const Labels& labels, std::vector<Point> points) { series_[labels] = std::move(points); }
  void clear() { series_.clear(); }
  int selects() const { return selects_; }

  Result<std::vector<SelectedSeries>> select(const Selection& selection) override {
    ++selects_;
    std::vector<SelectedSeries> out;
    for (const auto& [labels, points] : series_) {
      const auto misses = [&labels = labels](const Matcher& matcher) { return !matcher.matches(labels); };
      if (std::ranges::any_of(selection.matchers, misses)) continue;
      SelectedSeries one{std::make_shared<const Labels>(labels), {}};
      for (const Point& point : points) {
        if (point.t_ms >= selection.start_ms && point.t_ms <= selection.end_ms) one.points.push_back(point);
      }
      if (selection.need == Need::last_point && one.points.size() > 1)
        one.points.erase(one.points.begin(), one.points.end() - 1);
      if (!one.points.empty()) out.push_back(std::move(one));
    }
    return out;
  }

 private:
  std::map<Labels, std::vector<Point>> series_;
  int selects_ = 0;
};

}  // namespace vigil::promql
