// What is done to the tree of a rule's expression: changing its threshold, and deriving the
// expression that tells "the condition is false" from "there is no data".
#pragma once

#include "aggregator/promql/ast.h"
#include "common/error.h"

#include <memory>
#include <optional>
#include <string>

namespace vigil::rules {

/// The number of the first comparison with a number, looking at operands from left to right and not into
/// functions or aggregations: 80 in `a > 80 and b > 5`. Nothing when there is none.
std::optional<double> threshold(const promql::Expr& expr);

/// Replaces that number. False when there is none.
bool set_threshold(promql::Expr& expr, double value);

/// The first such comparison that is a condition of the alert (not one behind `unless`), as if its number
/// stood on the right: `> 80` in `80 < a`. Nothing when there is none, or the number is infinite.
struct Limit {
  promql::BinaryOp op = promql::BinaryOp::gt;
  double number = 0;
  std::string compared;  // PromQL: `a`
  bool holds(double value) const;
};
std::optional<Limit> limit_of(const promql::Expr& expr);

/// What the first such comparison compares with the number: `a` in `a > 80 and b > 5`; all of an expression
/// without one.
std::string compared(const promql::Expr& expr);

/// What alerts of `expr` have the value of, whether or not it is true: `a` in `a > 80 and b > 5`, and in
/// `a > b`. Null where nothing is compared, or a comparison gives 0 or 1.
Result<std::unique_ptr<promql::Expr>> measured_of(const promql::Expr& expr);

/// `expr` without its conditions: comparisons give 0 or 1 instead of filtering and `unless` gives its left
/// side, so that a label set without a sample has no data. Null when that cannot be told: absent(), topk()
/// and their kin.
Result<std::unique_ptr<promql::Expr>> presence_of(const promql::Expr& expr);

}  // namespace vigil::rules
