// What maintenances that are over did to an alert: until when each held its messages back, and what its
// digest said of it. Pure.
#pragma once

#include "aggregator/alerts/explanation.h"
#include "aggregator/silences/silence_book.h"
#include "common/series.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vigil::alerts {

/// When an alert fired, and when it was over; 0: it fires still.
struct FiringTime {
  std::int64_t fired_ms = 0;
  std::int64_t over_ms = 0;
};

/// What is known of maintenances, as of now.
struct KnownMaintenances {
  const silences::SilenceBook& silences;
  std::vector<std::string> receivers;  // that there are
  std::int64_t now_ms = 0;
};

/// An event of each, of those whose latest time lay within the alert's. Earlier times of one that comes again
/// are not known any more, nor are those that ended more than 5 days ago.
std::vector<Event> past_maintenances(const Labels& labels, const FiringTime& alert,
                                     const KnownMaintenances& known);

}  // namespace vigil::alerts
