#include "aggregator/promql/evaluator.h"

#include "aggregator/promql/eval.h"
#include "aggregator/promql/notes.h"
#include "common/text/human.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

namespace vigil::promql {
namespace {

// Ranges, offsets and steps are added to evaluation times; these stay far from the ends of int64.
constexpr std::int64_t kMaxTimeMs = 9'000'000'000'000'000;

bool depends_on_time(const Call& call) {
  const std::string_view name = call.function->name;
  const bool date_of_now = std::holds_alternative<DateFn>(call.function->implementation) && call.args.empty();
  // info() reads series that are not in its arguments. predict_linear() counts from the step's time even when
  // @ fixes its range; timestamp() gives it for computed values.
  return date_of_now || name == "time" || name == "timestamp" || name == "predict_linear" || name == "info";
}

Block broadcast(const Block& one, Block wide) {
  wide.one_name = one.one_name;
  for (std::size_t i = 0; i < one.rows(); ++i)
    std::ranges::fill(wide.add_row(one.labels[i], one.names[i]), one.values[i]);
  return wide;
}

bool ends_like_a_counter(std::string_view name) {
  return name.ends_with("_total") || name.ends_with("_sum") || name.ends_with("_count") ||
         name.ends_with("_bucket");
}

Vector to_vector(Block& block, std::int64_t t_ms) {
  Vector out;
  out.reserve(block.rows());
  for (std::size_t i = 0; i < block.rows(); ++i) {
    if (has_value(block.values[i])) out.push_back({block.labels[i], t_ms, block.values[i]});
  }
  return out;
}

Matrix to_matrix(Block& block, const Grid& grid) {
  Matrix out;
  for (std::size_t i = 0; i < block.rows(); ++i) {
    Series series{block.labels[i], {}};
    const std::span<const double> row = block.row(i);
    for (std::size_t step = 0; step < grid.steps; ++step) {
      if (has_value(row[step])) series.points.push_back({grid.at(step), row[step]});
    }
    if (!series.points.empty()) out.push_back(std::move(series));
  }
  std::sort(out.begin(), out.end(), [](const Series& a, const Series& b) { return *a.labels < *b.labels; });
  return out;
}

Result<Matrix> instant_matrix(Evaluator& evaluator, const Expr& expr, const Grid& grid) {
  auto ranges = evaluator.eval_ranges(expr, grid);
  if (!ranges) return ranges.error();
  Matrix out;
  std::unordered_set<Labels, LabelsHash> seen;
  for (std::size_t i = 0; i < ranges->series.size(); ++i) {
    SelectedSeries& one = ranges->series[i];
    place_windows(one.points, ranges->windows);
    const Window& window = ranges->windows.front();
    if (window.first == window.last) continue;
    Series series{std::move(one.labels),
                  {one.points.begin() + window.first, one.points.begin() + window.last}};
    if (ranges->name_of(i) == Names::dropped) {
      series.labels = without_name(series.labels);
      if (!ranges->one_name && !seen.insert(*series.labels).second) return same_labels(*series.labels);
    }
    out.push_back(std::move(series));
  }
  return out;
}

}  // namespace

const std::string& string_argument(const Expr& expr) {
  return std::get<StringLiteral>(strip_parens(expr).node).value;
}

bool is_step_invariant(const Expr& expr) {
  if (const auto* selector = std::get_if<VectorSelector>(&expr.node))
    return selector->shift.at != AtKind::none;
  if (const auto* matrix = std::get_if<MatrixSelector>(&expr.node))
    return matrix->selector.shift.at != AtKind::none;
  if (const auto* subquery = std::get_if<Subquery>(&expr.node)) return subquery->shift.at != AtKind::none;
  if (const auto* call = std::get_if<Call>(&expr.node); call && depends_on_time(*call)) return false;
  bool invariant = true;
  for_each_child(expr,
                 [&invariant](const Expr& child) { invariant = invariant && is_step_invariant(child); });
  return invariant;
}

void Evaluator::warn(const Expr& at, std::string text) {
  warnings_.insert(fmt::format("PromQL warning: {} ({}:{})", text, at.line, at.column));
}
void Evaluator::inform(const Expr& at, std::string text) {
  infos_.insert(fmt::format("PromQL info: {} ({}:{})", text, at.line, at.column));
}

Annotations Evaluator::take_annotations() {
  if (coarse_.apart_ms > 0) {
    constexpr std::int64_t kHour = 3'600'000;
    infos_.insert(
        fmt::format("PromQL info: before {} the result is computed from one value a{} of each series",
                    format_rfc3339(coarse_.until_ms), coarse_.apart_ms >= kHour ? "n hour" : " minute"));
  }
  return {{warnings_.begin(), warnings_.end()}, {infos_.begin(), infos_.end()}};
}

Result<Block> Evaluator::new_block(const Grid& grid, std::size_t rows) {
  // Divided, so that a hostile grid cannot overflow the product.
  if (rows > 0 && grid.steps > options_.max_samples / rows) {
    return fail(
        Errc::limit,
        "the query needs more than {} samples in memory (query.max_samples); narrow its selectors or its "
        "time range",
        options_.max_samples);
  }
  if (auto ok = pulse_.hold(rows * grid.steps); !ok) return ok.error();
  Block block = make_block(grid);
  block.held = Held(pulse_, rows * grid.steps);
  block.labels.reserve(rows);
  block.values.reserve(rows * grid.steps);
  return block;
}

Result<Block> Evaluator::copy(const Block& block) {
  if (auto ok = pulse_.hold(block.values.size()); !ok) return ok.error();
  Block made;
  made.steps = block.steps;
  made.names = block.names;
  made.one_name = block.one_name;
  made.labels = block.labels;
  made.values = block.values;
  made.held = Held(pulse_, block.values.size());
  return made;
}

/// What stands in the query several times is read and computed once, and kept until its last use.
Result<Block> Evaluator::eval_once(const Expr& expr, const Grid& grid) {
  const Repeated::Term* term = repeated_.find(expr);
  if (term == nullptr) return eval_node(expr, grid);
  const std::string key = fmt::format("{} {} {} {}", grid.start_ms, grid.step_ms, grid.steps, term->text);
  auto kept = kept_.find(key);
  if (kept == kept_.end()) {
    const std::size_t said = warnings_.size() + infos_.size();
    auto block = eval_node(expr, grid);
    if (!block || warnings_.size() + infos_.size() > said) return block;  // each place says it of itself
    kept = kept_.emplace(key, Kept{std::move(*block), term->times}).first;
  }
  if (--kept->second.uses > 0) return copy(kept->second.block);
  Block last = std::move(kept->second.block);
  kept_.erase(kept);
  return last;
}

Result<Block> Evaluator::eval(const Expr& expr, const Grid& grid) {
  if (grid.steps == 1 || !is_step_invariant(expr)) return eval_once(expr, grid);
  auto one = eval_once(expr, {grid.start_ms, grid.step_ms, 1});
  if (!one) return one;
  auto wide = new_block(grid, one->rows());
  if (!wide) return wide;
  return broadcast(*one, std::move(*wide));
}

Result<Block> Evaluator::eval_node(const Expr& expr, const Grid& grid) {
  if (const auto* number = std::get_if<NumberLiteral>(&expr.node)) return make_scalar(grid, number->value);
  if (const auto* selector = std::get_if<VectorSelector>(&expr.node))
    return eval_selector(*selector, grid, Take::value);
  if (const auto* paren = std::get_if<Paren>(&expr.node)) return eval(*paren->expr, grid);
  if (const auto* unary = std::get_if<Unary>(&expr.node)) return eval_unary(*unary, grid);
  if (const auto* binary = std::get_if<Binary>(&expr.node)) return eval_binary(*this, *binary, grid);
  if (std::holds_alternative<Aggregate>(expr.node)) return eval_aggregate(*this, expr, grid);
  assert(std::holds_alternative<Call>(expr.node));
  return eval_call(expr, grid);
}

Result<Block> Evaluator::eval_unary(const Unary& unary, const Grid& grid) {
  auto block = eval(*unary.expr, grid);
  if (!block || unary.op == UnaryOp::plus) return block;
  for (double& value : block->values) {
    if (has_value(value)) value = -value;
  }
  block->drop_names();
  return block;
}

Result<Block> Evaluator::eval_call(const Expr& expr, const Grid& grid) {
  const Function& function = *std::get<Call>(expr.node).function;
  if (const auto* block_fn = std::get_if<BlockFn>(&function.implementation))
    return (*block_fn)(*this, expr, grid);
  if (const auto* range_fn = std::get_if<RangeFn>(&function.implementation))
    return apply_ranges(expr, grid, *range_fn);
  if (const auto* date_fn = std::get_if<DateFn>(&function.implementation))
    return apply_date(expr, grid, *date_fn);
  return apply_samples(expr, grid, std::get<SampleFn>(function.implementation));
}

Result<Block> Evaluator::apply_samples(const Expr& expr, const Grid& grid, SampleFn apply) {
  const Call& call = std::get<Call>(expr.node);
  auto block = eval(*call.args[0], grid);
  if (!block) return block;
  std::vector<double> scalars((call.args.size() - 1) *
                              grid.steps);  // per step, so that one step's are together
  const std::size_t width = call.args.size() - 1;
  for (std::size_t i = 0; i < width; ++i) {
    auto scalar = eval(*call.args[i + 1], grid);
    if (!scalar) return scalar;
    for (std::size_t step = 0; step < grid.steps; ++step) scalars[step * width + i] = scalar->values[step];
  }
  for (std::size_t i = 0; i < block->rows(); ++i) {
    const std::span<double> row = block->row(i);
    for (std::size_t step = 0; step < grid.steps; ++step) {
      if (has_value(row[step])) row[step] = apply(row[step], std::span(scalars).subspan(step * width, width));
    }
  }
  block->drop_names();
  return block;
}

Result<Block> Evaluator::apply_date(const Expr& expr, const Grid& grid, DateFn apply) {
  const Call& call = std::get<Call>(expr.node);
  Block block = make_scalar(grid, 0);
  if (call.args.empty()) {
    for (std::size_t step = 0; step < grid.steps; ++step)
      block.values[step] = static_cast<double>(grid.at(step)) / 1000.0;
  } else {
    auto argument = eval(*call.args[0], grid);
    if (!argument) return argument;
    block = std::move(*argument);
  }
  for (double& value : block.values) {
    if (has_value(value)) value = apply(value);
  }
  block.drop_names();
  return block;
}

Result<Block> Evaluator::apply_ranges(const Expr& expr, const Grid& grid, RangeFn apply) {
  const Call& call = std::get<Call>(expr.node);
  const std::size_t matrix_at = call.args[0]->type == ValueType::matrix ? 0 : 1;
  Block scalar;
  if (call.args.size() == 2) {
    auto argument = eval(*call.args[1 - matrix_at], grid);
    if (!argument) return argument;
    scalar = std::move(*argument);
  }
  const Expr& inner = strip_parens(*call.args[matrix_at]);
  const auto* matrix = std::get_if<MatrixSelector>(&inner.node);
  auto block = matrix ? apply_to_selected(*matrix, grid, apply, scalar.values)
                      : apply_to_subquery(std::get<Subquery>(inner.node), grid, apply, scalar.values);
  if (!block) return block;
  hint(expr, *block, scalar.values);
  if (call.function->name_rule == NameRule::drops) block->drop_names();
  return block;
}

Result<Block> Evaluator::apply_to_subquery(const Subquery& subquery, const Grid& grid, RangeFn apply,
                                           std::span<const double> scalar) {
  auto ranges = eval_subquery(subquery, grid);
  if (!ranges) return ranges.error();
  auto block = new_block(grid, ranges->series.size());
  if (!block) return block;
  block->one_name = ranges->one_name;
  for (std::size_t i = 0; i < ranges->series.size(); ++i) {
    SelectedSeries& one = ranges->series[i];
    place_windows(one.points, ranges->windows);
    const std::span<double> row = block->add_row(std::move(one.labels), ranges->name_of(i));
    apply({one.points, ranges->windows, scalar, &pulse_}, row);
    if (!pulse_.working(one.points.size() + grid.steps)) return pulse_.check().error();
    block->drop_last_if_empty();
  }
  return block;
}

void Evaluator::hint(const Expr& expr, const Block& result, std::span<const double> scalar) {
  const Call& call = std::get<Call>(expr.node);
  if (call.function->hint == Hint::quantile) {
    for (const double q : scalar) {
      if (!(q >= 0 && q <= 1)) return warn(*call.args[0], notes::invalid_quantile(q));
    }
  }
  if (call.function->hint != Hint::counter) return;
  std::string_view last;
  for (const LabelsPtr& labels : result.labels) {
    const std::string_view name = labels->get(kMetricName);
    if (name == last || name.empty() || ends_like_a_counter(name)) continue;
    last = name;
    inform(*call.args[0], notes::possible_non_counter(name));
  }
}

Result<Value> evaluate_instant(const Expr& expr, Storage& storage, std::int64_t t_ms,
                               const EvalOptions& options) {
  if (t_ms > kMaxTimeMs || t_ms < -kMaxTimeMs)
    return fail(Errc::invalid_argument, "evaluation time {} is out of range", t_ms);
  Evaluator evaluator(expr, storage, options, {t_ms, t_ms, 0});
  const Grid grid{t_ms, 1, 1};
  Value value;
  if (expr.type == ValueType::string) {
    value.data = String{t_ms, string_argument(expr)};
    return value;
  }
  if (expr.type == ValueType::matrix) {
    auto matrix = instant_matrix(evaluator, expr, grid);
    if (!matrix) return matrix.error();
    value.data = std::move(*matrix);
  } else {
    auto block = evaluator.eval(expr, grid);
    if (!block) return block.error();
    if (auto ok = remove_names(*block); !ok) return ok.error();
    if (expr.type == ValueType::scalar) {
      value.data = Scalar{t_ms, block->values[0]};
    } else {
      value.data = to_vector(*block, t_ms);
    }
  }
  value.annotations = evaluator.take_annotations();
  return value;
}

Result<MatrixValue> evaluate_range(const Expr& expr, Storage& storage, const TimeRange& range,
                                   const EvalOptions& options) {
  if (expr.type != ValueType::scalar && expr.type != ValueType::vector) {
    return fail(Errc::invalid_argument, "a range query needs a scalar or an instant vector, not a {}",
                to_string(expr.type));
  }
  if (range.step_ms <= 0) return fail(Errc::invalid_argument, "the step must be greater than 0");
  if (range.start_ms < -kMaxTimeMs || range.end_ms > kMaxTimeMs)
    return fail(Errc::invalid_argument, "the time range is out of range");
  if (range.end_ms < range.start_ms) return fail(Errc::invalid_argument, "the end is before the start");
  const std::int64_t steps = (range.end_ms - range.start_ms) / range.step_ms + 1;
  if (steps > options.max_steps) {
    return fail(Errc::limit,
                "the query would give {} points per series; at most {} are allowed, use a longer step", steps,
                options.max_steps);
  }
  Evaluator evaluator(expr, storage, options, range);
  const Grid grid{range.start_ms, range.step_ms, static_cast<std::size_t>(steps)};
  auto block = evaluator.eval(expr, grid);
  if (!block) return block.error();
  if (auto ok = remove_names(*block); !ok) return ok.error();
  return MatrixValue{to_matrix(*block, grid), evaluator.take_annotations()};
}

}  // namespace vigil::promql
