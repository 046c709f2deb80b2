#include "aggregator/promql/repeated.h"

#include "aggregator/promql/functions.h"

#include <algorithm>
#include <vector>

namespace vigil::promql {
namespace {

bool is_function_of_selector(const Expr& expr) {
  const auto* call = std::get_if<Call>(&expr.node);
  if (!call || !std::holds_alternative<RangeFn>(call->function->implementation)) return false;
  return std::ranges::any_of(call->args, [](const ExprPtr& arg) {
    return std::holds_alternative<MatrixSelector>(strip_parens(*arg).node);
  });
}

/// Selectors, and functions of the ranges of selectors.
void collect_reading(const Expr& expr, std::vector<const Expr*>& out) {
  if (std::holds_alternative<VectorSelector>(expr.node) || is_function_of_selector(expr)) {
    out.push_back(&expr);
    return;
  }
  for_each_child(expr, [&out](const Expr& child) { collect_reading(child, out); });
}

}  // namespace

Repeated::Repeated(const Expr& query) {
  std::vector<const Expr*> reading;
  collect_reading(query, reading);
  if (reading.size() < 2) return;
  std::unordered_map<std::string, std::size_t> times;
  for (const Expr* expr : reading) ++times[to_string(*expr)];
  if (times.size() == reading.size()) return;
  for (const Expr* expr : reading) {
    std::string text = to_string(*expr);
    const std::size_t count = times.at(text);
    if (count > 1) terms_.emplace(expr, Term{std::move(text), count});
  }
}

}  // namespace vigil::promql
