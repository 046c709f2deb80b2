#include "aggregator/alerts/escalation.h"
#include "aggregator/alerts/inhibition.h"
#include "aggregator/alerts/maintaining.h"
#include "aggregator/alerts/messages.h"
#include "aggregator/alerts/service.h"
#include "common/log/log.h"

#include <algorithm>

namespace vigil::alerts {

/// Who was told that an alert flaps is told once that it fires on and does not any more, when nothing holds
/// that back.
void Service::announce_calm() {
  if (notifier_ == nullptr || calmed_.empty()) return;
  const auto silences = silencing_.book();
  const std::int64_t now = options_.now_ms();
  const std::lock_guard lock(mutex_);
  const Inhibition inhibition(book_, muted_by(*silences, now));
  std::erase_if(calmed_, [&](const std::string& fingerprint) {
    Alert* alert = book_.find(fingerprint);
    if (alert == nullptr) return true;
    const bool is_held = !inhibition.inhibitor_of(*alert).empty() || silences->is_muted(alert->labels, now);
    if (alert->announced && is_held) return false;
    alert->calmed = false;
    ledger_.note(fingerprint);
    if (!alert->announced) return true;  // its first message is to come, and says how it is
    notify::Notification note = firing_now(book_, *alert, rules_->external_url());
    say_calm(note);
    note.key = fmt::format("{}-{}-calm-{}", fingerprint, alert->fired_at_ms, now);  // it may flap again
    // One that a reload took away would get a message that is given up at once.
    const std::vector<std::string> receivers = receivers_of(note);
    for (const std::string& receiver : alert->notified) {
      if (std::ranges::find(receivers, receiver) != receivers.end())
        ledger_.add_message({0, receiver, now, 0, 0, note});
    }
    return true;
  });
}

/// Of those that nobody was told of yet: what alertmanager.yml holds back from all who are to hear of it.
/// Only receivers of vigil's own configuration do not ask it.
std::set<std::string> Service::held_by_routes(std::int64_t now_ms) const {
  if (notifier_ == nullptr) return {};
  std::set<std::string> held = grouping_.held_among(unannounced_, book_, now_ms);
  std::erase_if(held, [this](const std::string& fingerprint) {
    notify::Notification note;  // what receivers choose by
    note.severity = book_.find(fingerprint)->severity();
    return !receivers_of(note).empty();
  });
  return held;
}

/// Puts the messages of firing alerts that nothing inhibits or silences (any more) into the outbox.
void Service::announce() {
  announce_calm();
  if (unannounced_.empty()) return;
  const auto silences = silencing_.book();
  const std::int64_t now = options_.now_ms();
  const std::lock_guard lock(mutex_);
  const Inhibition inhibition(book_, muted_by(*silences, now));
  const std::set<std::string> held = held_by_routes(now);
  for (auto next = unannounced_.begin(); next != unannounced_.end();) {
    Alert* alert = book_.find(*next);
    const bool inhibited = alert != nullptr && !inhibition.inhibitor_of(*alert).empty();
    if (inhibited || (alert != nullptr && silences->is_muted(alert->labels, now))) {
      if (held_back_.insert(*next).second) ++(inhibited ? counters_.inhibited : counters_.silenced);
      ++next;
      continue;
    }
    if (held.contains(*next)) {
      ++next;
      continue;
    }
    if (alert != nullptr) {
      acting_.fire(*alert, now);
      acting_.tell(*alert);
      say(*alert, notify::Kind::firing);
      alert->announced = true;
      alert->announced_ms = now;
      ledger_.note(alert->fingerprint);
    }
    held_back_.erase(*next);
    next = unannounced_.erase(next);
  }
}

/// Those that want it, at once or late.
std::vector<std::string> Service::receivers_of(const notify::Notification& note) const {
  std::vector<std::string> receivers = notifier_->targets(note);
  for (const auto& late : notifier_->late_targets(note)) receivers.push_back(late.receiver);
  return receivers;
}

/// One outbox row for each receiver: of a firing message those that want it, of a resolved one those among
/// them that were told of the firing.
void Service::say(Alert& alert, notify::Kind kind) {
  if (notifier_ == nullptr) return;
  const std::int64_t now = options_.now_ms();
  const bool begins = kind == notify::Kind::firing;
  const notify::Notification note = begins ? firing_now(book_, alert, rules_->external_url())
                                           : to_notification(alert, kind, rules_->external_url());
  for (const std::string& receiver : begins ? notifier_->targets(note) : receivers_of(note)) {
    if (begins) {
      alert.notified.push_back(receiver);
    } else if (std::find(alert.notified.begin(), alert.notified.end(), receiver) == alert.notified.end()) {
      continue;
    }
    ledger_.add_message({0, receiver, now, 0, 0, note});
  }
}

/// Puts the messages of groups that are due into the outbox.
void Service::tell_groups() {
  const std::int64_t now = options_.now_ms();
  if (notifier_ != nullptr && grouping_.is_due(now)) {
    const auto silences = silencing_.book();
    const std::lock_guard lock(mutex_);
    const Inhibition inhibition(book_, muted_by(*silences, now));
    const auto is_held = [&](const Alert& alert) {
      return !inhibition.inhibitor_of(alert).empty() || silences->is_muted(alert.labels, now);
    };
    for (notify::Row& row : grouping_.flush(book_, now, rules_->external_url(), is_held))
      ledger_.add_message(std::move(row));
  }
  ledger_.note_groups(grouping_.take_changed());
}

void Service::escalate() {
  if (notifier_ == nullptr) return;
  const std::int64_t now = options_.now_ms();
  const auto silences = silencing_.book();
  const std::lock_guard lock(mutex_);
  alerts::escalate({book_, grouping_, *notifier_, *silences, ledger_, rules_->external_url(), now});
}

void Service::maintain() {
  // The book is this thread's: others only read it.
  alerts::maintain({silencing_,
                    store_,
                    book_,
                    options_.ask,
                    acting_,
                    {grouping_, notifier_},
                    ledger_,
                    options_.now_ms(),
                    started_ms_ + options_.hosts_return.count()});
}

/// Alerts show what was done about them.
void Service::tell_runs() {
  const std::set<std::string> touched = acting_.touched();
  if (touched.empty()) return;
  const std::lock_guard lock(mutex_);
  for (const std::string& fingerprint : touched) {
    Alert* alert = book_.find(fingerprint);
    if (alert == nullptr) continue;
    acting_.tell(*alert);
    ledger_.note(fingerprint);
  }
  for (AlertInfo& over : resolved_) {
    if (touched.contains(over.fingerprint)) acting_.tell(over.fingerprint, over.fired_at_ms, over.evidence);
  }
}

void Service::delivered(notify::Delivery delivery) {
  std::erase(delivery.ids, 0);
  if (delivery.ids.empty() && !delivery.thread) return;
  worker_.insist([this, delivery = std::move(delivery)] {
    const auto done = store_.record(delivery, options_.now_ms());
    if (!done)
      log::warn("alerts", "cannot note a delivery; a restart would repeat it", {{"error", done.error()}});
    if (delivery.noted) delivery.noted();
  });
}

}  // namespace vigil::alerts
