#include "aggregator/alerts/escalation.h"

#include "aggregator/alerts/inhibition.h"
#include "aggregator/alerts/messages.h"
#include "common/log/log.h"
#include "common/text/human.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

namespace vigil::alerts {
namespace {

using DueTellings = std::vector<std::pair<std::string, NextTelling>>;  // by fingerprint

/// Those whose messages a silence or another alert holds back.
std::set<std::string> held_among(const DueTellings& due, const EscalationRound& round) {
  const Inhibition inhibition(round.book, muted_by(round.silences, round.now_ms));
  std::vector<AlertInfo> infos;
  std::set<std::string> held;
  for (const auto& [fingerprint, next] : due) {
    const Alert& alert = *round.book.find(fingerprint);
    infos.push_back(to_info(alert));
    if (!inhibition.inhibitor_of(alert).empty() || round.silences.is_muted(alert.labels, round.now_ms))
      held.insert(fingerprint);
  }
  round.grouping.mark_inhibited(infos, round.book);
  for (const AlertInfo& info : infos) {
    if (!info.inhibited_by.empty()) held.insert(info.fingerprint);
  }
  return held;
}

void tell(Alert& alert, const NextTelling& next, const EscalationRound& round) {
  auto note = firing_now(round.book, alert, round.external_url);
  const std::chrono::milliseconds since(round.now_ms - next.since_ms);
  const std::string_view summary = note.annotations.get("summary");
  note.annotations.set("summary", fmt::format("Nobody acknowledged it for {}. {}", format_age(since),
                                              summary.empty() ? note.alert : summary));
  log::info("alerts", "nobody acknowledged: escalated",
            {{"alert", alert.rule->name}, {"id", alert.fingerprint}, {"receiver", next.receiver}});
  if (next.is_of_file) {
    for (notify::Row& row : round.grouping.rows_to(next.receiver, note, round.now_ms))
      round.ledger.add_message(std::move(row), Telling::What::escalated);
    alert.escalated.push_back(next.receiver);
  } else {
    round.ledger.add_message({0, next.receiver, round.now_ms, 0, 0, note}, Telling::What::escalated);
    alert.notified.push_back(next.receiver);
  }
  round.ledger.note(alert.fingerprint);
}

/// When nobody else was told before it.
std::int64_t announced_ms(const Alert& alert) {
  return std::max(alert.fired_at_ms, alert.announced_ms);
}

/// When the first ones of its route were told; 0: not yet.
std::int64_t since_ms(const Alert& alert, const RouteEscalation& escalation, const Grouping& grouping) {
  if (!escalation.takes_first) return announced_ms(alert);
  const auto known = alert.first_told.find(escalation.first);
  const std::int64_t told_ms = known != alert.first_told.end()
                                   ? known->second
                                   : grouping.told_ms(alert.fingerprint, escalation.first).value_or(0);
  return told_ms == 0 ? 0 : std::max(alert.fired_at_ms, told_ms);
}

/// A group knows only its latest message.
void note_first_tellings(const EscalationRound& round) {
  std::vector<std::tuple<std::string, std::string, std::int64_t>> fresh;
  round.book.for_each([&](const Alert& alert) {
    if (alert.state != State::firing) return;
    for (const RouteEscalation& each : round.grouping.escalations_of(alert.labels, round.now_ms)) {
      if (alert.first_told.contains(each.first)) continue;
      if (const auto told_ms = round.grouping.told_ms(alert.fingerprint, each.first))
        fresh.emplace_back(alert.fingerprint, each.first, *told_ms);
    }
  });
  for (const auto& [fingerprint, receiver, told_ms] : fresh) {
    round.book.find(fingerprint)->first_told.emplace(receiver, told_ms);
    round.ledger.note(fingerprint);
  }
}

}  // namespace

std::vector<NextTelling> escalations_of(const Alert& alert, const Grouping& grouping,
                                        const notify::Notifier* notifier, std::int64_t now_ms) {
  std::vector<NextTelling> out;
  if (alert.state != State::firing || alert.acknowledgement || !alert.announced) return out;
  const auto add = [&](NextTelling next) {
    const auto& told = next.is_of_file ? alert.escalated : alert.notified;
    if (std::ranges::find(told, next.receiver) != told.end()) return;
    // Two routes or two steps may name the same one: the first of them tells it.
    const auto same = std::ranges::find_if(out, [&next](const NextTelling& other) {
      return other.receiver == next.receiver && other.is_of_file == next.is_of_file;
    });
    if (same == out.end()) {
      out.push_back(std::move(next));
    } else if (next.at_ms != 0 && (same->at_ms == 0 || next.at_ms < same->at_ms)) {
      *same = std::move(next);
    }
  };
  for (const RouteEscalation& each : grouping.escalations_of(alert.labels, now_ms)) {
    const std::int64_t since = since_ms(alert, each, grouping);
    add({each.step.receiver, since == 0 ? 0 : since + each.step.after.count(), true, since});
  }
  if (notifier != nullptr) {
    notify::Notification note;  // what receivers choose by
    note.severity = alert.severity();
    const std::int64_t since = announced_ms(alert);
    for (const notify::Notifier::Late& late : notifier->late_targets(note))
      add({late.receiver, since + late.after.count(), false, since});
  }
  return out;
}

void escalate(const EscalationRound& round) {
  note_first_tellings(round);
  DueTellings due;
  round.book.for_each([&](const Alert& alert) {
    for (NextTelling& next : escalations_of(alert, round.grouping, &round.notifier, round.now_ms)) {
      if (next.at_ms != 0 && next.at_ms <= round.now_ms) due.emplace_back(alert.fingerprint, std::move(next));
    }
  });
  if (due.empty()) return;
  const std::set<std::string> held = held_among(due, round);
  for (const auto& [fingerprint, next] : due) {
    if (!held.contains(fingerprint)) tell(*round.book.find(fingerprint), next, round);
  }
}

}  // namespace vigil::alerts
