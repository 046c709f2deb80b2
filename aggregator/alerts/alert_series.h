// ALERTS and ALERTS_FOR_STATE: the alerts of the book as series, as Prometheus writes them, for queries and
// for rules about alerts.
//
//   ALERTS{alertname, alertstate="pending"|"firing", labels of the alert}   1
//   ALERTS_FOR_STATE{alertname, labels of the alert}                        since when, in Unix seconds
//
// Belongs to the alert service's worker. What ended gets a staleness marker, also an alert's pending series
// when it fires.
#pragma once

#include "aggregator/alerts/alert_book.h"
#include "aggregator/rules/recording.h"

#include <cstdint>
#include <limits>
#include <string>
#include <unordered_map>
#include <vector>

namespace vigil::alerts {

class AlertSeries {
 public:
  /// What is to be stored now: alerts that changed, and those whose rule's interval has passed since they
  /// were written (a minute, when it is longer: an instant query looks back five).
  std::vector<rules::RecordedSample> write(const AlertBook& book, std::int64_t now_ms);

 private:
  struct Written {
    State state = State::inactive;
    Labels labels;  // of the alert
    promql::LabelsPtr alerts;
    promql::LabelsPtr for_state;
    std::int64_t last_ms = std::numeric_limits<std::int64_t>::min() / 2;  // never
    std::int64_t due_ms = 0;
    std::uint64_t round = 0;
  };
  static void put(const Alert& alert, Written& written, std::int64_t now_ms,
                  std::vector<rules::RecordedSample>& out);

  std::unordered_map<std::string, Written> written_;  // by fingerprint
  std::uint64_t round_ = 0;
};

}  // namespace vigil::alerts
