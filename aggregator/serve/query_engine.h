// Runs queries for people and programs: parses, evaluates over the whole fleet on its own threads, within
// limits. Never on a shard's or a gRPC thread, and at a lower priority than those, so that a heavy query
// delays other queries at most. A query that reads much takes the threads that have nothing to do to help.
#pragma once

#include "aggregator/head/fleet_view.h"
#include "aggregator/promql/evaluator.h"
#include "common/error.h"

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace vigil::aggregator {

struct QueryLimits {
  std::size_t threads = 2;
  std::size_t waiting = 64;  // queries in line; beyond it Errc::limit
  std::size_t max_samples = 50'000'000;
  std::chrono::milliseconds timeout = std::chrono::seconds(30);
  std::int64_t max_steps = promql::kMaxSteps;            // points of a series
  std::size_t max_expression_bytes = 65'536;             // at most promql::kMaxQueryBytes
  std::size_t max_regex_bytes = promql::kMaxRegexBytes;  // of one matcher; at most promql::kMaxRegexBytes
};

/// What one question may want otherwise than the engine's limits say.
struct Ask {
  std::chrono::milliseconds lookback = promql::EvalOptions().lookback;
  std::chrono::milliseconds timeout = std::chrono::hours(24);  // the limit, where that is shorter
  std::function<bool()> cancelled;                             // asked now and then; may be empty
};

class QueryEngine {
 public:
  using Cancelled = std::function<bool()>;

  /// `view` outlives this.
  QueryEngine(FleetView& view, QueryLimits limits);
  /// Waits for what runs.
  ~QueryEngine();

  /// Runs `work` on a query thread. Errc::limit when too many wait.
  Result<void> submit(std::function<void()> work);
  /// Takes nothing more, and ends what runs as soon as it asks.
  void refuse() { stopping_ = true; }
  /// The same, and waits.
  void stop();

  /// Errc::parse, and Errc::limit when it is too long.
  Result<promql::ExprPtr> parse(const std::string& expression) const;

  // On a query thread (or a test's): these block.
  Result<promql::Value> instant(const std::string& expression, std::int64_t t_ms,
                                const Cancelled& cancelled) const;
  /// `lookback`: how far back an instant sees a sample.
  Result<promql::MatrixValue> range(const std::string& expression, const promql::TimeRange& range,
                                    std::chrono::milliseconds lookback, const Cancelled& cancelled) const;
  /// The same of an expression that is parsed already.
  Result<promql::Value> instant(const promql::Expr& expr, std::int64_t t_ms, const Ask& ask) const;
  Result<promql::MatrixValue> range(const promql::Expr& expr, const promql::TimeRange& range,
                                    const Ask& ask) const;
  FleetView& view() const { return view_; }
  const QueryLimits& limits() const { return limits_; }

 private:
  promql::EvalOptions options(const Ask& ask) const;
  FleetReads reads(const Ask& ask) const;
  std::function<bool()> expiry(const Ask& ask) const;
  void spread(const std::function<void()>& work) const;

  FleetView& view_;
  const QueryLimits limits_;
  mutable boost::asio::thread_pool pool_;  // takes help for a query that runs, too
  std::atomic<std::size_t> waiting_ = 0;
  mutable std::atomic<std::size_t> busy_ = 0;  // threads that run a query or help with one
  std::atomic<bool> stopping_ = false;
};

}  // namespace vigil::aggregator
