// The ..._over_time family: what aggregations do across series, done across the points of one.
#include "aggregator/promql/implementations.h"
#include "aggregator/promql/statistics.h"

#include <cmath>

namespace vigil::promql {
namespace {

/// Calls `compute(points, step)` for each window that is not empty.
template <class Compute>
void each_window(const RangeSeries& series, std::span<double> out, Compute compute) {
  for (std::size_t step = 0; step < out.size(); ++step) {
    const Window& window = series.windows[step];
    const std::uint32_t size = window.last - window.first;
    if (size == 0) continue;
    if (!series.pulse->working(size)) return;
    out[step] = compute(series.points.subspan(window.first, size), step);
  }
}

template <class Accumulator>
void accumulated(const RangeSeries& series, std::span<double> out) {
  each_window(series, out, [](std::span<const Point> points, std::size_t) {
    Accumulator accumulator;
    for (const Point& point : points) accumulator.add(point.v);
    return accumulator.value();
  });
}

template <class Better>
void extreme(const RangeSeries& series, std::span<double> out) {
  each_window(series, out, [](std::span<const Point> points, std::size_t) {
    double best = points[0].v;
    for (const Point& point : points) {
      if (Better{}(point.v, best) || std::isnan(best)) best = point.v;
    }
    return best;
  });
}

}  // namespace

void range_avg(const RangeSeries& series, std::span<double> out) {
  accumulated<Mean>(series, out);
}
void range_sum(const RangeSeries& series, std::span<double> out) {
  accumulated<CompensatedSum>(series, out);
}
void range_stdvar(const RangeSeries& series, std::span<double> out) {
  accumulated<Variance>(series, out);
}
void range_min(const RangeSeries& series, std::span<double> out) {
  extreme<std::less<>>(series, out);
}
void range_max(const RangeSeries& series, std::span<double> out) {
  extreme<std::greater<>>(series, out);
}

void range_stddev(const RangeSeries& series, std::span<double> out) {
  accumulated<Variance>(series, out);
  for (double& value : out) {
    if (has_value(value)) value = std::sqrt(value);
  }
}

void range_count(const RangeSeries& series, std::span<double> out) {
  each_window(series, out,
              [](std::span<const Point> points, std::size_t) { return static_cast<double>(points.size()); });
}

void range_last(const RangeSeries& series, std::span<double> out) {
  each_window(series, out, [](std::span<const Point> points, std::size_t) { return points.back().v; });
}

void range_present(const RangeSeries& series, std::span<double> out) {
  each_window(series, out, [](std::span<const Point>, std::size_t) { return 1.0; });
}

void range_quantile(const RangeSeries& series, std::span<double> out) {
  std::vector<double> values;
  each_window(series, out, [&](std::span<const Point> points, std::size_t step) {
    values.clear();
    for (const Point& point : points) values.push_back(point.v);
    return quantile(series.scalar[step], values);
  });
}

}  // namespace vigil::promql
