// An alert: one rule that is, or was, true for one label set.
//
//   inactive -> pending   the condition is true, `for` not over yet
//   pending  -> inactive  false again: nobody was told
//   pending  -> firing    true for as long as `for` says
//   firing   -> resolved  false for `keep_firing_for`, or its series, host or rule is gone
//   firing   -> firing    it flaps no more: told once
// Without data nothing moves, neither towards firing nor towards resolved, unless the rule says otherwise
// (`on_no_data`). One that begins and ends too often (`flapping`) stays firing until it has been quiet.
// With `clear` its value is that of now, also while it is not true any more and only waits for `clear`.
#pragma once

#include "aggregator/notify/notification.h"
#include "aggregator/promql/value.h"
#include "aggregator/rules/rule_set.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::alerts {

enum class State : std::uint8_t { inactive, pending, firing, resolved };
/// "inactive", "pending", "firing", "resolved": as in the API, tables and meta.db.
std::string_view to_string(State state);

/// How an alert stands with people: its state, and what is to be known of it besides.
enum class Standing : std::uint8_t {
  inactive,
  pending,
  firing,
  resolved,
  no_data,       // its state is kept, or it fires, since nothing is known
  flapping,      // begins and ends: told once, until it has been quiet
  acknowledged,  // somebody looks after it
  inhibited,     // another alert holds its messages back
  silenced,
  maintenance,  // a silence that is a maintenance
};
/// "no data", "in maintenance".
std::string_view to_string(Standing standing);

/// What a standing is made of.
struct Circumstance {
  State state = State::inactive;
  bool has_no_data = false;
  bool is_flapping = false;
  bool is_acknowledged = false;
  bool is_inhibited = false;
  bool is_silenced = false;
  bool is_in_maintenance = false;
};
/// Of several that hold: what keeps its messages back before what else is known of it.
Standing standing_of(const Circumstance& circumstance);

/// Somebody says that they look after a firing alert: it is told of no more until it is over.
struct Acknowledgement {
  std::string author;
  std::string comment;
  std::int64_t at_ms = 0;  // 0: nobody did
  explicit operator bool() const { return at_ms != 0; }
};

/// All times are Unix milliseconds.
struct Alert {
  rules::RulePtr rule;
  std::string scope;         // the host of a host rule; "" for a fleet rule
  promql::LabelsPtr series;  // the expression's labels: the alert's identity within its rule
  std::string fingerprint;   // 16 hex digits of rule key and series
  Labels labels;             // shown: series, rule labels and alertname
  Labels annotations;        // expanded
  State state = State::inactive;
  double value = 0;
  std::int64_t active_since_ms = 0;
  std::int64_t fired_at_ms = 0;
  std::int64_t resolved_at_ms = 0;
  std::int64_t last_true_ms = 0;
  std::int64_t counted_to_ms = 0;      // up to there its time is in held_ms, or is not to be
  std::int64_t held_ms = 0;            // how long it was seen true, without the gaps
  int times_true = 0;                  // of the evaluations that `times` looks at; 0: not known in this run
  std::int64_t false_since_ms = 0;     // firing on by keep_firing_for; otherwise 0
  std::int64_t lasting_since_ms = 0;   // false, but not cleared; otherwise 0
  std::int64_t no_data_since_ms = 0;   // otherwise 0
  std::int64_t flapping_since_ms = 0;  // otherwise 0
  std::int64_t flap_changed_ms = 0;    // its latest change, while it flaps; otherwise 0
  bool calmed = false;                 // it fires on and flaps no more, which is to be told
  bool has_other_rule = false;         // since its labels were made: looked at with its next sample
  bool is_moved = false;               // by a reload, from the rules of hosts to the fleet's, or back
  std::string reason;                  // why resolved, when not because the condition is false
  std::vector<std::string> notified;   // receivers that were told it fires
  std::vector<std::string> escalated;  // receivers of alertmanager.yml that were told since nobody came
  /// Receivers of alertmanager.yml whose routes escalate it, and when their groups told them of it first.
  std::map<std::string, std::int64_t> first_told;
  bool announced = false;         // the firing message is in the outbox (or nobody wanted it)
  std::int64_t announced_ms = 0;  // since when; 0: nobody knows
  std::vector<notify::Evidence> evidence;
  Acknowledgement acknowledgement;

  std::string_view instance() const { return labels.get("instance"); }
  std::string_view severity() const { return labels.get("severity"); }
  /// Groups tell it again each repeat_interval: somebody still has to look, and it says something new.
  bool is_repeated() const { return !acknowledgement && flapping_since_ms == 0; }
};

/// From firing to firing: it flaps no more.
struct Transition {
  State from = State::inactive;
  State to = State::inactive;
  Alert alert;  // as it is after the transition
};

}  // namespace vigil::alerts
