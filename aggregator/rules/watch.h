// Evaluates one rule and remembers which label sets were active, so that an alert is reported as long as it
// lasts and once more when it ends. Shared by host and fleet rules.
#pragma once

#include "aggregator/rules/evaluation.h"

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

struct Remembered {
  promql::LabelsPtr labels;
  std::int64_t missing_since_ms = 0;  // 0: has data
};

/// The label sets of one rule on one host that are, or were, active.
using Memory = std::vector<Remembered>;

/// Evaluates `rule` at `t_ms`. Nothing when nothing is active and nothing was, or when the evaluation failed
/// (then the rule's statistics say why and the memory stays).
std::optional<Evaluation> evaluate(const RulePtr& rule, promql::Storage& storage, std::int64_t t_ms,
                                   Memory& memory);

}  // namespace vigil::rules
