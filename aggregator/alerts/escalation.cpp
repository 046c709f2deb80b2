#include "aggregator/alerts/escalation.h"

#include <algorithm>

namespace vigil::alerts {

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

}  // namespace vigil::alerts
