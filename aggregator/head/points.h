// From raw columns to the points of a series: scaling, staleness, and the order of what was stored in pieces.
// Pure.
#pragma once

#include "aggregator/blocks/block.h"
#include "aggregator/head/series_registry.h"
#include "aggregator/promql/storage.h"
#include "common/error.h"

#include <cstdint>
#include <limits>
#include <span>
#include <unordered_map>
#include <vector>

namespace vigil::aggregator {

/// Collects the points of one label set within [start_ms, end_ms]. Pieces may come in any order and lie
/// within each other, as back-fill does; in order of time is cheapest. An absent cell after a value gives one
/// staleness marker at its time: the series ended there, and the engine must not look further back
/// (Prometheus's staleness). Absent cells after that give nothing. Of sparse encodings absent cells never
/// give anything.
class PointCollector {
 public:
  PointCollector(std::int64_t start_ms, std::int64_t end_ms) : start_ms_(start_ms), end_ms_(end_ms) {}

  struct Column {
    std::span<const std::int64_t> times_ms;
    const std::int64_t* cells = nullptr;  // as many as times
  };
  void add(const Column& column, const SeriesForm& form);

  /// Ascending, no time twice. Where two pieces have a sample of the same time (a batch stored again after a
  /// crash), the first stays.
  std::vector<promql::Point> take();
  std::size_t size() const { return points_.size(); }

 private:
  struct Rows {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  void add_sparse(const Column& column, const Rows& rows, const SeriesForm& form);
  void see_before(const Column& column, std::size_t count);

  const std::int64_t start_ms_;
  const std::int64_t end_ms_;
  std::int64_t before_ms_ = std::numeric_limits<std::int64_t>::min();  // of the latest cell before the span
  bool value_before_ = false;                                          // it held a value
  bool ascending_ = true;
  bool doubtful_ = false;  // a marker stands where a piece began: whether it ends anything, take() sees
  bool sparse_ = false;    // markers came as such and stay
  std::vector<promql::Point> points_;
};

/// A series somebody wants points of.
struct WantedSeries {
  SeriesId id = 0;
  LabelsPtr labels;
  SeriesForm form;
};

/// A collector per label set. One label set may have two ids (a source changed its scale): their points
/// become one series.
class PointSets {
 public:
  PointSets(std::span<const WantedSeries> wanted, std::int64_t start_ms, std::int64_t end_ms);
  bool wants(SeriesId id) const { return targets_.contains(id); }
  void add(SeriesId id, const PointCollector::Column& column);
  std::size_t points() const;
  /// Says of every series that points before `until_ms` may be `apart_ms` apart.
  void coarse(std::int64_t until_ms, std::int64_t apart_ms);
  /// Series without points are left out. Errc::limit when there are more than `max_points`.
  Result<void> take(std::size_t max_points, std::vector<promql::SelectedSeries>& out);

 private:
  struct Target {
    std::size_t collector = 0;
    SeriesForm form;
  };
  std::unordered_map<SeriesId, Target> targets_;
  std::int64_t coarse_until_ms_ = std::numeric_limits<std::int64_t>::min();
  std::int64_t coarse_ms_ = 0;
  std::vector<PointCollector> collectors_;
  std::vector<LabelsPtr> labels_;
};

/// The error of a query that would load more than `max_points`.
Error too_many_points(std::size_t max_points);

}  // namespace vigil::aggregator
