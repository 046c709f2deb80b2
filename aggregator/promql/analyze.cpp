#include "aggregator/promql/analyze.h"

#include "aggregator/promql/functions.h"

#include <algorithm>

namespace vigil::promql {
namespace {

constexpr std::string_view kHostLabel = "instance";

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

const VectorSelector* selector_of(const Expr& expr) {
  if (const auto* selector = std::get_if<VectorSelector>(&expr.node)) return selector;
  if (const auto* matrix = std::get_if<MatrixSelector>(&expr.node)) return &matrix->selector;
  return nullptr;
}

void collect_names(const Expr& expr, MetricNames& out) {
  if (const VectorSelector* selector = selector_of(expr)) {
    bool named = false;
    for (const Matcher& matcher : selector->matchers) {
      if (matcher.name() != kMetricName || matcher.op() != MatchOp::equal) continue;
      named = true;
      out.names.insert(matcher.value());
    }
    out.has_unnamed_selector = out.has_unnamed_selector || !named;
  }
  const auto* call = std::get_if<Call>(&expr.node);
  if (call && call->function->name == "info" && call->args.size() == 1) out.names.insert("target_info");
  for_each_child(expr, [&out](const Expr& child) { collect_names(child, out); });
}

/// Whether every sample of the node's value carries the `instance` of the host it came from, and comes from
/// that host alone.
class HostLocality {
 public:
  bool operator()(const Expr& expr) const {
    if (selector_of(expr)) return true;
    if (const auto* aggregate = std::get_if<Aggregate>(&expr.node)) return keeps(*aggregate);
    if (const auto* call = std::get_if<Call>(&expr.node)) return keeps(*call);
    if (const auto* binary = std::get_if<Binary>(&expr.node)) return keeps(*binary);
    if (const auto* unary = std::get_if<Unary>(&expr.node)) return (*this)(*unary->expr);
    if (const auto* paren = std::get_if<Paren>(&expr.node)) return (*this)(*paren->expr);
    if (const auto* subquery = std::get_if<Subquery>(&expr.node)) return (*this)(*subquery->expr);
    return false;  // numbers and strings by themselves have no host
  }

 private:
  /// A scalar that is the same wherever it is evaluated: made of literals, time() and pi().
  static bool is_constant(const Expr& expr) {
    if (selector_of(expr)) return false;
    bool constant = expr.type == ValueType::scalar;
    for_each_child(expr, [&constant](const Expr& child) { constant = constant && is_constant(child); });
    return constant;
  }

  static bool groups_by_host(const Aggregate& aggregate) {
    return contains(aggregate.labels, kHostLabel) == (aggregate.grouping == Grouping::by);
  }

  bool keeps(const Aggregate& aggregate) const {
    if (!groups_by_host(aggregate)) return false;
    if (aggregate.op == AggregateOp::count_values) return false;  // writes a label
    if (aggregate.param && !is_constant(*aggregate.param)) return false;
    return (*this)(*aggregate.expr);
  }

  bool keeps(const Call& call) const {
    const std::string_view name = call.function->name;
    static constexpr std::array<std::string_view, 9> kHostless = {
        "absent",        "absent_over_time",  "scalar", "vector", "sort", "info", "sort_desc",
        "sort_by_label", "sort_by_label_desc"};
    if (std::ranges::find(kHostless, name) != kHostless.end() || call.args.empty()) return false;
    if (name == "label_replace" || name == "label_join" || name == "histogram_quantiles") {
      const Expr& destination = strip_parens(*call.args[1]);
      if (std::get<StringLiteral>(destination.node).value == kHostLabel) return false;
    }
    return std::ranges::all_of(call.args, [this](const ExprPtr& arg) {
      if (arg->type == ValueType::scalar) return is_constant(*arg);
      return arg->type == ValueType::string || (*this)(*arg);
    });
  }

  bool keeps(const Binary& binary) const {
    const bool left_scalar = binary.lhs->type == ValueType::scalar;
    const bool right_scalar = binary.rhs->type == ValueType::scalar;
    if (left_scalar && right_scalar) return false;
    if (left_scalar) return is_constant(*binary.lhs) && (*this)(*binary.rhs);
    if (right_scalar) return (*this)(*binary.lhs) && is_constant(*binary.rhs);
    const VectorMatching& matching = binary.matching;
    if (contains(matching.labels, kHostLabel) != (matching.mode == MatchMode::on)) return false;
    // group_left(instance) would copy the same host's name: harmless, but in doubt no.
    if (contains(matching.include, kHostLabel)) return false;
    return (*this)(*binary.lhs) && (*this)(*binary.rhs);
  }
};

void collect_reach(const Expr& expr, std::int64_t before, std::int64_t lookback_ms, std::int64_t& reach) {
  const auto add = [&](const TimeShift& shift, std::int64_t range) -> std::int64_t {
    if (shift.at != AtKind::none) reach = -1;
    return before + shift.offset_ms + range;
  };
  std::int64_t inner = before;
  if (const auto* selector = std::get_if<VectorSelector>(&expr.node))
    inner = add(selector->shift, lookback_ms);
  if (const auto* matrix = std::get_if<MatrixSelector>(&expr.node))
    inner = add(matrix->selector.shift, matrix->range_ms);
  if (const auto* subquery = std::get_if<Subquery>(&expr.node))
    inner = add(subquery->shift, subquery->range_ms);
  if (reach < 0) return;
  if (selector_of(expr)) reach = std::max(reach, inner);
  for_each_child(expr, [&](const Expr& child) {
    if (reach >= 0) collect_reach(child, inner, lookback_ms, reach);
  });
}

}  // namespace

MetricNames metric_names(const Expr& expr) {
  MetricNames out;
  collect_names(expr, out);
  return out;
}

bool is_host_local(const Expr& expr) {
  return HostLocality{}(expr);
}

std::int64_t reach_ms(const Expr& expr, std::int64_t lookback_ms) {
  std::int64_t reach = 0;
  collect_reach(expr, 0, lookback_ms, reach);
  return reach;
}

}  // namespace vigil::promql
