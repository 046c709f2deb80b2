// Functions of a range that know what a counter is, or fit a line.
#include "aggregator/promql/implementations.h"
#include "aggregator/promql/statistics.h"
#include "aggregator/promql/windows.h"

#include <cmath>

namespace vigil::promql {
namespace {

enum class Kind : std::uint8_t { rate, increase, delta };

double seconds(std::int64_t ms) {
  return static_cast<double>(ms) / 1000.0;
}

/// The change between first and last point, stretched to the bounds of the window as Prometheus does: to a
/// bound that is within 1.1 average sample distances, else by half a distance; never to before a counter's
/// zero.
double extrapolate(const RangeSeries& series, const Window& window, double change, Kind kind) {
  const Point& first = series.points[window.first];
  const Point& last = series.points[window.last - 1];
  const double sampled = seconds(last.t_ms - first.t_ms);
  const double distance = sampled / (window.last - window.first - 1);
  double to_start = seconds(first.t_ms - window.start_ms);
  double to_end = seconds(window.end_ms - last.t_ms);
  if (to_start >= distance * 1.1) to_start = distance / 2;
  if (kind != Kind::delta && change > 0 && first.v >= 0)
    to_start = std::min(to_start, sampled * (first.v / change));
  if (to_end >= distance * 1.1) to_end = distance / 2;
  double factor = (sampled + to_start + to_end) / sampled;
  if (kind == Kind::rate) factor /= seconds(window.end_ms - window.start_ms);
  return change * factor;
}

/// The indices of points lower than the one before: found once per series, however many windows see them.
std::vector<std::uint32_t> find_resets(std::span<const Point> points) {
  std::vector<std::uint32_t> resets;
  for (std::uint32_t i = 1; i < points.size(); ++i) {
    if (points[i].v < points[i - 1].v) resets.push_back(i);
  }
  return resets;
}

/// What the resets of a counter hide, window by window: the value before each of them.
class Resets {
 public:
  explicit Resets(std::span<const Point> points)
      : points_(points), resets_(find_resets(points)), sums_(Value{points_, resets_}) {}

  /// `change` and what is hidden in the window. Few resets are added one after the other, as Prometheus does;
  /// with many of them (a gauge, by mistake) the cost must not depend on how many, so their sum slides.
  double add_to(double change, const Window& window) {
    constexpr std::uint32_t kFew = 8;
    const auto size = static_cast<std::uint32_t>(resets_.size());
    while (first_ < size && resets_[first_] <= window.first) ++first_;
    last_ = std::max(first_, last_);
    while (last_ < size && resets_[last_] < window.last) ++last_;
    if (last_ - first_ > kFew) {
      const SlidingSum sum = sums_.over(first_, last_);
      if (!sum.depends_on_order()) return change + sum.sum.value();
    }
    for (std::uint32_t i = first_; i < last_; ++i) change += Value{points_, resets_}(i);
    return change;
  }

