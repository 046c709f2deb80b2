#include "aggregator/alerts/escalation.h"

#include "aggregator/alerts/messages.h"

#include <algorithm>

namespace vigil::alerts {

std::vector<NextTelling> escalations_of(const Alert& alert, const Grouping& grouping,
                                        const notify::Notifier* notifier) {
  std::vector<NextTelling> out;
  if (alert.state != State::firing || alert.acknowledgement) return out;
  const auto add = [&](const std::string& receiver, std::chrono::milliseconds after, bool is_of_file) {
    const auto& told = is_of_file ? alert.escalated : alert.notified;
    if (std::ranges::find(told, receiver) == told.end())
      out.push_back({receiver, alert.fired_at_ms + after.count(), is_of_file});
  };
  for (const routing::Escalation& each : grouping.escalations_of(alert.labels))
    add(each.receiver, each.after, true);
  if (notifier != nullptr) {
    const auto note = to_notification(alert, notify::Kind::firing, "");
    for (const notify::Notifier::Late& late : notifier->late_targets(note))
      add(late.receiver, late.after, false);
  }
  return out;
}

}  // namespace vigil::alerts
