#include "aggregator/rules/rewrite.h"

#include "aggregator/promql/functions.h"
#include "aggregator/promql/parser.h"

#include <cmath>
#include <cstdint>

namespace vigil::rules {
namespace {

using promql::Expr;
using promql::ExprPtr;

/// A number, also with a sign or in parentheses.
std::optional<double> as_number(const Expr& expr) {
  const Expr& inner = promql::strip_parens(expr);
  if (const auto* number = std::get_if<promql::NumberLiteral>(&inner.node)) return number->value;
  if (const auto* unary = std::get_if<promql::Unary>(&inner.node)) {
    const auto value = as_number(*unary->expr);
    if (value) return unary->op == promql::UnaryOp::minus ? -*value : *value;
  }
  return std::nullopt;
}

/// A comparison with a number: what is compared, and the number. Both null: there is none.
struct Comparison {
  const Expr* operand = nullptr;
  const Expr* threshold = nullptr;
  const promql::Binary* whole = nullptr;
};

/// Where a comparison is looked for.
enum class Where : std::uint8_t {
  anywhere,
  in_conditions,  // not behind `unless`, where it says what keeps alerts from firing
};

Comparison find_comparison(const Expr& expr, Where where = Where::anywhere) {
  const Expr& inner = promql::strip_parens(expr);
  const auto* binary = std::get_if<promql::Binary>(&inner.node);
  if (binary == nullptr) return {};
  if (promql::is_comparison(binary->op)) {
    if (as_number(*binary->rhs)) return {binary->lhs.get(), binary->rhs.get(), binary};
    if (as_number(*binary->lhs)) return {binary->rhs.get(), binary->lhs.get(), binary};
  }
  if (const Comparison found = find_comparison(*binary->lhs, where); found.threshold != nullptr) return found;
  if (where == Where::in_conditions && binary->op == promql::BinaryOp::set_unless) return {};
  return find_comparison(*binary->rhs, where);
}

/// The operand that is the threshold, or null.
const Expr* find_threshold(const Expr& expr) {
  return find_comparison(expr).threshold;
}

/// The side of a comparison whose values pass it. Null: there is none.
const Expr* find_measured(const Expr& expr) {
  const Expr& inner = promql::strip_parens(expr);
  const auto* binary = std::get_if<promql::Binary>(&inner.node);
  if (binary == nullptr) return nullptr;
  const bool is_filter =
      promql::is_comparison(binary->op) && binary->comparison == promql::ComparisonMode::filter;
  if (!is_filter) return promql::is_set_operator(binary->op) ? find_measured(*binary->lhs) : nullptr;
  const Expr* side = binary->lhs->type == promql::ValueType::scalar ? binary->rhs.get() : binary->lhs.get();
  const Expr* deeper = find_measured(*side);
  return deeper != nullptr ? deeper : side;
}

promql::BinaryOp turned(promql::BinaryOp op) {
  using enum promql::BinaryOp;
  return op == gt ? lt : op == lt ? gt : op == ge ? le : op == le ? ge : op;
}

bool is_undecidable(const Expr& expr) {
  if (const auto* call = std::get_if<promql::Call>(&expr.node)) {
    const std::string_view name = call->function->name;
    if (name == "absent" || name == "absent_over_time") return true;
  }
  if (const auto* aggregate = std::get_if<promql::Aggregate>(&expr.node)) {
    using enum promql::AggregateOp;
    // Those that choose rows or make labels of values.
    if (aggregate->op >= topk && aggregate->op != quantile) return true;
  }
  bool found = false;
  promql::for_each_child(expr, [&found](const Expr& child) { found = found || is_undecidable(child); });
  return found;
}

void drop_conditions(Expr& expr) {
  if (auto* binary = std::get_if<promql::Binary>(&expr.node)) {
    if (binary->op == promql::BinaryOp::set_unless) {
      const ExprPtr kept = std::move(binary->lhs);
      expr.node = std::move(kept->node);
      drop_conditions(expr);
      return;
    }
    if (promql::is_comparison(binary->op)) binary->comparison = promql::ComparisonMode::boolean;
  }
  // Children of a tree that belongs to nobody else.
  promql::for_each_child(expr, [](const Expr& child) { drop_conditions(const_cast<Expr&>(child)); });
}

}  // namespace

std::optional<double> threshold(const Expr& expr) {
  const Expr* found = find_threshold(expr);
  return found == nullptr ? std::nullopt : as_number(*found);
}

bool Limit::holds(double value) const {
  using enum promql::BinaryOp;
  switch (op) {
    case gt:
      return value > number;
    case lt:
      return value < number;
    case ge:
      return value >= number;
    case le:
      return value <= number;
    case eq:
      return value == number;
    default:
      return value != number;
  }
}

std::optional<Limit> limit_of(const Expr& expr) {
  const Comparison found = find_comparison(expr, Where::in_conditions);
  if (found.threshold == nullptr || std::isinf(*as_number(*found.threshold))) return std::nullopt;
  const bool is_right = found.whole->rhs.get() == found.threshold;
  return Limit{is_right ? found.whole->op : turned(found.whole->op), *as_number(*found.threshold),
               promql::to_string(*found.operand)};
}

bool set_threshold(Expr& expr, double value) {
  auto* found = const_cast<Expr*>(find_threshold(expr));
  if (found == nullptr) return false;
  found->node = promql::NumberLiteral{value};
  return true;
}

std::string compared(const Expr& expr) {
  const Comparison found = find_comparison(expr);
  return promql::to_string(found.operand == nullptr ? expr : *found.operand);
}

Result<ExprPtr> measured_of(const Expr& expr) {
  const Expr* found = find_measured(expr);
  if (found == nullptr) return ExprPtr();
  return promql::parse(promql::to_string(*found));
}

Result<ExprPtr> presence_of(const Expr& expr) {
  if (is_undecidable(expr)) return ExprPtr();
  auto copy = promql::parse(promql::to_string(expr));
  if (!copy) return copy.error();
  drop_conditions(**copy);
  return copy;
}

}  // namespace vigil::rules
