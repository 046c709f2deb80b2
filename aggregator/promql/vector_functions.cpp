// Functions of whole vectors: presence, conversion between scalars and vectors, time; and of scalars.
#include "aggregator/promql/implementations.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace vigil::promql {
namespace {

const Expr& argument(const Expr& expr, std::size_t i) {
  return *std::get<Call>(expr.node).args[i];
}

/// What labels an absent series would have had: those the selector fixes by one equality.
Labels absent_labels(const Expr& argument) {
  const Expr& inner = strip_parens(argument);
  const auto* selector = std::get_if<VectorSelector>(&inner.node);
  if (const auto* matrix = std::get_if<MatrixSelector>(&inner.node)) selector = &matrix->selector;
  Labels labels;
  if (!selector) return labels;
  std::vector<std::string_view> seen;
  for (const Matcher& matcher : selector->matchers) {
    if (matcher.name() == kMetricName) continue;
    const bool first = std::ranges::find(seen, matcher.name()) == seen.end();
    if (matcher.op() == MatchOp::equal && first) {
      labels.set(matcher.name(), matcher.value());
      seen.push_back(matcher.name());
    } else {
      labels.erase(matcher.name());
    }
  }
  return labels;
}

Block absent_where(const std::vector<bool>& present, const Expr& argument, const Grid& grid) {
  Block block = make_block(grid);
  const std::span<double> row = block.add_row(std::make_shared<const Labels>(absent_labels(argument)));
  for (std::size_t step = 0; step < grid.steps; ++step) {
    if (!present[step]) row[step] = 1;
  }
  block.drop_last_if_empty();
  return block;
}

/// The same number at each step.
Block constant(const Grid& grid, std::int64_t ms) {
  return make_scalar(grid, static_cast<double>(ms) / 1000.0);
}

/// One number per step from the two arguments'; NaN when either is.
Result<Block> combined(Evaluator& evaluator, const Expr& expr, const Grid& grid,
                       double (*combine)(double, double)) {
  auto left = evaluator.eval(argument(expr, 0), grid);
  if (!left) return left;
  const auto right = evaluator.eval(argument(expr, 1), grid);
  if (!right) return right.error();
  for (std::size_t step = 0; step < grid.steps; ++step) {
    double& value = left->values[step];
    const double other = right->values[step];
    value = std::isnan(value) || std::isnan(other) ? std::nan("") : combine(value, other);
  }
  return left;
}

}  // namespace

Result<Block> call_absent(Evaluator& evaluator, const Expr& expr, const Grid& grid) {
  const auto block = evaluator.eval(argument(expr, 0), grid);
  if (!block) return block.error();
  std::vector<bool> present(grid.steps, false);
  for (std::size_t i = 0; i < block->values.size(); ++i) {
    if (has_value(block->values[i])) present[i % grid.steps] = true;
  }
  return absent_where(present, argument(expr, 0), grid);
}

Result<Block> call_absent_over_time(Evaluator& evaluator, const Expr& expr, const Grid& grid) {
  auto ranges = evaluator.eval_ranges(argument(expr, 0), grid);
  if (!ranges) return ranges.error();
  std::vector<bool> present(grid.steps, false);
  for (const SelectedSeries& one : ranges->series) {
    place_windows(one.points, ranges->windows);
    for (std::size_t step = 0; step < grid.steps; ++step) {
      if (ranges->windows[step].first < ranges->windows[step].last) present[step] = true;
    }
  }
  return absent_where(present, argument(expr, 0), grid);
}

Result<Block> call_pi(Evaluator& /*evaluator*/, const Expr& /*expr*/, const Grid& grid) {
  return make_scalar(grid, std::numbers::pi);
}

Result<Block> call_scalar(Evaluator& evaluator, const Expr& expr, const Grid& grid) {
  const auto block = evaluator.eval(argument(expr, 0), grid);
  if (!block) return block.error();
  Block out = make_scalar(grid, std::nan(""));
  for (std::size_t step = 0; step < grid.steps; ++step) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < block->rows() && count < 2; ++i) {
      if (!has_value(block->row(i)[step])) continue;
      out.values[step] = block->row(i)[step];
      ++count;
    }
    if (count != 1) out.values[step] = std::nan("");
  }
  return out;
}

Result<Block> call_start(Evaluator& evaluator, const Expr& /*expr*/, const Grid& grid) {
  return constant(grid, evaluator.query().start_ms);
}
Result<Block> call_end(Evaluator& evaluator, const Expr& /*expr*/, const Grid& grid) {
  return constant(grid, evaluator.query().end_ms);
}
Result<Block> call_range(Evaluator& evaluator, const Expr& /*expr*/, const Grid& grid) {
  return constant(grid, evaluator.query().end_ms - evaluator.query().start_ms);
}
Result<Block> call_step(Evaluator& evaluator, const Expr& /*expr*/, const Grid& grid) {
  return constant(grid, evaluator.query().step_ms);
}

Result<Block> call_max_of(Evaluator& evaluator, const Expr& expr, const Grid& grid) {
  return combined(evaluator, expr, grid, [](double a, double b) { return std::max(a, b); });
}
Result<Block> call_min_of(Evaluator& evaluator, const Expr& expr, const Grid& grid) {
  return combined(evaluator, expr, grid, [](double a, double b) { return std::min(a, b); });
}

Result<Block> call_time(Evaluator& /*evaluator*/, const Expr& /*expr*/, const Grid& grid) {
  Block block = make_scalar(grid, 0);
  for (std::size_t step = 0; step < grid.steps; ++step)
    block.values[step] = static_cast<double>(grid.at(step)) / 1000.0;
  return block;
}

Result<Block> call_timestamp(Evaluator& evaluator, const Expr& expr, const Grid& grid) {
  // A selector's samples have the time they were taken; computed ones have the time of the step.
  const auto* selector = std::get_if<VectorSelector>(&strip_parens(argument(expr, 0)).node);
  auto block = selector ? evaluator.eval_selector(*selector, grid, Evaluator::Take::timestamp_seconds)
                        : evaluator.eval(argument(expr, 0), grid);
  if (!block) return block;
  if (!selector) {
    for (std::size_t i = 0; i < block->values.size(); ++i) {
      if (has_value(block->values[i]))
        block->values[i] = static_cast<double>(grid.at(i % grid.steps)) / 1000.0;
    }
  }
  block->drop_names();
  return block;
}

Result<Block> call_vector(Evaluator& evaluator, const Expr& expr, const Grid& grid) {
  return evaluator.eval(argument(expr, 0), grid);
}

}  // namespace vigil::promql
