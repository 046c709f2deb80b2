#include "aggregator/serve/query_engine.h"

#include "aggregator/promql/parser.h"

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

promql::EvalOptions QueryEngine::options(const Cancelled& cancelled) const {
  promql::EvalOptions options;
  options.max_samples = limits_.max_samples;
  const auto deadline = std::chrono::steady_clock::now() + limits_.timeout;
  options.expired = [this, deadline, cancelled] {
    return stopping_ || std::chrono::steady_clock::now() > deadline || (cancelled && cancelled());
  };
  return options;
}

Result<promql::Value> QueryEngine::instant(const std::string& expression, std::int64_t t_ms,
                                           const Cancelled& cancelled) const {
  const auto parsed = promql::parse(expression);
  if (!parsed) return parsed.error();
  FleetStorage storage(view_, {limits_.max_samples, limits_.timeout});
  return promql::evaluate_instant(**parsed, storage, t_ms, options(cancelled));
}

Result<promql::MatrixValue> QueryEngine::range(const std::string& expression, const promql::TimeRange& range,
                                               std::chrono::milliseconds lookback,
                                               const Cancelled& cancelled) const {
  const auto parsed = promql::parse(expression);
  if (!parsed) return parsed.error();
  FleetStorage storage(view_, {limits_.max_samples, limits_.timeout});
  promql::EvalOptions with_lookback = options(cancelled);
  with_lookback.lookback = lookback;
  return promql::evaluate_range(**parsed, storage, range, with_lookback);
}

}  // namespace vigil::aggregator
