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
#include <vector>

namespace vigil::aggregator {

/// Collects the points of one label set within [start_ms, end_ms]. Pieces may come in any order and lie
/// within each other, as back-fill does; in order of time is cheapest. An absent cell after a value gives one
/// staleness marker at its time: the series ended there, and the engine must not look further back
/// (Prometheus's staleness). Absent cells after that give nothing. Of sparse encodings absent cells never
/// give anything.
class PointCollector {
 public:
  PointCollector() = default;
  PointCollector(std::int64_t start_ms, std::int64_t end_ms) { begin(start_ms, end_ms); }

  /// Forgets what was collected, but for the memory.
  void begin(std::int64_t start_ms, std::int64_t end_ms);

  struct Column {
    std::span<const std::int64_t> times_ms;
    const std::int64_t* cells = nullptr;  // as many as times
  };
  void add(const Column& column, const SeriesForm& form);

  /// Ascending, no time twice. Where two pieces have a sample of the same time (a batch stored again after a
  /// crash), the first stays.
  std::vector<promql::Point> take();
  /// The same, and lends them: what is given back with the next begin() is used again.
  std::vector<promql::Point>& finish();
  std::size_t size() const { return points_.size(); }
  /// Whether one of the points may be a staleness marker.
  bool has_markers() const { return has_markers_; }

 private:
  struct Rows {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  void add_sparse(const Column& column, const Rows& rows, const SeriesForm& form);
  void see_before(const Column& column, std::size_t count);
  void append(std::span<const std::int64_t> times_ms, const std::int64_t* cells, const SeriesForm& form);
  void append_with_absent(std::span<const std::int64_t> times_ms, const std::int64_t* cells,
                          const SeriesForm& form, bool had_value);

  std::int64_t start_ms_ = 0;
  std::int64_t end_ms_ = 0;
  std::int64_t before_ms_ = std::numeric_limits<std::int64_t>::min();  // of the latest cell before the span
  bool value_before_ = false;                                          // it held a value
  bool ascending_ = true;
  bool doubtful_ = false;  // a marker stands where a piece began: whether it ends anything, take() sees
  bool has_markers_ = false;
  bool sparse_ = false;  // markers came as such and stay
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
  PointSets() = default;
  PointSets(std::span<const WantedSeries> wanted, std::int64_t start_ms, std::int64_t end_ms) {
    begin(wanted, start_ms, end_ms);
  }
  /// Begins anew with other series; memory is used again.
  void begin(std::span<const WantedSeries> wanted, std::int64_t start_ms, std::int64_t end_ms);
  bool wants(SeriesId id) const { return find(id) != nullptr; }
  void add(SeriesId id, const PointCollector::Column& column);
  /// Indices of the columns that are wanted, ascending.
  void find_wanted(std::span<const SeriesId> columns, std::vector<std::uint32_t>& out) const;
  std::size_t points() const;
  /// Says of every series that points before `until_ms` may be `apart_ms` apart.
  void coarse(std::int64_t until_ms, std::int64_t apart_ms);
  /// Series without points are left out. Errc::limit when there are more than `max_points`.
  Result<void> take(std::size_t max_points, std::vector<promql::SelectedSeries>& out);
  /// The same, one after the other to a sink.
  Result<void> hand_over(std::size_t part, promql::SeriesSink& sink);

 private:
  struct Target {
    SeriesId id = 0;
    std::uint32_t collector = 0;
    SeriesForm form;
  };
  const Target* find(SeriesId id) const;

  std::vector<Target> targets_;  // by id
  std::int64_t coarse_until_ms_ = std::numeric_limits<std::int64_t>::min();
  std::int64_t coarse_ms_ = 0;
  std::vector<LabelsPtr> labels_;           // by collector
  std::vector<PointCollector> collectors_;  // at least as many; those beyond wait to be used again
  promql::SelectedSeries series_;           // what the sink sees
};

/// The error of a query that would load more than `max_points`.
Error too_many_points(std::size_t max_points);

}  // namespace vigil::aggregator
