// The ..._over_time family: what aggregations do across series, done across the points of one.
#include "aggregator/promql/implementations.h"
#include "aggregator/promql/statistics.h"
#include "aggregator/promql/windows.h"

#include <cmath>

namespace vigil::promql {
namespace {

std::span<const Point> points_of(const RangeSeries& series, const Window& window) {
  return series.points.subspan(window.first, window.last - window.first);
}

/// Calls `compute(window, step)`, which costs the same for any window, for each one that is not empty.
template <class Compute>
void each_window(const RangeSeries& series, std::span<double> out, Compute compute) {
  for (std::size_t step = 0; step < out.size(); ++step) {
    const Window& window = series.windows[step];
    if (window.first < window.last) out[step] = compute(window, step);
  }
}

/// The same, for what looks at all points of the window.
template <class Compute>
void each_points(const RangeSeries& series, std::span<double> out, Compute compute) {
  for (std::size_t step = 0; step < out.size(); ++step) {
    const Window& window = series.windows[step];
    if (window.first == window.last) continue;
    if (!series.pulse->working(window.last - window.first)) return;
    out[step] = compute(points_of(series, window), step);
  }
}

template <class Accumulator>
double accumulated(std::span<const Point> points) {
  Accumulator accumulator;
  for (const Point& point : points) accumulator.add(point.v);
  return accumulator.value();
}

template <class Sum>
auto sliding(const RangeSeries& series) {
  const auto at = [points = series.points](std::uint32_t i) { return points[i].v; };
  return SlidingWindow<Sum, decltype(at)>(at);
}

/// `Accumulator` in the order of time, or what `value` makes of a sliding `Sum`; where that depends on the
/// order, in the order of time again.
template <class Accumulator, class Sum, class Value>
void summed(const RangeSeries& series, std::span<double> out, Value value) {
  const auto in_order = [](std::span<const Point> points, std::size_t) {
    return accumulated<Accumulator>(points);
  };
  if (!overlap(series.windows)) return each_points(series, out, in_order);
  auto window_sum = sliding<Sum>(series);
  each_window(series, out, [&](const Window& window, std::size_t) {
    const Sum sum = window_sum.over(window.first, window.last);
    if (!sum.depends_on_order()) return value(sum, window.last - window.first);
    series.pulse->working(window.last - window.first);
    return accumulated<Accumulator>(points_of(series, window));
  });
}

template <class Better>
void extreme(const RangeSeries& series, std::span<double> out) {
  using Best = SlidingExtreme<Better>;
  if (!overlap(series.windows)) {
    return each_points(series, out, [](std::span<const Point> points, std::size_t) {
      Best best;
      for (const Point& point : points) best.add(point.v);
      return best.best;
    });
  }
  auto best = sliding<Best>(series);
  each_window(series, out,
              [&](const Window& window, std::size_t) { return best.over(window.first, window.last).best; });
}

}  // namespace

void range_avg(const RangeSeries& series, std::span<double> out) {
  summed<Mean, SlidingSum>(series, out, [](const SlidingSum& sum, std::uint32_t count) {
    return std::isfinite(sum.sum.sum) ? sum.sum.sum / count + sum.sum.carry / count : sum.sum.value();
  });
}
void range_sum(const RangeSeries& series, std::span<double> out) {
  summed<CompensatedSum, SlidingSum>(series, out,
                                     [](const SlidingSum& sum, std::uint32_t) { return sum.sum.value(); });
}
void range_stdvar(const RangeSeries& series, std::span<double> out) {
  summed<Variance, SlidingVariance>(
      series, out, [](const SlidingVariance& sum, std::uint32_t) { return sum.squares / sum.count; });
}
void range_min(const RangeSeries& series, std::span<double> out) {
  extreme<std::less<>>(series, out);
}
void range_max(const RangeSeries& series, std::span<double> out) {
  extreme<std::greater<>>(series, out);
}

void range_stddev(const RangeSeries& series, std::span<double> out) {
  range_stdvar(series, out);
  for (double& value : out) {
    if (has_value(value)) value = std::sqrt(value);
  }
}

void range_count(const RangeSeries& series, std::span<double> out) {
  each_window(series, out, [](const Window& window, std::size_t) {
    return static_cast<double>(window.last - window.first);
  });
}

void range_last(const RangeSeries& series, std::span<double> out) {
  each_window(series, out,
              [&](const Window& window, std::size_t) { return series.points[window.last - 1].v; });
}

void range_present(const RangeSeries& series, std::span<double> out) {
  each_window(series, out, [](const Window&, std::size_t) { return 1.0; });
}

void range_quantile(const RangeSeries& series, std::span<double> out) {
  std::vector<double> values;
  each_points(series, out, [&](std::span<const Point> points, std::size_t step) {
    values.clear();
    for (const Point& point : points) values.push_back(point.v);
    return quantile(series.scalar[step], values);
  });
}

}  // namespace vigil::promql
