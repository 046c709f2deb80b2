#include "aggregator/serve/query_engine.h"

#include "aggregator/promql/parser.h"

#include <algorithm>
#include <boost/asio/post.hpp>

namespace vigil::aggregator {

QueryEngine::QueryEngine(FleetView& view, QueryLimits limits)
    : view_(view), limits_(limits), pool_(limits.threads) {}

QueryEngine::~QueryEngine() {
  stop();
}

void QueryEngine::stop() {
  refuse();
  pool_.join();
}

Result<void> QueryEngine::submit(std::function<void()> work) {
  if (stopping_) return fail(Errc::unavailable, "the aggregator is stopping");
  if (waiting_.fetch_add(1) >= limits_.waiting) {
    waiting_.fetch_sub(1);
    return fail(Errc::limit, "{} queries are in line already; try again later", limits_.waiting);
  }
  boost::asio::post(pool_, [this, work = std::move(work)] {
    waiting_.fetch_sub(1);
    work();
  });
  return {};
}

promql::EvalOptions QueryEngine::options(const Ask& ask) const {
  promql::EvalOptions options;
  options.lookback = ask.lookback;
  options.max_samples = limits_.max_samples;
  const auto deadline = std::chrono::steady_clock::now() + std::min(limits_.timeout, ask.timeout);
  options.expired = [this, deadline, cancelled = ask.cancelled] {
    return stopping_ || std::chrono::steady_clock::now() > deadline || (cancelled && cancelled());
  };
  return options;
}

Result<promql::Value> QueryEngine::instant(const promql::Expr& expr, std::int64_t t_ms,
                                           const Ask& ask) const {
  FleetStorage storage(view_, {limits_.max_samples, std::min(limits_.timeout, ask.timeout)});
  return promql::evaluate_instant(expr, storage, t_ms, options(ask));
}

Result<promql::MatrixValue> QueryEngine::range(const promql::Expr& expr, const promql::TimeRange& range,
                                               const Ask& ask) const {
  FleetStorage storage(view_, {limits_.max_samples, std::min(limits_.timeout, ask.timeout)});
  return promql::evaluate_range(expr, storage, range, options(ask));
}

Result<promql::Value> QueryEngine::instant(const std::string& expression, std::int64_t t_ms,
                                           const Cancelled& cancelled) const {
  const auto parsed = promql::parse(expression);
  if (!parsed) return parsed.error();
  Ask ask;
  ask.cancelled = cancelled;
  return instant(**parsed, t_ms, ask);
}

Result<promql::MatrixValue> QueryEngine::range(const std::string& expression, const promql::TimeRange& range,
                                               std::chrono::milliseconds lookback,
                                               const Cancelled& cancelled) const {
  const auto parsed = promql::parse(expression);
  if (!parsed) return parsed.error();
  Ask ask;
  ask.lookback = lookback;
  ask.cancelled = cancelled;
  return this->range(**parsed, range, ask);
}

}  // namespace vigil::aggregator
