// Receivers by their names, of vigil's own configuration and of alertmanager.yml: for messages that no route
// and no severity decides about.
#pragma once

#include "aggregator/alerts/grouping.h"
#include "aggregator/alerts/ledger.h"
#include "aggregator/notify/notifier.h"
#include "common/error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vigil::alerts {

class Receivers {
 public:
  /// `notifier` may be null: then nobody is there.
  Receivers(const Grouping& grouping, const notify::Notifier* notifier)
      : grouping_(grouping), notifier_(notifier) {}

  /// Errc::invalid_argument names the one that is not there, and those that are.
  Result<void> know(const std::vector<std::string>& names) const;
  /// Puts a message for each of them into the ledger.
  void tell(const std::vector<std::string>& names, const notify::Notification& note, std::int64_t now_ms,
            Ledger& ledger) const;

 private:
  std::vector<std::string> plain() const;

  const Grouping& grouping_;
  const notify::Notifier* notifier_;
};

}  // namespace vigil::alerts