 private:
  struct Value {
    std::span<const Point> points;
    std::span<const std::uint32_t> resets;
    double operator()(std::uint32_t i) const { return points[resets[i] - 1].v; }
  };
  std::span<const Point> points_;
  const std::vector<std::uint32_t> resets_;
  SlidingWindow<SlidingSum, Value> sums_;
  std::uint32_t first_ = 0;
  std::uint32_t last_ = 0;
};

void extrapolated(const RangeSeries& series, std::span<double> out, Kind kind) {
  Resets resets(kind == Kind::delta ? std::span<const Point>() : series.points);
  for (std::size_t step = 0; step < out.size(); ++step) {
    const Window& window = series.windows[step];
    if (window.last - window.first < 2) continue;
    const double change = series.points[window.last - 1].v - series.points[window.first].v;
    out[step] = extrapolate(series, window, resets.add_to(change, window), kind);
  }
}

enum class Last : std::uint8_t { rate, delta };

void last_two(const RangeSeries& series, std::span<double> out, Last kind) {
  for (std::size_t step = 0; step < out.size(); ++step) {
    const Window& window = series.windows[step];
    if (window.last - window.first < 2) continue;
    const Point& last = series.points[window.last - 1];
    const Point& previous = series.points[window.last - 2];
    if (kind == Last::delta) {
      out[step] = last.v - previous.v;
    } else {
      const double change =
          last.v < previous.v ? last.v : last.v - previous.v;  // after a reset it counted from 0
      out[step] = change / seconds(last.t_ms - previous.t_ms);
    }
  }
}

struct Line {
  double slope = 0;
  double intercept = 0;  // at the reference time
};

/// Simple linear regression over at least two points.
Line fit_line(std::span<const Point> points, std::int64_t reference_ms) {
  CompensatedSum x_sum, y_sum, xy_sum, xx_sum;
  bool constant = true;
  for (const Point& point : points) {
    constant = constant && point.v == points[0].v;
    const double x = seconds(point.t_ms - reference_ms);
    x_sum.add(x);
    y_sum.add(point.v);
    xy_sum.add(x * point.v);
    xx_sum.add(x * x);
  }
  if (constant) {
    if (std::isinf(points[0].v)) return {std::nan(""), std::nan("")};
    return {0, points[0].v};
  }
  const auto n = static_cast<double>(points.size());
  const double x = x_sum.sum + x_sum.carry;
  const double y = y_sum.sum + y_sum.carry;
  const double covariance = (xy_sum.sum + xy_sum.carry) - x * y / n;
  const double variance = (xx_sum.sum + xx_sum.carry) - x * x / n;
  const double slope = covariance / variance;
  return {slope, y / n - slope * x / n};
}

/// Calls `compute(points, window, step)` for each window of at least `minimum` points.
template <class Compute>
void each_window(const RangeSeries& series, std::span<double> out, std::uint32_t minimum, Compute compute) {
  for (std::size_t step = 0; step < out.size(); ++step) {
    const Window& window = series.windows[step];
    const std::uint32_t size = window.last - window.first;
    if (size < minimum) continue;
    if (!series.pulse->working(size)) return;
    out[step] = compute(series.points.subspan(window.first, size), window, step);
  }
}

/// How often `counts(before, now)` holds from point to point of each window. Whole numbers: what is before a
/// window can be subtracted.
template <class Counts>
void count_steps(const RangeSeries& series, std::span<double> out, Counts counts) {
  std::vector<std::uint32_t> until(series.points.size(), 0);
  for (std::size_t i = 1; i < until.size(); ++i)
    until[i] = until[i - 1] + (counts(series.points[i - 1].v, series.points[i].v) ? 1 : 0);
  for (std::size_t step = 0; step < out.size(); ++step) {
    const Window& window = series.windows[step];
    if (window.first < window.last) out[step] = until[window.last - 1] - until[window.first];
  }
}

}  // namespace

void range_rate(const RangeSeries& series, std::span<double> out) {
  extrapolated(series, out, Kind::rate);
}
void range_increase(const RangeSeries& series, std::span<double> out) {
  extrapolated(series, out, Kind::increase);
}
void range_delta(const RangeSeries& series, std::span<double> out) {
  extrapolated(series, out, Kind::delta);
}
void range_irate(const RangeSeries& series, std::span<double> out) {
  last_two(series, out, Last::rate);
}
void range_idelta(const RangeSeries& series, std::span<double> out) {
  last_two(series, out, Last::delta);
}

void range_deriv(const RangeSeries& series, std::span<double> out) {
  each_window(series, out, 2, [](std::span<const Point> points, const Window&, std::size_t) {
    return fit_line(points, points[0].t_ms).slope;
  });
}

void range_predict_linear(const RangeSeries& series, std::span<double> out) {
  each_window(series, out, 2,
              [&series](std::span<const Point> points, const Window& window, std::size_t step) {
                const Line line = fit_line(points, window.eval_ms);
                return line.slope * series.scalar[step] + line.intercept;
              });
}

void range_changes(const RangeSeries& series, std::span<double> out) {
  count_steps(series, out, [](double before, double now) {
    return now != before && !(std::isnan(now) && std::isnan(before));
  });
}

void range_resets(const RangeSeries& series, std::span<double> out) {
  count_steps(series, out, [](double before, double now) { return now < before; });
}

}  // namespace vigil::promql
