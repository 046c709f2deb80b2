// Selectors, range selectors and subqueries: where series enter an evaluation.
#include "aggregator/promql/eval.h"

#include <algorithm>

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

}  // namespace

void place_windows(std::span<const Point> points, std::vector<Window>& windows) {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  const auto size = static_cast<std::uint32_t>(points.size());
  for (Window& window : windows) {
    while (first < size && points[first].t_ms <= window.start_ms) ++first;
    last = std::max(first, last);
    while (last < size && points[last].t_ms <= window.end_ms) ++last;
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
  for (const SelectedSeries& one : *series) samples += one.points.size();
  if (auto ok = pulse_.hold(samples); !ok) return ok.error();
  held = Held(pulse_, samples);
  return series;
}

Result<Block> Evaluator::eval_selector(const VectorSelector& selector, const Grid& grid, Take take) {
  const std::int64_t lookback = options_.lookback.count();
  const std::int64_t first = reference(selector.shift, grid, 0);
  const std::int64_t last = reference(selector.shift, grid, grid.steps - 1);
  const std::int64_t stride = first == last ? 0 : grid.step_ms;
  const Need need = first == last ? Need::last_point : Need::every_point;
  Held held;
  auto series = select({selector.matchers, first - lookback + 1, last, need}, held);
  if (!series) return series.error();
  auto block = new_block(grid, series->size());
  if (!block) return block;
  block->one_name = names_one_metric(selector);
  for (SelectedSeries& one : *series) {
    const std::vector<Point>& points = one.points;
    if (!pulse_.working(points.size() + grid.steps)) return pulse_.check().error();
    const std::span<double> row = block->add_row(std::move(one.labels));
    std::size_t next = 0;  // the first point that is too new
    std::int64_t at = first;
    for (std::size_t step = 0; step < grid.steps; ++step, at += stride) {
      while (next < points.size() && points[next].t_ms <= at) ++next;
      if (next == 0 || is_stale(points[next - 1].v)) continue;
      const Point& point = points[next - 1];
      const std::int64_t reach =
          point.t_ms < one.coarse_until_ms ? std::max(lookback, one.coarse_ms) : lookback;
      if (point.t_ms <= at - reach) continue;
      row[step] = take == Take::value ? point.v : static_cast<double>(point.t_ms) / 1000.0;
    }
    block->drop_last_if_empty();
  }
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
  for (SelectedSeries& one : *series)
    std::erase_if(one.points, [](const Point& point) { return is_stale(point.v); });
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
