#include "aggregator/alerts/explanation.h"

#include "common/text/human.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>

namespace vigil::alerts {
namespace {

/// So long after its end at the latest what is done about that is asked for.
constexpr std::int64_t kEndIsNotedMs = 10'000;

using EventKind = Event::Kind;

std::string for_text(std::chrono::milliseconds hold) {
  return hold.count() == 0 ? std::string() : "for " + format_duration(hold);
}

/// Why its messages wait, when they do.
std::string waits_for(const std::string& receiver, const Circumstances& circumstances) {
  for (const notify::ReceiverStats& stats : circumstances.receivers) {
    if (stats.receiver != receiver || stats.queued == 0) continue;
    return stats.last_error.empty() ? "messages wait" : "messages wait: " + stats.last_error;
  }
  return {};
}

std::string joined(std::string first, const std::string& second) {
  if (!first.empty() && !second.empty()) first += "; ";
  return first + second;
}

void add_silences(const Labels& labels, const Circumstances& circumstances, std::vector<Event>& out) {
  for (const silences::Silence* silence : circumstances.silences.muting(labels, circumstances.now_ms)) {
    out.push_back({EventKind::silenced, silence->next_change_ms(circumstances.now_ms).value_or(0),
                   silence->id, fmt::format("{}: {}", silence->author, silence->comment)});
  }
}

void add_groups(const std::string& fingerprint, bool is_acknowledged, const Circumstances& circumstances,
                std::vector<Event>& out) {
  for (const GroupTelling& telling :
       circumstances.grouping.tellings(fingerprint, is_acknowledged, circumstances.now_ms)) {
    const std::string text = joined("group " + telling.group_key, waits_for(telling.endpoint, circumstances));
    if (telling.told_ms != 0) out.push_back({EventKind::told, telling.told_ms, telling.endpoint, text});
    const std::string next = joined(text, telling.mute);
    if (telling.has_news) {
      out.push_back({EventKind::will_be_told, telling.next_ms, telling.endpoint, next});
    } else if (telling.repeat_ms != 0) {
      out.push_back({EventKind::will_be_repeated, telling.repeat_ms, telling.endpoint, next});
    }
  }
}

/// Receivers of single alerts.
void add_notified(const std::vector<std::string>& receivers, std::int64_t at_ms,
                  const Circumstances& circumstances, std::vector<Event>& out) {
  for (const std::string& receiver : receivers)
    out.push_back({EventKind::told, at_ms, receiver, waits_for(receiver, circumstances)});
}

/// Those asked for while it fired, and at its end.
void add_runs(std::int64_t fired_at_ms, std::int64_t over_ms, const Circumstances& circumstances,
              std::vector<Event>& out) {
  for (const actions::Run& run : circumstances.runs) {
    if (run.created_ms >= fired_at_ms && run.created_ms <= over_ms)
      out.push_back({EventKind::action, run.has_begun() ? run.started_ms : run.created_ms, run.action,
                     actions::sentence_of(run) + actions::author_of(run)});
  }
}

/// What is in the outbox still was not told. Nothing overtakes an earlier message about the same alert.
void mark_undelivered(const std::vector<Undelivered>& undelivered, std::vector<Event>& events) {
  constexpr std::int64_t kSameMs = 1'000;  // between what is decided and its row
  for (Event& event : events) {
    if (event.kind != EventKind::told || event.at_ms == 0) continue;
    for (const Undelivered& message : undelivered) {
      const std::int64_t later_ms = event.at_ms - message.created_ms;
      const bool is_it = message.is_given_up ? std::abs(later_ms) <= kSameMs : later_ms >= -kSameMs;
      if (message.receiver != event.by || !is_it) continue;
      event.kind = message.is_given_up ? EventKind::given_up : EventKind::waits;
      if (message.is_given_up) event.text = joined(event.text, message.error);
      break;
    }
  }
}

/// While a silence or another alert holds it back nobody knows when what comes next will come.
void hold_what_comes(std::vector<Event>& events) {
  const bool is_held = std::ranges::any_of(events, [](const Event& event) {
    return event.kind == EventKind::silenced || event.kind == EventKind::inhibited;
  });
  if (!is_held) return;
  for (Event& event : events) {
    const bool comes = event.kind == EventKind::will_be_told || event.kind == EventKind::will_be_repeated ||
                       event.kind == EventKind::will_escalate;
    if (comes) event.at_ms = 0;
  }
}

void sort_by_time(std::vector<Event>& events) {
  std::ranges::stable_sort(events, {},
                           [](const Event& event) { return std::pair(event.at_ms == 0, event.at_ms); });
}

}  // namespace

std::string_view to_string(EventKind kind) {
  switch (kind) {
    case EventKind::holds:
      return "holds";
    case EventKind::will_fire:
      return "will_fire";
    case EventKind::fires:
      return "fires";
    case EventKind::no_data:
      return "no_data";
    case EventKind::will_escalate:
      return "will_escalate";
    case EventKind::flaps:
      return "flaps";
    case EventKind::stays:
      return "stays";
    case EventKind::over:
      return "over";
    case EventKind::acknowledged:
      return "acknowledged";
    case EventKind::silenced:
      return "silenced";
    case EventKind::inhibited:
      return "inhibited";
    case EventKind::told:
      return "told";
    case EventKind::waits:
      return "waits";
    case EventKind::given_up:
      return "given_up";
    case EventKind::will_be_told:
      return "will_be_told";
    case EventKind::action:
      return "action";
    case EventKind::will_be_repeated:
      break;
  }
  return "will_be_repeated";
}

std::vector<Event> explain(const Alert& alert, const Circumstances& circumstances) {
  std::vector<Event> out;
  const rules::Rule& rule = *alert.rule;
  out.push_back({EventKind::holds, alert.active_since_ms, "", rule.expr_text});
  const rules::Times& times = rule.extras.times;
  if (alert.state == State::firing) {
    out.push_back({EventKind::fires, alert.fired_at_ms, "", for_text(rule.hold)});
  } else if (times.of > 1) {
    out.push_back(
        {EventKind::will_fire, 0, "", fmt::format("true in {} of {} evaluations", times.enough, times.of)});
  } else {
    const std::int64_t left_ms = std::max<std::int64_t>(rule.hold.count() - alert.held_ms, 0);
    out.push_back({EventKind::will_fire, alert.last_true_ms + left_ms, "", for_text(rule.hold)});
  }
  if (alert.no_data_since_ms != 0) out.push_back({EventKind::no_data, alert.no_data_since_ms, "", ""});
  if (alert.flapping_since_ms != 0) {
    const rules::Flapping& flapping = rule.extras.flapping;
    out.push_back({EventKind::flaps, alert.flapping_since_ms, "",
                   fmt::format("{} changes within {}: over when quiet that long", flapping.changes,
                               format_duration(flapping.within))});
  }
  if (alert.lasting_since_ms != 0)
    out.push_back({EventKind::stays, alert.lasting_since_ms, "", "not cleared"});
  if (alert.false_since_ms != 0)
    out.push_back({EventKind::stays, alert.false_since_ms, "",
                   for_text(std::chrono::milliseconds(AlertBook::keep_ms(alert)))});
  if (const Acknowledgement& ack = alert.acknowledgement)
    out.push_back({EventKind::acknowledged, ack.at_ms, ack.author, ack.comment});
  add_silences(alert.labels, circumstances, out);
  if (!circumstances.inhibitor.empty())
    out.push_back(
        {EventKind::inhibited, 0, std::string(circumstances.inhibitor), "its rule, or its severity"});
  if (auto by = circumstances.grouping.inhibitor_of(alert, circumstances.book))
    out.push_back({EventKind::inhibited, 0, std::move(by->alert), "inhibition rule " + by->rule});
  add_notified(alert.notified, alert.announced_ms, circumstances, out);
  for (const std::string& receiver : alert.escalated)
    out.push_back({EventKind::told, 0, receiver, "since nobody acknowledged it"});
  add_groups(alert.fingerprint, static_cast<bool>(alert.acknowledgement), circumstances, out);
  add_runs(alert.fired_at_ms, circumstances.now_ms, circumstances, out);
  for (const NextTelling& next : circumstances.escalations)
    out.push_back({EventKind::will_escalate, next.at_ms, next.receiver, "if nobody acknowledges it"});
  mark_undelivered(circumstances.undelivered, out);
  hold_what_comes(out);
  sort_by_time(out);
  return out;
}

std::vector<Event> explain(const AlertInfo& resolved, const Circumstances& circumstances) {
  std::vector<Event> out;
  out.push_back({EventKind::holds, resolved.active_since_ms, "", ""});
  out.push_back({EventKind::fires, resolved.fired_at_ms, "", ""});
  out.push_back({EventKind::over, resolved.resolved_at_ms, "", resolved.reason});
  for (const std::string& receiver : resolved.notified) {
    out.push_back({EventKind::told, resolved.announced_ms, receiver, "that it fires"});
    out.push_back({EventKind::told, resolved.resolved_at_ms, receiver,
                   joined("that it is over", waits_for(receiver, circumstances))});
  }
  add_groups(resolved.fingerprint, false, circumstances, out);
  add_runs(resolved.fired_at_ms, resolved.resolved_at_ms + kEndIsNotedMs, circumstances, out);
  mark_undelivered(circumstances.undelivered, out);
  sort_by_time(out);
  return out;
}

}  // namespace vigil::alerts
