// A promql::Storage of a few series written down in a test.
#pragma once

#include "aggregator/promql/storage.h"

#include <map>
#include <string>

namespace vigil::test {

/// Series are set sample by sample; select() gives what a selection matches. Counts how often it was asked.
class TableStorage : public promql::Storage {
 public:
  void add(const Labels& labels, std::int64_t t_ms, double value) {
    series_[labels].push_back({t_ms, value});
  }
  void end(const Labels& labels, std::int64_t t_ms) { add(labels, t_ms, stale_marker()); }
  void drop(const Labels& labels) { series_.erase(labels); }

  Result<std::vector<promql::SelectedSeries>> select(const promql::Selection& selection) override {
    ++selects;
    if (broken) return fail(Errc::unavailable, "the table is broken");
    std::vector<promql::SelectedSeries> out;
    for (const auto& [labels, points] : series_) {
      bool matches = true;
      for (const promql::Matcher& matcher : selection.matchers) matches = matches && matcher.matches(labels);
      promql::SelectedSeries found{std::make_shared<const Labels>(labels), {}};
      for (const promql::Point& point : points) {
        if (point.t_ms >= selection.start_ms && point.t_ms <= selection.end_ms) found.points.push_back(point);
      }
      if (matches && !found.points.empty()) out.push_back(std::move(found));
    }
    return out;
  }

  int selects = 0;
  bool broken = false;

 private:
  std::map<Labels, std::vector<promql::Point>> series_;
};

}  // namespace vigil::test
