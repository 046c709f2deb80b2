// What can be known of an expression without data.
#pragma once

#include "aggregator/promql/ast.h"

#include <cstdint>
#include <set>
#include <string>

namespace vigil::promql {

struct MetricNames {
  std::set<std::string> names;  // every __name__ matched by equality
  bool has_unnamed_selector =
      false;  // some selector can match any name: `{job="node"}`, `{__name__=~"node_.*"}`
};

MetricNames metric_names(const Expr& expr);

/// True only if evaluating `expr` on each host's data by itself (all its series carry `instance` = the host)
/// and joining the results gives what evaluating on all data would: every aggregation and vector match keeps
/// `instance`, nothing writes it, and nothing gives a result without series (absent, vector, scalar). In
/// doubt false.
bool is_host_local(const Expr& expr);

/// How far before the evaluation time the expression can look, in milliseconds: ranges, subqueries, offsets
/// and the lookback added up. -1 when the answer does not depend on the evaluation time alone (an `@`
/// modifier).
std::int64_t reach_ms(const Expr& expr, std::int64_t lookback_ms);

}  // namespace vigil::promql
