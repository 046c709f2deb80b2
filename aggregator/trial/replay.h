// Rules over stored history: what would have fired, where, how often and how long. The evaluator is the one
// of a running aggregator, and so is the state machine: `for`, keep_firing_for, and that missing data neither
// fires nor resolves. Nobody is told anything and nothing is stored.
//
// Recording rules of the set are evaluated first, and the rules behind them see what they gave. Each rule is
// evaluated over a part of the span at once, as a range query; one that looks at what it recorded itself, or
// at a rule behind it, sees that of earlier parts only.
#pragma once

#include "aggregator/promql/storage.h"
#include "aggregator/rules/rule_set.h"
#include "common/error.h"
#include "common/series.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vigil::trial {

struct ReplaySpan {
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;  // inclusive
  std::int64_t step_ms = 0;
};

/// The step for a span: the shortest interval of the rules, or so much more that 50,000 of them cover it,
/// rounded up to what people would choose.
std::int64_t choose_step_ms(const rules::RuleSet& rules, std::int64_t span_ms);

struct ReplayInput {
  const rules::RuleSet& rules;
  /// Made for each part of the work.
  std::function<std::unique_ptr<promql::Storage>()> open_storage;
  /// Told how much of it is done, 0 to 1; false ends it with Errc::unavailable. May be empty.
  std::function<bool(double share)> progress;
};

/// Every label set by itself.
struct ReplayedAlert {
  Labels labels;
  std::uint64_t count = 0;  // how often it fired
  std::int64_t total_ms = 0;
  std::int64_t longest_ms = 0;
  std::int64_t first_ms = 0;  // when it fired first, and last
  std::int64_t last_ms = 0;
  bool firing = false;  // at the end
};

struct ReplayedRule {
  rules::RulePtr rule;
  std::uint64_t count = 0;
  std::int64_t total_ms = 0;  // of all its alerts together
  std::int64_t longest_ms = 0;
  std::uint64_t pending_only = 0;     // times it was pending and did not fire
  std::uint64_t recorded = 0;         // samples, of a recording rule
  std::vector<ReplayedAlert> alerts;  // those that lasted longest first
  std::string error;                  // of the first part that failed; empty: none did
};

/// In the order of the rules.
Result<std::vector<ReplayedRule>> replay(const ReplayInput& input, const ReplaySpan& span);

}  // namespace vigil::trial
