// Whether a silence can hold for anything, as far as alerts, rules and series tell now. It may be meant for
// what comes later: these are doubts, never errors. Pure.
#pragma once

#include "aggregator/alerts/listing.h"
#include "aggregator/matchers/matchers.h"

#include <functional>
#include <string>
#include <vector>

namespace vigil::aggregator {

/// What is there for matchers to hold for.
struct SilenceGround {
  std::vector<alerts::RuleInfo> rules;
  std::vector<alerts::AlertInfo> alerts;
  std::vector<std::string> hosts;
  /// Whether some series has a label that fits; true where nobody can tell.
  std::function<bool(const matchers::Matcher&)> is_on_series;
  /// Names of labels of series, for suggestions.
  std::function<std::vector<std::string>()> label_names;
};

/// Why they hold for no alert that is listed, and for none of a rule: "it holds for nothing now: there is no
/// host web-9; did you mean web-1?". Empty: they may hold for some, or there are no rules to tell by.
std::vector<std::string> doubts_of(const matchers::Matchers& matchers, const SilenceGround& ground);

}  // namespace vigil::aggregator
