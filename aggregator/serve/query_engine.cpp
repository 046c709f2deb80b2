#include "aggregator/serve/query_engine.h"

#include "aggregator/promql/parser.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <condition_variable>
#include <memory>
#include <mutex>

namespace vigil::aggregator {
namespace {

constexpr std::size_t kPartsPerThread = 4;
constexpr int kNice = 10;  // a tenth of the weight of who takes samples, where both want a CPU

/// Once for each query thread. Both calls are about the calling thread alone (on Linux also the first one),
/// and are allowed to everybody; where they fail all the same nothing is lost but the courtesy.
void step_back() {
  thread_local const bool done = [] {
    const sched_param none{};
    (void)sched_setscheduler(0, SCHED_BATCH, &none);
    const auto self = static_cast<id_t>(gettid());
    (void)setpriority(PRIO_PROCESS, self, std::min(getpriority(PRIO_PROCESS, self) + kNice, 19));
    return true;
  }();
  (void)done;
}

Result<void> check_regexes(const promql::Expr& expr, std::size_t max_bytes) {
  const auto* matrix = std::get_if<promql::MatrixSelector>(&expr.node);
  const auto* selector = matrix ? &matrix->selector : std::get_if<promql::VectorSelector>(&expr.node);
  if (selector != nullptr) {
    for (const promql::Matcher& matcher : selector->matchers) {
      const bool is_regex =
          matcher.op() == promql::MatchOp::regex || matcher.op() == promql::MatchOp::not_regex;
      if (!is_regex || matcher.value().size() <= max_bytes) continue;
      return fail(Errc::limit,
                  "the regular expression for label \"{}\" has {} bytes; at most {} are allowed "
                  "(query.max_regex)",
                  matcher.name(), matcher.value().size(), max_bytes);
    }
  }
  Result<void> checked;
  promql::for_each_child(expr, [&](const promql::Expr& child) {
    if (checked) checked = check_regexes(child, max_bytes);
  });
  return checked;
}

/// Work that several threads do. Those that come when it is over do nothing.
struct Shared {
  std::mutex mutex;  // protects what follows
  std::condition_variable ended;
  std::size_t running = 0;
  bool over = false;
};

}  // namespace

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
    return fail(Errc::limit, "{} queries are in line already (query.max_waiting); try again later",
                limits_.waiting);
  }
  boost::asio::post(pool_, [this, work = std::move(work)] {
    waiting_.fetch_sub(1);
    step_back();
    ++busy_;
    work();
    --busy_;
  });
  return {};
}

/// Runs `work` here and on the query threads that are idle now, and returns when it has ended everywhere.
void QueryEngine::spread(const std::function<void()>& work) const {
  const auto shared = std::make_shared<Shared>();
  const std::size_t busy = std::max<std::size_t>(busy_, 1);
  for (std::size_t i = busy; i < limits_.threads; ++i) {
    boost::asio::post(pool_, [this, shared, &work] {
      {
        const std::lock_guard lock(shared->mutex);
        if (shared->over) return;  // `work` may be gone
        ++shared->running;
      }
      step_back();
      ++busy_;
      work();
      --busy_;
      const std::lock_guard lock(shared->mutex);
      if (--shared->running == 0) shared->ended.notify_one();
    });
  }
  work();
  std::unique_lock lock(shared->mutex);
  shared->over = true;
  shared->ended.wait(lock, [&] { return shared->running == 0; });
}

FleetReads QueryEngine::reads(const Ask& ask) const {
  FleetReads reads;
  reads.max_points = limits_.max_samples;
  reads.patience = std::min(limits_.timeout, ask.timeout);
  reads.spread = [this](const std::function<void()>& work) { spread(work); };
  reads.parts = limits_.threads > 1 ? kPartsPerThread * limits_.threads : 1;
  reads.expired = [this, is_over = expiry(ask)] { return stopping_ || is_over(); };
  return reads;
}

Result<promql::ExprPtr> QueryEngine::parse(const std::string& expression) const {
  if (expression.size() > limits_.max_expression_bytes) {
    return fail(Errc::limit, "the query has {} bytes; at most {} are allowed (query.max_expression)",
                expression.size(), limits_.max_expression_bytes);
  }
  return promql::parse(expression);
}

std::function<bool()> QueryEngine::expiry(const Ask& ask) const {
  const auto deadline = std::chrono::steady_clock::now() + std::min(limits_.timeout, ask.timeout);
  return [deadline, cancelled = ask.cancelled] {
    return std::chrono::steady_clock::now() > deadline || (cancelled && cancelled());
  };
}

promql::EvalOptions QueryEngine::options(const Ask& ask) const {
  promql::EvalOptions options;
  options.lookback = ask.lookback;
  options.max_samples = limits_.max_samples;
  options.max_steps = limits_.max_steps;
  options.expired = expiry(ask);
  options.cancelled = &stopping_;
  return options;
}

Result<promql::Value> QueryEngine::instant(const promql::Expr& expr, std::int64_t t_ms,
                                           const Ask& ask) const {
  if (auto checked = check_regexes(expr, limits_.max_regex_bytes); !checked) return checked.error();
  FleetStorage storage(view_, reads(ask));
  return promql::evaluate_instant(expr, storage, t_ms, options(ask));
}

Result<promql::MatrixValue> QueryEngine::range(const promql::Expr& expr, const promql::TimeRange& range,
                                               const Ask& ask) const {
  if (auto checked = check_regexes(expr, limits_.max_regex_bytes); !checked) return checked.error();
  FleetStorage storage(view_, reads(ask));
  return promql::evaluate_range(expr, storage, range, options(ask));
}

Result<promql::Value> QueryEngine::instant(const std::string& expression, std::int64_t t_ms,
                                           const Cancelled& cancelled) const {
  const auto parsed = parse(expression);
  if (!parsed) return parsed.error();
  Ask ask;
  ask.cancelled = cancelled;
  return instant(**parsed, t_ms, ask);
}

Result<promql::MatrixValue> QueryEngine::range(const std::string& expression, const promql::TimeRange& range,
                                               std::chrono::milliseconds lookback,
                                               const Cancelled& cancelled) const {
  const auto parsed = parse(expression);
  if (!parsed) return parsed.error();
  Ask ask;
  ask.lookback = lookback;
  ask.cancelled = cancelled;
  return this->range(**parsed, range, ask);
}

}  // namespace vigil::aggregator
