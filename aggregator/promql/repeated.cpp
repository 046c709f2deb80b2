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

const VectorSelector* selector_in(const Expr& expr) {
  const Expr& inner = strip_parens(expr);
  if (const auto* selector = std::get_if<VectorSelector>(&inner.node)) return selector;
  if (const auto* matrix = std::get_if<MatrixSelector>(&inner.node)) return &matrix->selector;
  const auto* call = std::get_if<Call>(&inner.node);
  if (call == nullptr) return nullptr;
  for (const ExprPtr& arg : call->args) {
    if (std::holds_alternative<MatrixSelector>(strip_parens(*arg).node)) return selector_in(*arg);
  }
  return nullptr;
}

/// False: they are not alike. Rules are evaluated all the time, and hardly one reads anything twice: that is
/// seen without printing them.
bool may_be_alike(const Expr& a, const Expr& b) {
  const VectorSelector* left = selector_in(a);
  const VectorSelector* right = selector_in(b);
  if (left == nullptr || right == nullptr) return true;
  return std::ranges::equal(left->matchers, right->matchers, [](const Matcher& one, const Matcher& other) {
    return one.op() == other.op() && one.value() == other.value() && one.name() == other.name();
  });
}

bool all_differ(const std::vector<const Expr*>& reading) {
  constexpr std::size_t kFew = 8;
  if (reading.size() > kFew) return false;
  for (std::size_t i = 1; i < reading.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (may_be_alike(*reading[i], *reading[j])) return false;
    }
  }
  return true;
}

}  // namespace

Repeated::Repeated(const Expr& query) {
  std::vector<const Expr*> reading;
  collect_reading(query, reading);
  if (all_differ(reading)) return;
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
