#include "aggregator/alerts/listing.h"

#include "aggregator/alerts/inhibition.h"

#include <algorithm>

namespace vigil::alerts {
namespace {

bool worse(const AlertInfo& a, const AlertInfo& b) {
  const auto rank = [](const AlertInfo& alert) {
    return alert.state == State::firing ? 0 : alert.state == State::pending ? 1 : 2;
  };
  if (rank(a) != rank(b)) return rank(a) < rank(b);
  const auto left = notify::parse_severity(a.severity);
  const auto right = notify::parse_severity(b.severity);
  if (left != right) return left > right;
  if (a.active_since_ms != b.active_since_ms) return a.active_since_ms > b.active_since_ms;
  return a.fingerprint < b.fingerprint;
}

}  // namespace

std::string_view to_string(Health health) {
  return health == Health::ok ? "ok" : health == Health::err ? "err" : "unknown";
}

Health RuleInfo::health() const {
  if (last_evaluation_ms == 0) return Health::unknown;
  return last_error.empty() ? Health::ok : Health::err;
}

Standing AlertInfo::standing() const {
  return standing_of({state, no_data_since_ms != 0, flapping_since_ms != 0,
                      static_cast<bool>(acknowledgement), !inhibited_by.empty(), !silenced_by.empty(),
                      is_in_maintenance});
}

AlertInfo to_info(const Alert& alert) {
  AlertInfo info{alert.fingerprint,
                 alert.rule->key,
                 alert.rule->group,
                 alert.rule->name,
                 std::string(alert.severity()),
                 std::string(alert.instance()),
                 alert.state,
                 alert.labels,
                 alert.annotations,
                 alert.value,
                 alert.active_since_ms,
                 alert.fired_at_ms,
                 alert.resolved_at_ms,
                 alert.state == State::firing ? alert.false_since_ms : 0,
                 alert.no_data_since_ms,
                 alert.flapping_since_ms,
                 {},
                 alert.reason,
                 alert.evidence,
                 {},
                 false,
                 alert.acknowledgement,
                 alert.notified,
                 alert.announced_ms,
                 {}};
  info.escalated = alert.escalated;
  info.series = alert.series;
  info.held_ms = alert.held_ms;
  info.times_true = alert.times_true;
  return info;
}

std::vector<AlertInfo> list_active(const AlertBook& book, const Inhibition& inhibition) {
  std::vector<AlertInfo> out;
  book.for_each([&](const Alert& alert) {
    AlertInfo& info = out.emplace_back(to_info(alert));
    info.annotations = book.annotations_now(alert);  // beside the value of now
    if (alert.state != State::firing) return;
    if (const auto* source = inhibition.source_of(alert)) {
      info.inhibited_by = source->name;
      info.inhibitor = source->fingerprint;
    }
  });
  return out;
}

void sort_worst_first(std::vector<AlertInfo>& alerts) {
  std::sort(alerts.begin(), alerts.end(), worse);
}

CountsByRule count_by_rule(const AlertBook& book) {
  CountsByRule counts;
  book.for_each([&counts](const Alert& alert) {
    RuleCounts& of_rule = counts[alert.rule.get()];
    ++(alert.state == State::firing ? of_rule.firing : of_rule.pending);
  });
  return counts;
}

std::vector<RuleInfo> list_rules(const rules::RuleSet& rules, const CountsByRule& counts) {
  std::vector<RuleInfo> out;
  for (const rules::RulePtr& rule : rules.rules()) {
    RuleInfo& info = out.emplace_back();
    info.rule = rule;
    if (const auto found = counts.find(rule.get()); found != counts.end()) {
      info.pending = found->second.pending;
      info.firing = found->second.firing;
    }
    info.state = info.firing > 0 ? State::firing : info.pending > 0 ? State::pending : State::inactive;
    info.evaluations = rule->stats->evaluations.load(std::memory_order_relaxed);
    info.failures = rule->stats->failures.load(std::memory_order_relaxed);
    info.last_evaluation_ms = rule->stats->last_evaluation_ms.load(std::memory_order_relaxed);
    info.last_duration_ns = rule->stats->last_duration_ns.load(std::memory_order_relaxed);
    info.last_error = rule->stats->last_error();
  }
  return out;
}

}  // namespace vigil::alerts
