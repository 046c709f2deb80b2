#include "aggregator/alerts/explanation.h"

#include "aggregator/alerts/past_maintenance.h"
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

/// What keeps it waiting: what it was answered, or what the one before it was.
std::string waits_for(const Undelivered& message, const Circumstances& circumstances) {
  if (!message.error.empty()) return message.error;
  for (const notify::ReceiverStats& stats : circumstances.receivers) {
    if (stats.receiver != message.receiver || stats.queued == 0) continue;
    return stats.last_error.empty() ? "messages wait" : "messages wait: " + stats.last_error;
  }
  return {};
}

std::string joined(std::string first, const std::string& second) {
  if (!first.empty() && !second.empty()) first += "; ";
  return first + second;
}

/// Those that hold its messages back now, and did before `over_ms`.
void add_silences(const Labels& labels, std::int64_t over_ms, const Circumstances& circumstances,
                  std::vector<Event>& out) {
  for (const silences::Silence* silence : circumstances.silences.muting(labels, circumstances.now_ms)) {
    if (const auto time = silence->time_at(circumstances.now_ms); time && time->begin_ms > over_ms) continue;
    const bool is_maintenance = silence->maintenance.has_value();
    out.push_back({is_maintenance ? EventKind::maintenance : EventKind::silenced,
                   silence->next_change_ms(circumstances.now_ms).value_or(0), silence->id,
                   fmt::format("{}{}{}: {}", is_maintenance ? silence->maintenance->title : "",
                               is_maintenance ? "; " : "", silence->author, silence->comment)});
  }
}

/// What its own silence means to those it would hold back.
void say_it_frees(std::vector<Event>& events) {
  for (Event& event : events) {
    if (event.kind == EventKind::silenced || event.kind == EventKind::maintenance)
      event.text = joined(event.text, "meanwhile it holds back no alert by its name");
  }
}

bool is_own(const notify::ReceiverStats& stats) {
  return !stats.takes_groups && stats.kind != "gone";
}

void add_past_maintenances(const Labels& labels, const FiringTime& alert, const Circumstances& circumstances,
                           std::vector<Event>& out) {
  std::vector<std::string> receivers = circumstances.grouping.receivers();
  for (const notify::ReceiverStats& stats : circumstances.receivers) {
    if (is_own(stats)) receivers.push_back(stats.receiver);
  }
  const KnownMaintenances known{circumstances.silences, std::move(receivers), circumstances.now_ms};
  for (Event& event : past_maintenances(labels, alert, known)) out.push_back(std::move(event));
}

/// By which of its words an alert holds this one back.
std::string way_text(Inhibition::Way way, const Alert& alert) {
  switch (way) {
    case Inhibition::Way::host:
      return "by its rule's vigil_inhibits: instance";
    case Inhibition::Way::name:
      return fmt::format("by its rule's vigil_inhibits: {}", alert.labels.get("alertname"));
    case Inhibition::Way::severity:
      break;
  }
  return "the same, and more severe";
}

/// "on gateway", where that is not the alert's own host.
std::string elsewhere_text(const std::string& inhibitor, const Alert& alert, const AlertBook& book) {
  const Alert* source = book.find(inhibitor);
  if (source == nullptr || source->instance().empty() || source->instance() == alert.instance()) return {};
  return fmt::format("on {}", source->instance());
}

/// Receivers of vigil's own configuration know nothing of the rules of alertmanager.yml.
std::string rule_text(const std::string& rule, const Circumstances& circumstances) {
  const bool has_own = std::ranges::any_of(circumstances.receivers, is_own);
  return fmt::format("inhibition rule {}{}", rule,
                     has_own ? " on the routes of alertmanager.yml; not for receivers of notifications" : "");
}

void add_inhibitors(const Alert& alert, const Circumstances& circumstances, std::vector<Event>& out) {
  if (const Inhibition::Source* by = circumstances.inhibitor)
    out.push_back(
        {EventKind::inhibited, 0, by->name,
         joined(elsewhere_text(by->fingerprint, alert, circumstances.book), way_text(by->way, alert))});
  if (auto by = circumstances.grouping.inhibitor_of(alert, circumstances.book))
    out.push_back({EventKind::inhibited, 0, std::move(by->alert),
                   joined(elsewhere_text(by->fingerprint, alert, circumstances.book),
                          rule_text(by->rule, circumstances))});
}

std::string group_text(const std::string& key) {
  return key.empty() ? std::string() : "group " + key;
}

bool was_told_it_fires(const std::vector<Telling>& tellings, std::string_view receiver) {
  return std::ranges::any_of(tellings, [receiver](const Telling& telling) {
    return telling.receiver == receiver && telling.what != Telling::What::over;
  });
}

/// Of a message made at `made_ms`: what arrived before was another one.
std::int64_t arrival_of(std::int64_t made_ms, std::int64_t arrived_ms) {
  return arrived_ms >= made_ms ? arrived_ms : 0;
}

