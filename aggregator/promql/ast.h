// The typed syntax tree of a PromQL expression, as the parser makes it and the evaluator walks it.
//
// A node is one of a closed set of structs inside Expr::node, so a missing case is a compile error. Every
// tree that parse() returned is type-checked: the evaluator asserts types, it does not test them.
#pragma once

#include "aggregator/promql/storage.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vigil::promql {

struct Expr;
struct Function;  // functions.h
using ExprPtr = std::unique_ptr<Expr>;

enum class ValueType : std::uint8_t { scalar, vector, matrix, string };
/// "scalar", "instant vector", "range vector", "string".
std::string_view to_string(ValueType type);

enum class NumberForm : std::uint8_t { number, duration };

/// `1.5`, `-Inf`, or `5m`, which is 300. A sign directly before a literal is part of it.
struct NumberLiteral {
  double value = 0;
  NumberForm form = NumberForm::number;  // as written
};

struct StringLiteral {
  std::string value;
};

enum class AtKind : std::uint8_t { none, time, start, end };

/// `offset 5m` and `@ 1700000000`, which may stand behind any selector or subquery.
struct TimeShift {
  std::int64_t offset_ms = 0;  // positive looks into the past
  AtKind at = AtKind::none;
  std::int64_t at_ms = 0;  // only with AtKind::time
};

/// `name{label="value", ...}`. A name before the braces is also the last of the matchers; one in quotes
/// inside them is among the matchers only.
struct VectorSelector {
  std::string name;
  std::vector<Matcher> matchers;
  TimeShift shift;
};

/// `selector[5m]`
struct MatrixSelector {
  VectorSelector selector;
  std::int64_t range_ms = 0;
};

/// `expr[1h:1m]`
struct Subquery {
  ExprPtr expr;
  std::int64_t range_ms = 0;
  std::int64_t step_ms = 0;  // 0: the default resolution of the evaluation
  TimeShift shift;
};

struct Call {
  const Function* function = nullptr;  // a line of the static table
  std::vector<ExprPtr> args;
};

/// From topk on with a parameter.
enum class AggregateOp : std::uint8_t {
  sum,
  avg,
  min,
  max,
  count,
  group,
  stddev,
  stdvar,
  topk,
  bottomk,
  quantile,
  count_values,
  limitk,
  limit_ratio
};
inline constexpr std::size_t kAggregateOps = 14;
std::string_view to_string(AggregateOp op);

enum class Grouping : std::uint8_t { by, without };

struct Aggregate {
  AggregateOp op = AggregateOp::sum;
  ExprPtr expr;
  ExprPtr param;  // topk, bottomk, quantile, limitk, limit_ratio: a scalar; count_values: a string; else null
  Grouping grouping = Grouping::by;
  std::vector<std::string> labels;  // as written
};

enum class UnaryOp : std::uint8_t { plus, minus };

struct Unary {
  UnaryOp op = UnaryOp::plus;
  ExprPtr expr;
};

enum class BinaryOp : std::uint8_t {
  add,
  sub,
  mul,
  div,
  mod,
  pow,
  atan2,
  eq,
  ne,
  gt,
  lt,
  ge,
  le,
  set_and,
  set_or,
  set_unless
};
std::string_view to_string(BinaryOp op);
inline bool is_comparison(BinaryOp op) {
  return op >= BinaryOp::eq && op <= BinaryOp::le;
}
inline bool is_set_operator(BinaryOp op) {
  return op >= BinaryOp::set_and;
}

enum class MatchMode : std::uint8_t { ignoring, on };
enum class Cardinality : std::uint8_t { one_to_one, many_to_one, one_to_many };

/// How the samples of two vectors find each other. `ignoring` without labels is the default matching.
struct VectorMatching {
  MatchMode mode = MatchMode::ignoring;
  std::vector<std::string> labels;
  Cardinality cardinality = Cardinality::one_to_one;
  std::vector<std::string> include;  // the labels of group_left(...) or group_right(...)
};

enum class ComparisonMode : std::uint8_t { filter, boolean };

struct Binary {
  BinaryOp op = BinaryOp::add;
  ExprPtr lhs;
  ExprPtr rhs;
  ComparisonMode comparison = ComparisonMode::filter;
  VectorMatching matching;  // meaningful between two vectors only
};

struct Paren {
  ExprPtr expr;
};

struct Expr {
  std::variant<NumberLiteral, StringLiteral, VectorSelector, MatrixSelector, Subquery, Call, Aggregate, Unary,
               Binary, Paren>
      node;
  ValueType type = ValueType::scalar;
  std::uint32_t line = 1;  // where the node begins, counted from 1, columns in bytes
  std::uint32_t column = 1;
  std::uint32_t height = 1;  // of the tree below, this node included; bounded by kMaxDepth
};

/// The expression as Prometheus prints it: one space around operators, matchers sorted, durations as "1h30m",
/// strings in double quotes, no parentheses added or removed. parse(to_string(e)) gives an equal tree.
std::string to_string(const Expr& expr);

/// The parts of the text between the operands, which the prettifier places itself: `sum by (a) ` and
/// `+ bool on (x) group_left () `, the latter without the spaces around it, and `[1h:1m] @ end() offset 5m`.
std::string head_of(const Aggregate& aggregate);
std::string head_of(const Binary& binary);
std::string left_of(const Binary& binary);  // on one line
std::string suffix_of(const Subquery& subquery);

/// The expression inside any number of parentheses.
const Expr& strip_parens(const Expr& expr);

/// Calls `visit(child)` for each direct child, in the order of evaluation.
template <class Visitor>
void for_each_child(const Expr& expr, Visitor&& visit) {
  const auto each = [&visit](const ExprPtr& child) {
    if (child) visit(static_cast<const Expr&>(*child));
  };
  if (const auto* call = std::get_if<Call>(&expr.node)) {
    for (const ExprPtr& arg : call->args) each(arg);
  } else if (const auto* aggregate = std::get_if<Aggregate>(&expr.node)) {
    each(aggregate->param);
    each(aggregate->expr);
  } else if (const auto* binary = std::get_if<Binary>(&expr.node)) {
    each(binary->lhs);
    each(binary->rhs);
  } else if (const auto* unary = std::get_if<Unary>(&expr.node)) {
    each(unary->expr);
  } else if (const auto* paren = std::get_if<Paren>(&expr.node)) {
    each(paren->expr);
  } else if (const auto* subquery = std::get_if<Subquery>(&expr.node)) {
    each(subquery->expr);
  }
}

}  // namespace vigil::promql
