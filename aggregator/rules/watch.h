// Evaluates one rule and remembers which label sets were active, so that an alert is reported as long as it
// lasts and once more when it ends. Shared by host and fleet rules.
#pragma once

#include "aggregator/fleet/occasion.h"
#include "aggregator/rules/evaluation.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vigil::rules {

/// How long an alert is kept when its series has no data although its host sends: a pulled disk, a removed
/// container. Short when the host still has other series of the rule, or says that all its collectors and
/// container runtimes work; long otherwise, since it may be the collector's fault. While nothing at all comes
/// from the host nothing is evaluated and no time passes.
inline constexpr std::int64_t kReplacedAfterMs = 120'000;
inline constexpr std::int64_t kGoneAfterMs = 3'600'000;
/// How long missing data is an alert where a rule says so: names that come and go would be alerts for ever.
inline constexpr std::int64_t kMissedForMs = 86'400'000;

struct Remembered {
  promql::LabelsPtr labels;
  std::int64_t missing_since_ms = 0;  // 0: has data
  std::uint64_t history = 0;          // a bit for each of the latest evaluations with data, 1: it was true
  double value = 0;                   // when it was last true; with `clear` the latest
  std::int64_t cleared_since_ms = 0;  // not true and not lasting, and may last again; 0: it is not so
  bool is_active = false;             // an alert may know of it: its end is to be told
  std::int64_t data_since_ms = 0;     // has, or had, data since then; 0: for as long as anybody asks
};
/// Of an alert of an earlier run. That it fires means that it was true often enough.
Remembered remembered(const KnownAlert& alert);

/// The label sets of one rule on one host that are, or were, active; where missing data is an alert, all that
/// have data.
using Memory = std::vector<Remembered>;
/// With those alerts that it does not remember yet.
void add_known(const std::vector<KnownAlert>& alerts, Memory& memory);

/// The rule's expression at `t_ms`, less the group's query_offset; a scalar is one sample without labels.
Result<promql::Vector> query(const Rule& rule, promql::Storage& storage, std::int64_t t_ms);

Result<promql::Vector> instant(const promql::Expr& expr, promql::Storage& storage, std::int64_t t_ms);

/// One evaluation in the rule's statistics.
class StatsScope {
 public:
  StatsScope(RuleStats& stats, std::int64_t t_ms);
  ~StatsScope();
  StatsScope(const StatsScope&) = delete;
  StatsScope& operator=(const StatsScope&) = delete;
  void failed(const Error& error);

 private:
  RuleStats& stats_;
  const std::chrono::steady_clock::time_point began_;
};

/// Which rule is evaluated when, and why. At a host that is quiet missing data says nothing: it may be the
/// host that is missing.
struct Moment {
  RulePtr rule;
  std::int64_t t_ms = 0;
  aggregator::Occasion occasion = aggregator::Occasion::arrival;
};

/// Evaluates an alerting rule. Nothing when nothing is active and nothing was, or when the evaluation failed
/// (then the rule's statistics say why and the memory stays).
std::optional<Evaluation> evaluate(const Moment& moment, promql::Storage& storage, Memory& memory);

/// Whether an alerting rule may have these samples: none of them would be the same alert, and there are no
/// more than its group's limit.
Result<void> may_alert(const Rule& rule, const promql::Vector& samples);

/// The second half of evaluate(), for whoever has the samples of the rule at that time already.
std::optional<Evaluation> judge(const Moment& moment, promql::Vector samples, promql::Storage& storage,
                                Memory& memory);

}  // namespace vigil::rules