void add_telling(const Telling& telling, std::vector<Event>& out) {
  const std::string group = group_text(telling.group_key);
  const std::int64_t first_ms = arrival_of(telling.at_ms, telling.first_arrived_ms);
  const std::int64_t last_ms = arrival_of(telling.last_ms, telling.last_arrived_ms);
  switch (telling.what) {
    case Telling::What::over:
      return out.push_back({EventKind::told_over, telling.last_ms, telling.receiver, group, last_ms});
    case Telling::What::escalated:
      return out.push_back(
          {EventKind::escalated, telling.at_ms, telling.receiver, "since nobody acknowledged it", first_ms});
    case Telling::What::fires:
      out.push_back({EventKind::told, telling.at_ms, telling.receiver, group, first_ms});
  }
  if (telling.last_ms > telling.at_ms)
    out.push_back({EventKind::told_again, telling.last_ms, telling.receiver,
                   joined(group, fmt::format("{} times in all", telling.times)), last_ms});
}

/// Who was told what; of alerts from before tellings were kept what the alert knows.
void add_tellings(const std::vector<std::string>& notified, const std::vector<std::string>& escalated,
                  std::int64_t announced_ms, const Circumstances& circumstances, std::vector<Event>& out) {
  for (const Telling& telling : circumstances.tellings) add_telling(telling, out);
  for (const std::string& receiver : notified) {
    if (!was_told_it_fires(circumstances.tellings, receiver))
      out.push_back({EventKind::told, announced_ms, receiver, ""});
  }
  for (const std::string& receiver : escalated) {
    // Its channels were told, by their own names.
    const bool is_known = std::ranges::any_of(circumstances.tellings, [&receiver](const Telling& telling) {
      return telling.what == Telling::What::escalated && telling.receiver.starts_with(receiver + '/');
    });
    if (!is_known) out.push_back({EventKind::escalated, 0, receiver, "since nobody acknowledged it"});
  }
}

/// Those that would be told if it were another alert, or they were other receivers.
void add_not_told(const Labels& labels, const Circumstances& circumstances, std::vector<Event>& out) {
  for (NotTold& each : circumstances.grouping.not_told(labels))
    out.push_back({EventKind::not_told, 0, std::move(each.receiver), std::move(each.why)});
  for (const notify::ReceiverStats& stats : circumstances.receivers) {
    if (!is_own(stats) || notify::parse_severity(labels.get("severity")) >= stats.min_severity) continue;
    out.push_back({EventKind::not_told, 0, stats.receiver,
                   stats.min_severity == notify::Severity::critical
                       ? "takes critical alerts only"
                       : "takes warnings and critical alerts only"});
  }
}

/// When what is due then is said: not while a calendar mutes the route.
std::int64_t spoken_ms(const GroupTelling& telling, std::int64_t due_ms) {
  if (telling.mute.empty()) return due_ms;
  return telling.unmuted_ms == 0 ? 0 : std::max(due_ms, telling.unmuted_ms);
}

void add_groups(const std::string& fingerprint, bool is_repeated, bool is_over,
                const Circumstances& circumstances, std::vector<Event>& out) {
  for (const GroupTelling& telling :
       circumstances.grouping.tellings(fingerprint, is_repeated, circumstances.now_ms)) {
    const std::string text = group_text(telling.group_key);
    // A message that names hundreds leaves the others out.
    if (telling.told_ms != 0 && !was_told_it_fires(circumstances.tellings, telling.endpoint))
      out.push_back({EventKind::told, telling.told_ms, telling.endpoint, text});
    // Of what is over the next message is the last.
    const std::string next = joined(joined(is_over ? "that it is over" : "", text), telling.mute);
    if (telling.has_news) {
      out.push_back({EventKind::will_be_told, spoken_ms(telling, telling.next_ms), telling.endpoint, next});
    } else if (telling.repeat_ms != 0) {
      out.push_back(
          {EventKind::will_be_repeated, spoken_ms(telling, telling.repeat_ms), telling.endpoint, next});
    }
  }
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

bool is_telling(EventKind kind) {
  return kind == EventKind::told || kind == EventKind::told_again || kind == EventKind::escalated ||
         kind == EventKind::told_over;
}

bool is_given_up(const Undelivered& message) {
  return message.given_up_ms != 0;
}

/// Whether it is the message that an event is about. Nothing overtakes an earlier message about the same
/// alert, and what arrived after it was given up is a later one.
bool is_message_of(const Event& event, const Undelivered& message) {
  constexpr std::int64_t kSameMs = 1'000;  // between what is decided and its row
  if (message.receiver != event.by) return false;
  const std::int64_t later_ms = event.at_ms - message.created_ms;
  if (is_given_up(message))
    return std::abs(later_ms) <= kSameMs && (event.arrived_ms == 0 || event.arrived_ms > message.given_up_ms);
  return later_ms >= -kSameMs && event.arrived_ms == 0;
}

void mark_as(const Undelivered& message, const Circumstances& circumstances, Event& event) {
  if (event.kind == EventKind::told_over) event.text = joined("that it is over", event.text);
  event.kind = is_given_up(message) ? EventKind::given_up : EventKind::waits;
  event.text = joined(event.text, is_given_up(message) ? message.error : waits_for(message, circumstances));
  event.arrived_ms = 0;
  event.attempts = message.attempts;
  event.next_attempt_ms = is_given_up(message) ? 0 : message.next_attempt_ms;
}

/// What is in the outbox still was not told.
void mark_undelivered(const Circumstances& circumstances, std::vector<Event>& events) {
  for (Event& event : events) {
    if (!is_telling(event.kind) || event.at_ms == 0) continue;
    const auto message = std::ranges::find_if(
        circumstances.undelivered, [&event](const Undelivered& each) { return is_message_of(event, each); });
    if (message != circumstances.undelivered.end()) mark_as(*message, circumstances, event);
  }
}

/// While a silence or another alert holds it back nobody knows when what comes next will come.
void hold_what_comes(std::vector<Event>& events) {
  const bool is_held = std::ranges::any_of(events, [](const Event& event) {
    return event.kind == EventKind::silenced || event.kind == EventKind::maintenance ||
           event.kind == EventKind::inhibited;
  });
  if (!is_held) return;
  for (Event& event : events) {
    const bool comes = event.kind == EventKind::will_be_told || event.kind == EventKind::will_be_repeated ||
                       event.kind == EventKind::will_escalate;
    if (comes) event.at_ms = 0;
  }
}

std::pair<bool, std::int64_t> place_of(const Event& event) {
  return {event.at_ms == 0, event.at_ms};
}

/// For how long it must be true, and for how long it has been.
std::string progress_text(const Alert& alert) {
  std::string hold = for_text(alert.rule->hold);
  if (alert.held_ms == 0 || hold.empty()) return hold;
  return fmt::format("{}, so far {}", hold, format_duration(std::chrono::milliseconds(alert.held_ms)));
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
    case EventKind::unheard:
      return "unheard";
    case EventKind::maintenance:
      return "maintenance";
    case EventKind::maintenance_over:
      return "maintenance_over";
    case EventKind::told_again:
      return "told_again";
    case EventKind::escalated:
      return "escalated";
    case EventKind::told_over:
      return "told_over";
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
    case EventKind::not_told:
      return "not_told";
    case EventKind::action:
      return "action";
    case EventKind::will_be_repeated:
      break;
  }
  return "will_be_repeated";
}

