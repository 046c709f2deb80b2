// What people are told of a maintenance, and what is looked at for it: checks before and after, containers
// that do not come back, and what fired meanwhile. Belongs to the alert service's worker.
#pragma once

#include "aggregator/alerts/acting.h"
#include "aggregator/alerts/alert_book.h"
#include "aggregator/alerts/meta_store.h"
#include "aggregator/alerts/receivers.h"
#include "aggregator/alerts/silencing.h"
#include "aggregator/notify/notification.h"
#include "aggregator/silences/silence.h"

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace vigil::alerts {

/// The rule_key of its messages, which are of no rule.
inline constexpr std::string_view kMaintenanceKey = "maintenance";

/// What is looked at for a message.
struct Surroundings {
  const AlertBook& book;
  /// Alerts that ended since then, for the digest.
  std::function<std::vector<EndedAlert>(std::int64_t since_ms)> ended;
  const Ask& ask;  // may be empty: then nothing is checked, and the message says so
  const Acting& acting;
  std::int64_t now_ms = 0;
};

/// The message of a step. At the begin it notes in `progress` what runs.
notify::Notification maintenance_message(const silences::Silence& silence, silences::MaintenanceStep step,
                                         silences::MaintenanceProgress& progress,
                                         const Surroundings& surroundings);

/// What a round of maintenances looks at, and where it puts what it says and how far they are.
struct MaintenanceRound {
  Silencing& silencing;
  MetaStore& store;
  const AlertBook& book;
  const Ask& ask;
  Acting& acting;
  Receivers receivers;
  Ledger& ledger;
  std::int64_t now_ms = 0;
  std::int64_t returned_ms = 0;  // by then hosts have dialled anew after our own start, or are down
};
/// Takes the steps that are due.
void maintain(const MaintenanceRound& round);

/// Maintenances that are not over and are to be told to somebody who is not among `receivers`, as those are
/// after a reload, in words.
std::vector<std::string> untold(const silences::SilenceBook& silences,
                                const std::vector<std::string>& receivers, std::int64_t now_ms);

}  // namespace vigil::alerts
