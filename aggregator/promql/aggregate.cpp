// Aggregation operators.
#include "aggregator/promql/groups.h"
#include "aggregator/promql/label_filter.h"
#include "aggregator/promql/notes.h"
#include "aggregator/promql/statistics.h"

#include <cmath>
#include <numeric>
#include <unordered_map>

namespace vigil::promql {

Groups make_groups(const Block& block, const Aggregate& aggregate) {
  const bool by = aggregate.grouping == Grouping::by;
  const LabelFilter filter = by ? LabelFilter::on(aggregate.labels) : LabelFilter::ignoring(aggregate.labels);
  Groups groups;
  groups.one_name = block.one_name || !filter.keeps(kMetricName);
  groups.of_row.resize(block.rows(), 0);
  if (by && aggregate.labels.empty()) {
    if (block.rows() > 0) groups.labels.push_back(no_labels());
    groups.names.resize(groups.labels.size(), Names::kept);
    return groups;
  }
  KeyIndex index;
  for (std::size_t i = 0; i < block.rows(); ++i) {
    const std::size_t group = index.insert(*block.labels[i], filter);
    groups.of_row[i] = group;
    if (group == groups.labels.size()) {
      groups.labels.push_back(std::make_shared<const Labels>(filter.apply(*block.labels[i])));
      groups.names.push_back(Names::kept);
    }
    if (block.names[i] == Names::dropped) groups.names[group] = Names::dropped;
  }
  return groups;
}

std::vector<std::vector<std::size_t>> members(const Groups& groups) {
  std::vector<std::vector<std::size_t>> rows(groups.labels.size());
  for (std::size_t i = 0; i < groups.of_row.size(); ++i) rows[groups.of_row[i]].push_back(i);
  return rows;
}

namespace {

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
  out->one_name = groups.one_name;
  for (std::size_t group = 0; group < groups.labels.size(); ++group) {
    const std::span<double> row = out->add_row(groups.labels[group], groups.names[group]);
    for (std::size_t step = 0; step < grid.steps; ++step) {
      const Accumulator& cell = cells[group * grid.steps + step];
      if (!cell.empty()) row[step] = cell.value();
    }
  }
  return out;
}

Result<Block> quantiles(Evaluator& evaluator, const Block& block, const Groups& groups, const Block& param) {
  const Grid grid{0, 1, block.steps};
  auto out = evaluator.new_block(grid, groups.labels.size());
  if (!out) return out;
  const auto rows = members(groups);
  out->one_name = groups.one_name;
  std::vector<double> values;
  for (std::size_t group = 0; group < rows.size(); ++group) {
    const std::span<double> row = out->add_row(groups.labels[group], groups.names[group]);
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

Result<Block> count_values(Evaluator& evaluator, const Block& block, const Groups& groups,
                           const Aggregate& aggregate) {
  const std::string& label = string_argument(*aggregate.param);
  // Prometheus sets the label first and groups then, so that `without` takes it away again.
  const bool visible = aggregate.grouping == Grouping::by ||
                       std::ranges::find(aggregate.labels, label) == aggregate.labels.end();
  Block out = make_block({0, 1, block.steps});
  std::unordered_map<Labels, std::size_t, LabelsHash> index;
  for (std::size_t i = 0; i < block.rows(); ++i) {
    for (std::size_t step = 0; step < block.steps; ++step) {
      const double value = block.row(i)[step];
      if (!has_value(value)) continue;
      Labels labels = *groups.labels[groups.of_row[i]];
      if (visible) labels.set(label, format_value(value));
      const auto [at, added] = index.emplace(std::move(labels), out.rows());
      if (added) {
        if (auto ok = evaluator.pulse().hold(block.steps); !ok) return ok.error();
        out.add_row(std::make_shared<const Labels>(at->first), groups.names[groups.of_row[i]]);
      }
      double& count = out.row(at->second)[step];
      count = has_value(count) ? count + 1 : 1;
      // A label set is copied and a number written for each value: a hundred times the work of a sum.
      if (!evaluator.pulse().working(100)) return evaluator.pulse().check().error();
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
    case AggregateOp::bottomk:
    case AggregateOp::limitk:
      return choose_k(evaluator, aggregate.op, {*block, groups, param});
    case AggregateOp::limit_ratio:
      return choose_ratio(evaluator, *aggregate.param, {*block, groups, param});
    case AggregateOp::count_values:
      return count_values(evaluator, *block, groups, aggregate);
    case AggregateOp::quantile:
      break;
  }
  for (const double q : param.values) {
    if (!(q >= 0 && q <= 1)) {
      evaluator.warn(*aggregate.param, notes::invalid_quantile(q));
      break;
    }
  }
  return quantiles(evaluator, *block, groups, param);
}

}  // namespace vigil::promql