void add_event(Event event, std::vector<Event>& events) {
  const auto place = std::ranges::upper_bound(events, place_of(event), {}, place_of);
  events.insert(place, std::move(event));
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
        {EventKind::will_fire, 0, "",
         fmt::format("true in {} of {} evaluations, so far {}", times.enough, times.of, alert.times_true)});
  } else {
    const std::int64_t left_ms = std::max<std::int64_t>(rule.hold.count() - alert.held_ms, 0);
    out.push_back({EventKind::will_fire, alert.last_true_ms + left_ms, "", progress_text(alert)});
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
  add_silences(alert.labels, circumstances.now_ms, circumstances, out);
  if (alert.state == State::firing && inhibits_by_name(alert)) say_it_frees(out);
  if (alert.state == State::firing)
    add_past_maintenances(alert.labels, {alert.fired_at_ms, 0}, circumstances, out);
  add_inhibitors(alert, circumstances, out);
  add_tellings(alert.notified, alert.escalated, alert.announced_ms, circumstances, out);
  add_groups(alert.fingerprint, alert.is_repeated(), false, circumstances, out);
  add_not_told(alert.labels, circumstances, out);
  add_runs(alert.fired_at_ms, circumstances.now_ms, circumstances, out);
  for (const NextTelling& next : circumstances.escalations)
    out.push_back({EventKind::will_escalate, next.at_ms, next.receiver, "if nobody acknowledges it"});
  mark_undelivered(circumstances, out);
  hold_what_comes(out);
  std::ranges::stable_sort(out, {}, place_of);
  return out;
}

std::vector<Event> explain(const AlertInfo& resolved, const Circumstances& circumstances) {
  std::vector<Event> out;
  out.push_back({EventKind::holds, resolved.active_since_ms, "", ""});
  out.push_back({EventKind::fires, resolved.fired_at_ms, "", ""});
  out.push_back({EventKind::over, resolved.resolved_at_ms, "", resolved.reason});
  if (const Acknowledgement& ack = resolved.acknowledgement)
    out.push_back({EventKind::acknowledged, ack.at_ms, ack.author, ack.comment});
  add_silences(resolved.labels, resolved.resolved_at_ms, circumstances, out);
  add_past_maintenances(resolved.labels, {resolved.fired_at_ms, resolved.resolved_at_ms}, circumstances, out);
  add_tellings(resolved.notified, resolved.escalated, resolved.announced_ms, circumstances, out);
  add_groups(resolved.fingerprint, true, true, circumstances, out);
  add_not_told(resolved.labels, circumstances, out);
  add_runs(resolved.fired_at_ms, resolved.resolved_at_ms + kEndIsNotedMs, circumstances, out);
  mark_undelivered(circumstances, out);
  std::ranges::stable_sort(out, {}, place_of);
  return out;
}

}  // namespace vigil::alerts
