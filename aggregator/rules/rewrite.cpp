#include "aggregator/rules/rewrite.h"

#include "aggregator/promql/functions.h"
#include "aggregator/promql/parser.h"

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
};

Comparison find_comparison(const Expr& expr) {
  const Expr& inner = promql::strip_parens(expr);
  const auto* binary = std::get_if<promql::Binary>(&inner.node);
  if (binary == nullptr) return {};
  if (promql::is_comparison(binary->op)) {
    if (as_number(*binary->rhs)) return {binary->lhs.get(), binary->rhs.get()};
    if (as_number(*binary->lhs)) return {binary->rhs.get(), binary->lhs.get()};
  }
  if (const Comparison found = find_comparison(*binary->lhs); found.threshold != nullptr) return found;
  return find_comparison(*binary->rhs);
}

/// The operand that is the threshold, or null.
const Expr* find_threshold(const Expr& expr) {
  return find_comparison(expr).threshold;
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

Result<ExprPtr> presence_of(const Expr& expr) {
  if (is_undecidable(expr)) return ExprPtr();
  auto copy = promql::parse(promql::to_string(expr));
  if (!copy) return copy.error();
  drop_conditions(**copy);
  return copy;
}

}  // namespace vigil::rules
