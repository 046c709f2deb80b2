// Aggregation operators.
#include "aggregator/promql/eval.h"
#include "aggregator/promql/label_filter.h"
#include "aggregator/promql/statistics.h"

#include <cmath>
#include <numeric>
#include <unordered_map>

namespace vigil::promql {
namespace {

/// Which rows fall into which group, and what the groups' label sets are.
struct Groups {
  std::vector<std::size_t> of_row;
  std::vector<LabelsPtr> labels;
};

Groups make_groups(Block& block, const Aggregate& aggregate) {
  const bool by = aggregate.grouping == Grouping::by;
  const LabelFilter filter = by ? LabelFilter::on(aggregate.labels) : LabelFilter::ignoring(aggregate.labels);
  if (filter.keeps(kMetricName)) materialize_names(block);
  Groups groups;
  groups.of_row.resize(block.rows(), 0);
  if (by && aggregate.labels.empty()) {
    if (block.rows() > 0) groups.labels.push_back(no_labels());
    return groups;
  }
  KeyIndex index;
  for (std::size_t i = 0; i < block.rows(); ++i) {
    const std::size_t group = index.insert(*block.labels[i], filter);
    groups.of_row[i] = group;
    if (group == groups.labels.size())
      groups.labels.push_back(std::make_shared<const Labels>(filter.apply(*block.labels[i])));
  }
  return groups;
}

// Accumulators: one per group and step. `empty()` says that no value came.
struct Sum {
  CompensatedSum sum;
  bool any = false;
  void add(double value) {
    sum.add(value);
    any = true;
  }
  double value() const { return sum.value(); }
  bool empty() const { return !any; }
};

template <class Better>
struct Extreme {
  double best = kNoValue;
  void add(double value) {
    if (!has_value(best) || Better{}(value, best) || std::isnan(best)) best = value;
  }
  double value() const { return best; }
  bool empty() const { return !has_value(best); }
};

struct Count {
  double count = 0;
  void add(double) { count += 1; }
  double value() const { return count; }
  bool empty() const { return count == 0; }
};

struct Group : Count {
  double value() const { return 1; }
};

struct Deviation : Variance {
  double value() const { return std::sqrt(Variance::value()); }
};

template <class Accumulator>
Result<Block> accumulate(Evaluator& evaluator, const Block& block, const Groups& groups, const Grid& grid) {
  auto out = evaluator.new_block(grid, groups.labels.size());
  if (!out) return out;
  std::vector<Accumulator> cells(groups.labels.size() * grid.steps);
  for (std::size_t i = 0; i < block.rows(); ++i) {
    const std::span<const double> row = block.row(i);
    Accumulator* cell = cells.data() + groups.of_row[i] * grid.steps;
    for (std::size_t step = 0; step < grid.steps; ++step) {
      if (has_value(row[step])) cell[step].add(row[step]);
    }
    if (!evaluator.pulse().working(grid.steps)) return evaluator.pulse().check().error();
  }
  for (std::size_t group = 0; group < groups.labels.size(); ++group) {
    const std::span<double> row = out->add_row(groups.labels[group]);
    for (std::size_t step = 0; step < grid.steps; ++step) {
      const Accumulator& cell = cells[group * grid.steps + step];
      if (!cell.empty()) row[step] = cell.value();
    }
  }
  return out;
}

std::vector<std::vector<std::size_t>> members(const Groups& groups) {
  std::vector<std::vector<std::size_t>> rows(groups.labels.size());
  for (std::size_t i = 0; i < groups.of_row.size(); ++i) rows[groups.of_row[i]].push_back(i);
  return rows;
}

Result<Block> quantiles(Evaluator& evaluator, const Block& block, const Groups& groups, const Block& param) {
  const Grid grid{0, 1, block.steps};
  auto out = evaluator.new_block(grid, groups.labels.size());
  if (!out) return out;
  const auto rows = members(groups);
  std::vector<double> values;
  for (std::size_t group = 0; group < rows.size(); ++group) {
    const std::span<double> row = out->add_row(groups.labels[group]);
    for (std::size_t step = 0; step < block.steps; ++step) {
      values.clear();
      for (const std::size_t i : rows[group]) {
        if (const double value = block.row(i)[step]; has_value(value)) values.push_back(value);
      }
      if (!values.empty()) row[step] = quantile(param.values[step], values);
      if (!evaluator.pulse().working(rows[group].size())) return evaluator.pulse().check().error();
    }
  }
  return out;
}

// --- topk and bottomk
// ----------------------------------------------------------------------------------------------------

enum class Order : std::uint8_t { largest, smallest };

/// Sorts the first `k` of `rows` to the front; NaN behind every number, equal values by row.
void select_best(std::vector<std::size_t>& rows, std::size_t k, const Block& block, std::size_t step,
                 Order order) {
  const auto before = [&](std::size_t a, std::size_t b) {
    const double x = block.row(a)[step];
    const double y = block.row(b)[step];
    if (std::isnan(x) != std::isnan(y)) return std::isnan(y);
    if (x != y && !std::isnan(x)) return order == Order::largest ? x > y : x < y;
    return a < b;
  };
  std::partial_sort(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(k), rows.end(), before);
}

/// Per step and group the rows chosen, best first, handed to `take(row, step)`.
template <class Take>
bool choose(Evaluator& evaluator, const Block& block, const Groups& groups, const Block& param, Order order,
            Take take) {
  const auto rows = members(groups);
  std::vector<std::size_t> present;
  for (std::size_t step = 0; step < block.steps; ++step) {
    const double wanted = param.values[step];
    if (wanted < 1) continue;
    for (const std::vector<std::size_t>& group : rows) {
      present.clear();
      std::ranges::copy_if(group, std::back_inserter(present),
                           [&](std::size_t i) { return has_value(block.row(i)[step]); });
      const std::size_t k =
          wanted < static_cast<double>(present.size()) ? static_cast<std::size_t>(wanted) : present.size();
      select_best(present, k, block, step, order);
      for (std::size_t i = 0; i < k; ++i) take(present[i], step);
      if (!evaluator.pulse().working(group.size())) return false;
    }
  }
  return true;
}

Result<Block> top(Evaluator& evaluator, const Block& block, const Groups& groups, const Block& param,
                  Order order) {
  const auto nan = [](double k) { return std::isnan(k); };
  if (std::ranges::any_of(param.values, nan))
    return fail(Errc::invalid_argument, "the parameter of topk or bottomk is NaN");
  auto out = evaluator.new_block({0, 1, block.steps}, block.rows());
  if (!out) return out;
  out->names = block.names;
  out->one_name = block.one_name;
  if (block.steps == 1) {  // in the order of the values, which an instant query shows
    const bool done = choose(evaluator, block, groups, param, order, [&](std::size_t i, std::size_t) {
      out->add_row(block.labels[i])[0] = block.values[i];
    });
    if (!done) return evaluator.pulse().check().error();
    return out;
  }
  for (const LabelsPtr& labels : block.labels) out->add_row(labels);
  const bool done = choose(evaluator, block, groups, param, order,
                           [&](std::size_t i, std::size_t step) { out->row(i)[step] = block.row(i)[step]; });
  if (!done) return evaluator.pulse().check().error();
  out->drop_empty_rows();
  return out;
}

Result<Block> count_values(Evaluator& evaluator, const Block& block, const Groups& groups,
                           const std::string& label) {
  Block out = make_block({0, 1, block.steps});
  std::unordered_map<Labels, std::size_t, LabelsHash> index;
  for (std::size_t i = 0; i < block.rows(); ++i) {
    for (std::size_t step = 0; step < block.steps; ++step) {
      const double value = block.row(i)[step];
      if (!has_value(value)) continue;
      Labels labels = *groups.labels[groups.of_row[i]];
      labels.set(label, format_value(value));
      const auto [at, added] = index.emplace(std::move(labels), out.rows());
      if (added) {
        if (auto ok = evaluator.pulse().hold(block.steps); !ok) return ok.error();
        out.add_row(std::make_shared<const Labels>(at->first));
      }
      double& count = out.row(at->second)[step];
      count = has_value(count) ? count + 1 : 1;
    }
  }
  out.held = Held(evaluator.pulse(), out.rows() * out.steps);
  return out;
}

}  // namespace

Result<Block> eval_aggregate(Evaluator& evaluator, const Expr& expr, const Grid& grid) {
  const auto& aggregate = std::get<Aggregate>(expr.node);
  Block param = make_block(grid);
  if (aggregate.param && aggregate.op != AggregateOp::count_values) {
    auto evaluated = evaluator.eval(*aggregate.param, grid);
    if (!evaluated) return evaluated;
    param = std::move(*evaluated);
  }
  auto block = evaluator.eval(*aggregate.expr, grid);
  if (!block) return block;
  const Groups groups = make_groups(*block, aggregate);
  switch (aggregate.op) {
    case AggregateOp::sum:
      return accumulate<Sum>(evaluator, *block, groups, grid);
    case AggregateOp::avg:
      return accumulate<Mean>(evaluator, *block, groups, grid);
    case AggregateOp::min:
      return accumulate<Extreme<std::less<>>>(evaluator, *block, groups, grid);
    case AggregateOp::max:
      return accumulate<Extreme<std::greater<>>>(evaluator, *block, groups, grid);
    case AggregateOp::count:
      return accumulate<Count>(evaluator, *block, groups, grid);
    case AggregateOp::group:
      return accumulate<Group>(evaluator, *block, groups, grid);
    case AggregateOp::stddev:
      return accumulate<Deviation>(evaluator, *block, groups, grid);
    case AggregateOp::stdvar:
      return accumulate<Variance>(evaluator, *block, groups, grid);
    case AggregateOp::topk:
      return top(evaluator, *block, groups, param, Order::largest);
    case AggregateOp::bottomk:
      return top(evaluator, *block, groups, param, Order::smallest);
    case AggregateOp::count_values:
      return count_values(evaluator, *block, groups, string_argument(*aggregate.param));
    case AggregateOp::quantile:
      break;
  }
  for (const double q : param.values) {
    if (!(q >= 0 && q <= 1)) {
      evaluator.warn(*aggregate.param,
                     fmt::format("a quantile should be between 0 and 1, not {}", format_value(q)));
      break;
    }
  }
  return quantiles(evaluator, *block, groups, param);
}

}  // namespace vigil::promql
