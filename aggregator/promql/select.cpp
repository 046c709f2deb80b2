// Selectors, range selectors and subqueries: where series enter an evaluation.
#include "aggregator/promql/eval.h"
#include "aggregator/promql/implementations.h"
#include "aggregator/promql/row_sink.h"

#include <algorithm>
#include <array>
#include <optional>

namespace vigil::promql {
namespace {

bool names_one_metric(const VectorSelector& selector) {
  return std::ranges::any_of(selector.matchers, [](const Matcher& matcher) {
    return matcher.name() == kMetricName && matcher.op() == MatchOp::equal;
  });
}

/// Rounds up to the next multiple of `step` that is greater than `t`.
std::int64_t next_multiple(std::int64_t t, std::int64_t step) {
  std::int64_t quotient = t / step;
  if (t % step < 0) --quotient;
  return (quotient + 1) * step;
}

std::vector<Point> points_of(std::span<const double> row, const Grid& grid) {
  std::vector<Point> points;
  points.reserve(row.size());
  for (std::size_t step = 0; step < row.size(); ++step) {
    if (has_value(row[step])) points.push_back({grid.at(step), row[step]});
  }
  return points;
}

/// The first point from `at` on that is later than `t_ms`: looks in strides that double, so that the cost
/// hardly depends on how far that is.
std::uint32_t skip_until(std::span<const Point> points, std::uint32_t at, std::int64_t t_ms) {
  const auto size = static_cast<std::uint32_t>(points.size());
  std::uint32_t stride = 1;
  std::uint32_t low = at;
  while (at < size && points[at].t_ms <= t_ms) {
    low = at + 1;
    at = size - at > stride ? at + stride : size;
    stride *= 2;
  }
  const auto later = [](std::int64_t t, const Point& point) { return t < point.t_ms; };
  const auto found = std::upper_bound(points.begin() + low, points.begin() + at, t_ms, later);
  return static_cast<std::uint32_t>(found - points.begin());
}

// Values of a coarser tier answer exactly enough where there are so many of them in each step and window.
constexpr std::int64_t kPointsPerStep = 5;

/// What may stand for a stretch of samples in a function's ranges; nothing where each sample counts.
std::optional<Stand> stand_for_range(RangeFn apply) {
  if (apply == range_min) return Stand::least;
  if (apply == range_max) return Stand::greatest;
  constexpr std::array kByLast = {range_rate,    range_increase, range_delta,         range_last,
                                  range_present, range_deriv,    range_predict_linear};
  return std::ranges::find(kByLast, apply) == kByLast.end() ? std::nullopt : std::optional(Stand::last);
}

/// What a step may take before any series is read, in samples: its window and a number.
constexpr std::size_t kSamplesOfAStep = (sizeof(Window) + sizeof(double)) / sizeof(Point) + 1;

void drop_markers(SelectedSeries& series) {
  if (series.has_markers) std::erase_if(series.points, [](const Point& point) { return is_stale(point.v); });
}

}  // namespace

void place_windows(std::span<const Point> points, std::vector<Window>& windows) {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  for (Window& window : windows) {
    first = skip_until(points, first, window.start_ms);
    last = skip_until(points, std::max(first, last), window.end_ms);
    window.first = first;
    window.last = last;
  }
}

std::int64_t Evaluator::reference(const TimeShift& shift, const Grid& grid, std::size_t step) const {
  switch (shift.at) {
    case AtKind::none:
      return grid.at(step) - shift.offset_ms;
    case AtKind::time:
      return shift.at_ms - shift.offset_ms;
    case AtKind::start:
      return query_.start_ms - shift.offset_ms;
    case AtKind::end:
      break;
  }
  return query_.end_ms - shift.offset_ms;
}

std::vector<Window> Evaluator::make_windows(const TimeShift& shift, std::int64_t range_ms,
                                            const Grid& grid) const {
  std::vector<Window> windows(grid.steps);
  for (std::size_t step = 0; step < grid.steps; ++step) {
    const std::int64_t end = reference(shift, grid, step);
    windows[step] = {0, 0, end - range_ms, end, grid.at(step)};
  }
  return windows;
}

Result<std::vector<SelectedSeries>> Evaluator::select(const Selection& selection, Held& held) {
  auto series = storage_.select(selection);
  if (!series) return series;
  std::size_t samples = 0;
  Coarse coarse;
  for (const SelectedSeries& one : *series) {
    samples += one.points.size();
    coarse.see(one);
  }
  note(coarse);
  if (auto ok = pulse_.hold(samples); !ok) return ok.error();
  held = Held(pulse_, samples);
  return series;
}

void Evaluator::note(const Coarse& coarse) {
  coarse_.join(coarse);
}

Result<Block> Evaluator::eval_selector(const VectorSelector& selector, const Grid& grid, Take take) {
  const std::int64_t lookback = options_.lookback.count();
  const std::int64_t first = reference(selector.shift, grid, 0);
  const std::int64_t last = reference(selector.shift, grid, grid.steps - 1);
  const std::int64_t stride = first == last ? 0 : grid.step_ms;
  const Need need = first == last ? Need::last_point : Need::every_point;
  const std::int64_t coarse_ms = first == last ? 0 : grid.step_ms / kPointsPerStep;
  const auto fill = [=](const SelectedSeries& series, std::span<double> row) {
    const std::span<const Point> points = series.points;
    std::uint32_t next = 0;  // the first point that is too new
    std::int64_t at = first;
    for (std::size_t step = 0; step < row.size(); ++step, at += stride) {
      next = skip_until(points, next, at);
      if (next == 0 || is_stale(points[next - 1].v)) continue;
      const Point& point = points[next - 1];
      const std::int64_t reach =
          point.t_ms < series.coarse_until_ms ? std::max(lookback, series.coarse_ms) : lookback;
      if (point.t_ms <= at - reach) continue;
      row[step] = take == Take::value ? point.v : static_cast<double>(point.t_ms) / 1000.0;
    }
  };
  RowSink rows(pulse_, grid, fill);
  if (auto read = storage_.visit({selector.matchers, first - lookback + 1, last, need, coarse_ms}, rows);
      !read)
    return read.error();
  note(rows.coarse());
  Block block = rows.finish();
  block.one_name = names_one_metric(selector);
  return block;
}

Result<Block> Evaluator::apply_to_selected(const MatrixSelector& matrix, const Grid& grid, RangeFn apply,
                                           std::span<const double> scalar) {
  const auto fill = [&pulse = pulse_, apply, scalar,
                     windows = make_windows(matrix.selector.shift, matrix.range_ms, grid)](
                        SelectedSeries& series, std::span<double> row) mutable {
    drop_markers(series);
    place_windows(series.points, windows);
    apply({series.points, windows, scalar, &pulse}, row);
  };
  const std::int64_t first = reference(matrix.selector.shift, grid, 0) - matrix.range_ms;
  const std::int64_t last = reference(matrix.selector.shift, grid, grid.steps - 1);
  Selection selection{matrix.selector.matchers, first + 1, last, Need::every_point};
  if (const auto stand = stand_for_range(apply)) {
    selection.coarse_ms =
        std::min(grid.steps > 1 ? grid.step_ms : matrix.range_ms, matrix.range_ms) / kPointsPerStep;
    selection.stand = *stand;
  }
  RowSink rows(pulse_, grid, fill);
  if (auto read = storage_.visit(selection, rows); !read) return read.error();
  note(rows.coarse());
  Block block = rows.finish();
  block.one_name = names_one_metric(matrix.selector);
  return block;
}

Result<RangeVector> Evaluator::eval_ranges(const Expr& expr, const Grid& grid) {
  const Expr& inner = strip_parens(expr);
  if (const auto* subquery = std::get_if<Subquery>(&inner.node)) return eval_subquery(*subquery, grid);
  return eval_matrix(std::get<MatrixSelector>(inner.node), grid);
}

Result<RangeVector> Evaluator::eval_matrix(const MatrixSelector& matrix, const Grid& grid) {
  RangeVector out;
  out.windows = make_windows(matrix.selector.shift, matrix.range_ms, grid);
  auto series = select({matrix.selector.matchers, out.windows.front().start_ms + 1, out.windows.back().end_ms,
                        Need::every_point},
                       out.held);
  if (!series) return series.error();
  for (SelectedSeries& one : *series) drop_markers(one);
  out.series = std::move(*series);
  out.one_name = names_one_metric(matrix.selector);
  return out;
}

Result<RangeVector> Evaluator::eval_subquery(const Subquery& subquery, const Grid& grid) {
  RangeVector out;
  out.windows = make_windows(subquery.shift, subquery.range_ms, grid);
  Grid inner;
  inner.step_ms = subquery.step_ms > 0 ? subquery.step_ms
                                       : std::max<std::int64_t>(1, options_.default_subquery_step.count());
  inner.start_ms = next_multiple(out.windows.front().start_ms, inner.step_ms);
  const std::int64_t end = out.windows.back().end_ms;
  if (inner.start_ms > end) return out;
  inner.steps = static_cast<std::size_t>((end - inner.start_ms) / inner.step_ms) + 1;
  // What it evaluates may place a window for each step before it reads the first sample.
  if (auto ok = pulse_.hold(inner.steps * kSamplesOfAStep); !ok) return ok.error();
  const Held steps(pulse_, inner.steps * kSamplesOfAStep);
  auto block = eval(*subquery.expr, inner);
  if (!block) return block.error();
  const std::size_t cells = block->rows() * inner.steps;
  if (auto ok = pulse_.hold(cells); !ok) return ok.error();
  out.held = Held(pulse_, cells);
  out.names = block->names;
  out.one_name = block->one_name;
  for (std::size_t i = 0; i < block->rows(); ++i) {
    out.series.push_back({block->labels[i], points_of(block->row(i), inner)});
  }
  return out;
}

}  // namespace vigil::promql
