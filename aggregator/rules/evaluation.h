// What evaluating one rule on one host (or on the fleet) gave, on its way to the alert service.
#pragma once

#include "aggregator/fleet/occasion.h"
#include "aggregator/promql/value.h"
#include "aggregator/rules/rule_set.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace vigil::rules {

/// A label set whose condition is true, or of which a rule's extras say that its alert is not over although
/// it is false. Of a rule with `clear` also one whose alert is over: nothing is set then but its value.
struct ActiveSample {
  promql::LabelsPtr labels;  // as the expression gave them, with __name__ if it has one
  double value = 0;     // the latest there was: with `clear` that of now, else when it was last true; NaN
                        // without data
  bool is_true = true;  // now, or often enough of late (`times`): it may begin to fire
  bool begins = true;   // true now: an alert becomes pending
  bool keeps_pending = true;  // true of late, though not often enough: a pending alert waits on
  bool keeps_firing = true;   // that, or not cleared (`clear`): a firing alert goes on
  bool has_data = true;       // false: true because there is none (`on_no_data: alert`)
  int times_true = 0;         // in how many of the latest evaluations that `times` looks at
};

/// Label sets that were active before and stand in none of the three lists: their condition is false now.
struct Evaluation {
  RulePtr rule;
  std::string scope;  // the host's name for host rules, "" for fleet rules
  std::int64_t t_ms = 0;
  std::vector<ActiveSample> active;
  std::vector<promql::LabelsPtr> unknown;  // no data: neither true nor false
  std::vector<promql::LabelsPtr> gone;     // no data for so long that nobody waits for it any more
  aggregator::Covered covered{};           // only this time counts towards `for`
};

/// Called on the thread that evaluates; must not block.
using Sink = std::function<void(Evaluation)>;

}  // namespace vigil::rules
