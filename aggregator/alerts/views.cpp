#include "aggregator/alerts/escalation.h"
#include "aggregator/alerts/inhibition.h"
#include "aggregator/alerts/service.h"

#include <algorithm>

namespace vigil::alerts {

/// The one of alerts() whose id begins so, or of those that were over before.
Result<AlertInfo> Service::find(const std::string& id) {
  std::vector<AlertInfo> found = alerts();
  std::erase_if(found, [&id](const AlertInfo& info) { return !info.fingerprint.starts_with(id); });
  if (found.empty()) {
    auto over = id.empty() ? Result<std::optional<StoredAlert>>(std::nullopt) : store_.ended(id);
    if (!over) return over.error();
    if (*over) return to_info(with_rule(std::move(**over)));
    return fail(Errc::not_found, "no alert is called {}: `vigil alerts` lists their ids", id);
  }
  const AlertInfo& info = found.front();  // one that fires again is listed also as it ended
  if (std::ranges::any_of(found,
                          [&](const AlertInfo& other) { return other.fingerprint != info.fingerprint; }))
    return fail(Errc::invalid_argument, "{} is the beginning of several alerts' ids: write more of it", id);
  return info;
}

Result<Explanation> Service::explanation_of(const std::string& id) {
  const auto found = find(id);
  if (!found) return found.error();
  const AlertInfo& info = *found;
  const auto silences = silencing_.book();
  const auto receivers = notifier_ == nullptr ? std::vector<notify::ReceiverStats>() : notifier_->stats();
  const auto tellings = ledger_.tellings(info.fingerprint, info.fired_at_ms);
  if (!tellings) return tellings.error();
  std::set<std::int64_t> told_ms{info.announced_ms};
  for (const Telling& telling : *tellings) told_ms.insert({telling.at_ms, telling.last_ms});
  const auto undelivered = store_.undelivered(info.fingerprint, told_ms);
  if (!undelivered) return undelivered.error();
  const std::lock_guard lock(mutex_);
  const Alert* alert = book_.find(info.fingerprint);
  const bool fires = alert != nullptr && alert->state == State::firing;
  const Inhibition inhibition(book_, muted_by(*silences, options_.now_ms()));
  const Circumstances circumstances{
      *silences,
      fires ? inhibition.source_of(*alert) : nullptr,
      grouping_,
      book_,
      receivers,
      fires ? escalations_of(*alert, grouping_, notifier_, options_.now_ms()) : std::vector<NextTelling>(),
      acting_.of_alert(info.fingerprint),
      *undelivered,
      *tellings,
      options_.now_ms()};
  return Explanation{
      info, alert == nullptr ? alerts::explain(info, circumstances) : alerts::explain(*alert, circumstances)};
}

std::vector<AlertInfo> Service::alerts() const {
  std::vector<AlertInfo> out;
  const auto silences = silencing_.book();
  const std::int64_t now = options_.now_ms();
  {
    const std::lock_guard lock(mutex_);
    out = list_active(book_, Inhibition(book_, muted_by(*silences, now)));
    grouping_.mark_inhibited(out, book_);
    for (AlertInfo& info : out) {
      info.receivers = info.notified;
      for (std::string& name : grouping_.receivers_of(info.labels)) info.receivers.push_back(std::move(name));
      info.groups = grouping_.places_of(info.fingerprint);
    }
    out.insert(out.end(), resolved_.begin(), resolved_.end());
  }
  for (AlertInfo& info : out) {
    if (info.state == State::resolved) continue;
    for (const silences::Silence* silence : silences->muting(info.labels, now)) {
      info.silenced_by.push_back(silence->id);
      info.is_in_maintenance = info.is_in_maintenance || silence->maintenance;
    }
  }
  sort_worst_first(out);
  return out;
}

std::vector<RuleInfo> Service::rules() const {
  rules::RuleSetPtr rules;
  CountsByRule counts;
  {
    const std::lock_guard lock(mutex_);
    rules = rules_;
    counts = count_by_rule(book_);
  }
  return list_rules(*rules, counts);
}

RoutingPtr Service::routing() const {
  const std::lock_guard lock(mutex_);
  return grouping_.routing();
}

Counters Service::counters() const {
  const std::lock_guard lock(mutex_);
  Counters out = counters_;
  for (const auto& [rule, counts] : count_by_rule(book_)) {
    out.pending += counts.pending;
    out.firing += counts.firing;
  }
  out.superseded = inbox_.superseded();
  return out;
}

}  // namespace vigil::alerts
