// The groups of an aggregation. Internal to the engine: aggregate.cpp makes one value of each group,
// choose.cpp picks rows from them.
#pragma once

#include "aggregator/promql/eval.h"

#include <vector>

namespace vigil::promql {

/// Which rows fall into which group, and what the groups' label sets are. Names that are to be dropped still
/// tell groups apart.
struct Groups {
  std::vector<std::size_t> of_row;
  std::vector<LabelsPtr> labels;
  std::vector<Names> names;  // dropped as soon as one row's is
  bool one_name = false;     // of the groups' labels
};

Groups make_groups(const Block& block, const Aggregate& aggregate);

/// The rows of each group, in their order.
std::vector<std::vector<std::size_t>> members(const Groups& groups);

/// What an aggregation that passes rows on works with. `param` has one value per step.
struct Choice {
  const Block& block;
  const Groups& groups;
  const Block& param;
};

/// topk, bottomk and limitk.
Result<Block> choose_k(Evaluator& evaluator, AggregateOp op, const Choice& choice);
/// limit_ratio; `at` is the parameter.
Result<Block> choose_ratio(Evaluator& evaluator, const Expr& at, const Choice& choice);

}  // namespace vigil::promql
