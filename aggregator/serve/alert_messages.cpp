#include "aggregator/serve/alert_messages.h"

#include "aggregator/promql/ast.h"

#include <algorithm>

namespace vigil::aggregator {
namespace {

template <class Map>
void fill_labels(const Labels& labels, Map& out) {
  for (const LabelView& label : labels) out[std::string(label.name)] = label.value;
}

/// "Top processes by CPU: postgres (pid 4711, db): 71 %; backup (pid 12): 9 %"
std::string one_line(const notify::Evidence& evidence) {
  std::string line = evidence.title + ':';
  for (const auto& row : evidence.rows)
    line += fmt::format("{} {}: {}", &row == &evidence.rows.front() ? "" : ";", row.name, row.value);
  return line;
}

void put_series(const alerts::SeriesOutlook& series, v1::RuleSeries& out) {
  fill_labels(series.labels, *out.mutable_labels());
  if (series.value) out.set_value(*series.value);
  out.set_is_true(series.is_true);
  out.set_alert_id(series.alert);
  out.set_state(std::string(alerts::to_string(series.state)));
  out.set_held_ms(series.held_ms);
  out.set_times_true(static_cast<std::uint32_t>(series.times_true));
  for (const std::string& what : series.held_back_by) out.add_held_back_by(what);
}

std::string clear_text(const rules::RuleExtras& extras) {
  if (extras.lasting) return "while " + promql::to_string(*extras.lasting);
  return extras.clear ? "until " + promql::to_string(*extras.clear) : std::string();
}

}  // namespace

Unheard unheard_of(const std::vector<HostInfo>& hosts) {
  Unheard out;
  for (const HostInfo& host : hosts) {
    const bool is_away = host.state == HostState::down || host.state == HostState::left;
    if (!is_away || kind_of(host.name) != HostKind::agent) continue;
    const auto skew_ms = static_cast<std::int64_t>(host.clock_skew_seconds * 1000);
    out[host.name] =
        host.last_sample_ms == 0 ? host.since_ms : std::min(host.last_sample_ms - skew_ms, host.since_ms);
  }
  return out;
}

void put_alert(const alerts::AlertInfo& info, const Unheard& unheard, v1::Alert& out) {
  out.set_id(info.fingerprint);
  out.set_name(info.name);
  out.set_state(std::string(alerts::to_string(info.state)));
  out.set_severity(info.severity);
  out.set_instance(info.instance);
  fill_labels(info.labels, *out.mutable_labels());
  fill_labels(info.annotations, *out.mutable_annotations());
  out.set_value(info.value);
  out.set_active_since_ms(info.active_since_ms);
  out.set_fired_at_ms(info.fired_at_ms);
  out.set_resolved_at_ms(info.resolved_at_ms);
  for (const auto& evidence : info.evidence) out.add_evidence(one_line(evidence));
  out.set_inhibited_by(info.inhibited_by);
  if (!info.inhibitor.empty()) out.add_inhibited_by_ids(info.inhibitor);
  out.set_group(info.group);
  out.set_reason(info.reason);
  for (const std::string& id : info.silenced_by) out.add_silenced_by(id);
  out.set_acked_by(info.acknowledgement.author);
  out.set_acked_at_ms(info.acknowledgement.at_ms);
  out.set_ack_comment(info.acknowledgement.comment);
  out.set_standing(std::string(alerts::to_string(info.standing())));
  const auto away = unheard.find(info.instance);
  if (away != unheard.end() && info.state != alerts::State::resolved) out.set_unheard_since_ms(away->second);
}

void put_event(const alerts::Event& event, v1::AlertEvent& out) {
  out.set_kind(std::string(alerts::to_string(event.kind)));
  out.set_at_ms(event.at_ms);
  out.set_by(event.by);
  out.set_text(event.text);
  out.set_arrived_ms(event.arrived_ms);
  out.set_attempts(static_cast<std::uint32_t>(event.attempts));
  out.set_next_attempt_ms(event.next_attempt_ms);
}

void put_outlook(const alerts::RuleOutlook& outlook, v1::RuleOutlook& out) {
  const rules::Rule& rule = *outlook.info.rule;
  out.set_name(rule.name);
  out.set_severity(std::string(rule.label("severity")));
  out.set_group(rule.group);
  out.set_expression(rule.expr_text);
  out.set_compared(outlook.compared);
  out.set_comparison(outlook.comparison);
  if (outlook.limit) out.set_limit(*outlook.limit);
  out.set_for_ms(rule.hold.count());
  out.set_keep_firing_for_ms(rule.keep_firing_for.count());
  out.set_times_enough(static_cast<std::uint32_t>(rule.extras.times.enough));
  out.set_times_of(static_cast<std::uint32_t>(rule.extras.times.of));
  out.set_clear(clear_text(rule.extras));
  out.set_interval_ms(rule.interval.count());
  out.set_last_evaluation_ms(outlook.info.last_evaluation_ms);
  out.set_last_error(outlook.info.last_error);
  out.set_why(outlook.why);
  for (const alerts::SeriesOutlook& series : outlook.series) put_series(series, *out.add_series());
  out.set_left_out(static_cast<std::uint32_t>(outlook.left_out));
}

}  // namespace vigil::aggregator
