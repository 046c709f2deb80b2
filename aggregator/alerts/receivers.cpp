#include "aggregator/alerts/receivers.h"

#include <algorithm>
#include <set>

namespace vigil::alerts {

/// Those of vigil's own configuration.
std::vector<std::string> Receivers::plain() const {
  std::vector<std::string> names;
  if (notifier_ == nullptr) return names;
  for (const notify::ReceiverStats& each : notifier_->stats()) {
    if (!each.takes_groups && each.kind != "gone") names.push_back(each.receiver);
  }
  return names;
}

Result<void> Receivers::know(const std::vector<std::string>& names) const {
  std::vector<std::string> known = grouping_.receivers();
  for (std::string& name : plain()) known.push_back(std::move(name));
  for (const std::string& name : names) {
    if (std::ranges::find(known, name) != known.end()) continue;
    return fail(Errc::invalid_argument, "there is no receiver {}{}", name,
                known.empty() ? std::string(": none is configured")
                              : fmt::format("; there are {}", fmt::join(known, ", ")));
  }
  return {};
}

void Receivers::tell(const std::vector<std::string>& names, const notify::Notification& note,
                     std::int64_t now_ms, Ledger& ledger) const {
  if (notifier_ == nullptr) return;
  const std::vector<std::string> own = plain();
  for (const std::string& name : std::set<std::string>(names.begin(), names.end())) {  // once each
    for (notify::Row& row : grouping_.rows_to(name, note, now_ms)) ledger.add_message(std::move(row));
    if (std::ranges::find(own, name) != own.end()) ledger.add_message({0, name, now_ms, 0, 0, note});
  }
}

}  // namespace vigil::alerts
