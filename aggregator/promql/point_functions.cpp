// Functions of a range that look at single points: which came first, when the largest was, how they scatter
// and where they tend.
#include "aggregator/promql/implementations.h"
#include "aggregator/promql/statistics.h"

#include <cmath>

namespace vigil::promql {
namespace {

double seconds(const Point& point) {
  return static_cast<double>(point.t_ms) / 1000.0;
}

/// Calls `compute(points)` for each window that is not empty.
template <class Compute>
void each_window(const RangeSeries& series, std::span<double> out, Compute compute) {
  for (std::size_t step = 0; step < out.size(); ++step) {
    const Window& window = series.windows[step];
    const std::uint32_t size = window.last - window.first;
    if (size == 0) continue;
    if (!series.pulse->working(size)) return;
    out[step] = compute(series.points.subspan(window.first, size));
  }
}

/// The time of the best value, the latest one among equals.
template <class NotWorse>
void time_of_best(const RangeSeries& series, std::span<double> out) {
  each_window(series, out, [](std::span<const Point> points) {
    const Point* best = &points[0];
    for (const Point& point : points) {
      if (NotWorse{}(point.v, best->v) || std::isnan(best->v)) best = &point;
    }
    return seconds(*best);
  });
}

struct Factors {
  double smoothing = 0;
  double trend = 0;
};

/// Holt's linear method: a level that follows the values and a trend that follows the level.
double smooth(std::span<const Point> points, const Factors& factors) {
  double previous = 0;
  double level = points[0].v;
  double trend = points[1].v - points[0].v;
  for (std::size_t i = 1; i < points.size(); ++i) {
    if (i > 1) trend = factors.trend * (level - previous) + (1 - factors.trend) * trend;
    const double next = factors.smoothing * points[i].v + (1 - factors.smoothing) * (level + trend);
    previous = level;
    level = next;
  }
  return level;
}

Result<void> check_factor(std::string_view name, std::string_view symbol, double value) {
  if (value > 0 && value < 1) return {};
  return fail(Errc::invalid_argument, "invalid {} factor. Expected: 0 < {} < 1, got: {}", name, symbol,
              format_value(value));
}

/// One pair of factors per step, all valid.
Result<std::vector<Factors>> eval_factors(Evaluator& evaluator, const Call& call, const Grid& grid) {
  auto smoothing = evaluator.eval(*call.args[1], grid);
  if (!smoothing) return smoothing.error();
  auto trend = evaluator.eval(*call.args[2], grid);
  if (!trend) return trend.error();
  std::vector<Factors> out(grid.steps);
  for (std::size_t step = 0; step < grid.steps; ++step) {
    out[step] = {smoothing->values[step], trend->values[step]};
    if (auto ok = check_factor("smoothing", "sf", out[step].smoothing); !ok) return ok.error();
    if (auto ok = check_factor("trend", "tf", out[step].trend); !ok) return ok.error();
  }
  return out;
}

}  // namespace

void range_first(const RangeSeries& series, std::span<double> out) {
  each_window(series, out, [](std::span<const Point> points) { return points.front().v; });
}
void range_time_of_first(const RangeSeries& series, std::span<double> out) {
  each_window(series, out, [](std::span<const Point> points) { return seconds(points.front()); });
}
void range_time_of_last(const RangeSeries& series, std::span<double> out) {
  each_window(series, out, [](std::span<const Point> points) { return seconds(points.back()); });
}
void range_time_of_max(const RangeSeries& series, std::span<double> out) {
  time_of_best<std::greater_equal<>>(series, out);
}
void range_time_of_min(const RangeSeries& series, std::span<double> out) {
  time_of_best<std::less_equal<>>(series, out);
}

void range_median_deviation(const RangeSeries& series, std::span<double> out) {
  std::vector<double> values;
  each_window(series, out, [&values](std::span<const Point> points) {
    values.clear();
    for (const Point& point : points) {
      if (std::isnan(point.v)) return point.v;
      values.push_back(point.v);
    }
    const double median = quantile(0.5, values);
    for (double& value : values) value = std::fabs(value - median);
    return quantile(0.5, values);
  });
}

Result<Block> call_double_exponential_smoothing(Evaluator& evaluator, const Expr& expr, const Grid& grid) {
  const auto& call = std::get<Call>(expr.node);
  const auto factors = eval_factors(evaluator, call, grid);
  if (!factors) return factors.error();
  auto ranges = evaluator.eval_ranges(*call.args[0], grid);
  if (!ranges) return ranges.error();
  auto block = evaluator.new_block(grid, ranges->series.size());
  if (!block) return block;
  block->one_name = ranges->one_name;
  for (SelectedSeries& one : ranges->series) {
    place_windows(one.points, ranges->windows);
    const std::span<double> row = block->add_row(std::move(one.labels), Names::dropped);
    for (std::size_t step = 0; step < grid.steps; ++step) {
      const Window& window = ranges->windows[step];
      const std::uint32_t size = window.last - window.first;
      if (size < 2) continue;
      row[step] = smooth(std::span(one.points).subspan(window.first, size), (*factors)[step]);
      if (!evaluator.pulse().working(size)) return evaluator.pulse().check().error();
    }
    block->drop_last_if_empty();
  }
  return block;
}

}  // namespace vigil::promql
