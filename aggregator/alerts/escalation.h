// Whom an alert goes to when nobody comes: receivers with a time of their own in vigil's configuration, and
// those that routes of alertmanager.yml name. An acknowledgement stops all of it.
#pragma once

#include "aggregator/alerts/alert.h"
#include "aggregator/alerts/alert_book.h"
#include "aggregator/alerts/grouping.h"
#include "aggregator/alerts/ledger.h"
#include "aggregator/notify/notifier.h"
#include "aggregator/silences/silence_book.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::alerts {

struct NextTelling {
  std::string receiver;
  std::int64_t at_ms = 0;     // 0: nobody can tell, for those who are to hear of it before were not told yet
  bool is_of_file = false;    // a receiver of alertmanager.yml
  std::int64_t since_ms = 0;  // when the first ones were told; as at_ms
};

/// Who is still to be told of a firing alert, and when, counted from when the first ones were told: of a
/// route of alertmanager.yml its own receiver, or where that one hears of no such alert, from when it fired.
/// None while somebody looks after it, while its messages are held back from the first on, and of routes that
/// a calendar mutes now. `notifier` may be null.
std::vector<NextTelling> escalations_of(const Alert& alert, const Grouping& grouping,
                                        const notify::Notifier* notifier, std::int64_t now_ms);

/// What a round of escalations looks at, and where it puts what it says.
struct EscalationRound {
  AlertBook& book;
  const Grouping& grouping;
  const notify::Notifier& notifier;
  const silences::SilenceBook& silences;
  Ledger& ledger;
  std::string_view external_url;
  std::int64_t now_ms = 0;
};
/// Tells those whose time has come, once each; nobody of an alert whose messages are held back. Notes in the
/// alerts when the receivers of their routes were told first.
void escalate(const EscalationRound& round);

}  // namespace vigil::alerts
