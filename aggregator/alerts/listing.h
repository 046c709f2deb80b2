// Alerts and rules as services show them: copies, made on the thread of whoever asks.
#pragma once

#include "aggregator/alerts/alert.h"
#include "aggregator/alerts/alert_book.h"
#include "aggregator/rules/rule_set.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vigil::alerts {

class Inhibition;

/// A group of alertmanager.yml that an alert is in.
struct GroupPlace {
  std::string receiver;
  Labels labels;  // what its alerts have in common: group_by
};

/// An alert as services show it.
struct AlertInfo {
  std::string fingerprint;
  std::string rule_key;  // rules::Rule::key
  std::string group;
  std::string name;
  std::string severity;
  std::string instance;
  State state = State::inactive;
  Labels labels;
  Labels annotations;
  double value = 0;
  std::int64_t active_since_ms = 0;
  std::int64_t fired_at_ms = 0;
  std::int64_t resolved_at_ms = 0;
  std::int64_t keep_firing_since_ms = 0;  // false since then, firing on by keep_firing_for; otherwise 0
  std::int64_t no_data_since_ms = 0;      // the state is kept although there is no data; 0: there is
  std::int64_t flapping_since_ms = 0;     // it begins and ends too often; 0: it does not
  std::string inhibited_by;               // name of the alert that keeps this one's message back
  std::string reason;
  std::vector<notify::Evidence> evidence;
  std::vector<std::string> silenced_by;  // ids of the silences that hold its message back
  bool is_in_maintenance = false;        // one of them is a maintenance
  Acknowledgement acknowledgement;
  std::vector<std::string> notified;  // receivers of single alerts that were told that it fires
  std::int64_t announced_ms = 0;      // and when; 0: nobody knows
  std::vector<std::string>
      receivers;  // everybody it is for: of single alerts, and of the routes that take it
  std::vector<GroupPlace> groups{};
  std::string inhibitor{};               // fingerprint of the alert that inhibited_by names
  std::vector<std::string> escalated{};  // receivers of alertmanager.yml that were told since nobody came
  promql::LabelsPtr series{};            // the expression's labels; never null
  std::int64_t held_ms = 0;              // how long its condition was seen true, without gaps
  int times_true = 0;                    // see Alert

  Standing standing() const;
};

enum class Health : std::uint8_t { unknown, ok, err };
/// "unknown", "ok", "err": as in Prometheus's API.
std::string_view to_string(Health health);

/// A rule as services show it. Group, file, interval, times and labels are those of `rule`; the rules of a
/// group stand together. A group is told by file and name.
struct RuleInfo {
  rules::RulePtr rule;
  State state = State::inactive;  // of the worst of its alerts
  std::size_t pending = 0;
  std::size_t firing = 0;
  std::uint64_t evaluations = 0;
  std::uint64_t failures = 0;
  std::int64_t last_evaluation_ms = 0;  // 0: not yet
  std::int64_t last_duration_ns = 0;
  std::string last_error;

  Health health() const;
};

AlertInfo to_info(const Alert& alert);
/// Pending and firing alerts of the book.
std::vector<AlertInfo> list_active(const AlertBook& book, const Inhibition& inhibition);
/// Firing before pending before resolved; then the worse severity, then the newer.
void sort_worst_first(std::vector<AlertInfo>& alerts);

/// How many alerts of each rule are active.
struct RuleCounts {
  std::size_t pending = 0;
  std::size_t firing = 0;
};
using CountsByRule = std::map<const rules::Rule*, RuleCounts>;
CountsByRule count_by_rule(const AlertBook& book);
/// All rules, in the order of their files.
std::vector<RuleInfo> list_rules(const rules::RuleSet& rules, const CountsByRule& counts);

}  // namespace vigil::alerts
