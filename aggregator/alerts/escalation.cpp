#include "aggregator/alerts/escalation.h"

#include "aggregator/alerts/inhibition.h"
#include "aggregator/alerts/messages.h"
#include "common/log/log.h"
#include "common/text/human.h"

#include <algorithm>
#include <set>
#include <utility>

namespace vigil::alerts {
namespace {

using DueTellings = std::vector<std::pair<std::string, NextTelling>>;  // by fingerprint

/// Those whose messages a silence or another alert holds back.
std::set<std::string> held_among(const DueTellings& due, const EscalationRound& round) {
  const Inhibition inhibition(round.book);
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
  const std::chrono::milliseconds since(round.now_ms - std::max(alert.fired_at_ms, alert.announced_ms));
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

}  // namespace

std::vector<NextTelling> escalations_of(const Alert& alert, const Grouping& grouping,
                                        const notify::Notifier* notifier, std::int64_t now_ms) {
  std::vector<NextTelling> out;
  if (alert.state != State::firing || alert.acknowledgement || !alert.announced) return out;
  const std::int64_t since_ms = std::max(alert.fired_at_ms, alert.announced_ms);
  const auto add = [&](const std::string& receiver, std::chrono::milliseconds after, bool is_of_file) {
    const auto& told = is_of_file ? alert.escalated : alert.notified;
    if (std::ranges::find(told, receiver) == told.end())
      out.push_back({receiver, since_ms + after.count(), is_of_file});
  };
  for (const routing::Escalation& each : grouping.escalations_of(alert.labels, now_ms))
    add(each.receiver, each.after, true);
  if (notifier != nullptr) {
    notify::Notification note;  // what receivers choose by
    note.severity = alert.severity();
    for (const notify::Notifier::Late& late : notifier->late_targets(note))
      add(late.receiver, late.after, false);
  }
  return out;
}

void escalate(const EscalationRound& round) {
  DueTellings due;
  round.book.for_each([&](const Alert& alert) {
    for (NextTelling& next : escalations_of(alert, round.grouping, &round.notifier, round.now_ms)) {
      if (next.at_ms <= round.now_ms) due.emplace_back(alert.fingerprint, std::move(next));
    }
  });
  if (due.empty()) return;
  const std::set<std::string> held = held_among(due, round);
  for (const auto& [fingerprint, next] : due) {
    if (!held.contains(fingerprint)) tell(*round.book.find(fingerprint), next, round);
  }
}

}  // namespace vigil::alerts
