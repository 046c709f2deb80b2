// On which days something happens again: the part of RFC 5545's RRULE that maintenance needs.
//
//   FREQ=DAILY;INTERVAL=2
//   FREQ=WEEKLY;BYDAY=MO,TH;UNTIL=20271231T235959Z
//   FREQ=MONTHLY;BYDAY=2TU            the second Tuesday; -1FR the last Friday
//   FREQ=MONTHLY;COUNT=12             on the day of the month it began on; months without it are left out
#pragma once

#include "aggregator/calendar/zone.h"
#include "common/error.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::calendar {

enum class Frequency : std::uint8_t { daily, weekly, monthly };

struct RecurrenceDay {
  int nth = 0;  // of the month: 2 the second, -1 the last, 0 each
  std::chrono::weekday weekday;
  friend bool operator==(const RecurrenceDay&, const RecurrenceDay&) = default;
};

struct Recurrence {
  Frequency frequency = Frequency::daily;
  int interval = 1;
  std::vector<RecurrenceDay> by_day;
  std::optional<sys_seconds> until;  // the last moment at which one may begin
  std::optional<int> count;
  friend bool operator==(const Recurrence&, const Recurrence&) = default;

  /// The days of the period `index` (0: the day, week from Monday, or month in which `first` lies), in order,
  /// none before `first`.
  std::vector<std::chrono::local_days> days_of_period(std::chrono::local_days first,
                                                      std::int64_t index) const;
  /// The period in which `day` lies, or the last one before it; negative before `first`.
  std::int64_t period_of(std::chrono::local_days first, std::chrono::local_days day) const;
};

/// The value of an RRULE. What is not listed above is refused by its name.
Result<Recurrence> parse_recurrence(std::string_view text);
std::string to_string(const Recurrence& recurrence);

}  // namespace vigil::calendar
