// Evaluates a parsed expression with the semantics of Prometheus 3: ranges and lookback are left-open, (t -
// range, t].
//
// Data flow: every selector is selected from the storage once per query, for the whole span it can need; then
// the tree is evaluated node by node, each over all steps at once, series by series with cursors that only
// advance. An instant query is the same with one step. Thread-safe in the sense that an evaluation has no
// state but its arguments.
#pragma once

#include "aggregator/promql/ast.h"
#include "aggregator/promql/value.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>

namespace vigil::promql {

inline constexpr std::int64_t kMaxSteps = 11'000;

struct EvalOptions {
  /// How far back an instant selector looks for the latest sample, left-open.
  std::chrono::milliseconds lookback = std::chrono::minutes(5);
  /// Resolution of subqueries that name none.
  std::chrono::milliseconds default_subquery_step = std::chrono::minutes(1);
  /// Samples (loaded from storage or held as intermediate results) at the same time in memory; beyond it
  /// Errc::limit.
  std::size_t max_samples = 50'000'000;
  /// Points per series of a range query; beyond it Errc::limit.
  std::int64_t max_steps = kMaxSteps;
  /// Asked now and then from the evaluating thread; true ends the evaluation with Errc::timeout. May be
  /// empty.
  std::function<bool()> expired;
  /// May be set by another thread to end the evaluation with Errc::unavailable. May be null.
  const std::atomic<bool>* cancelled = nullptr;
};

/// The value at `t_ms` (Unix milliseconds): any of the four types.
/// Errc::invalid_argument: the data does not allow the operation (many-to-many matching, duplicate label
/// sets).
Result<Value> evaluate_instant(const Expr& expr, Storage& storage, std::int64_t t_ms,
                               const EvalOptions& options);

struct TimeRange {
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;   // inclusive
  std::int64_t step_ms = 0;  // > 0
};

/// The values at start, start + step, ... up to end. `expr` must be a scalar or an instant vector.
Result<MatrixValue> evaluate_range(const Expr& expr, Storage& storage, const TimeRange& range,
                                   const EvalOptions& options);

}  // namespace vigil::promql
