// Stretches of time as Alertmanager's `time_intervals` describe them: "from Monday to Friday, from 9:00 to
// 17:00, in Berlin". A moment is inside when it fits every list that is not empty, on the clock of the zone.
//
// Clocks that are changed need no rule of their own here: each moment has exactly one local time. From 02:00
// to 03:00 lasts no time at all in the night in which clocks skip it, and two hours in that in which they
// repeat it.
#pragma once

#include "aggregator/calendar/zone.h"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace vigil::calendar {

/// Both ends are inside.
struct Range {
  int first = 0;
  int last = 0;
};

/// Minutes of the day; the end is outside: 17:00 to 24:00 is 1020 to 1440.
struct MinuteRange {
  int begin = 0;
  int end = 0;
};

struct TimeInterval {
  std::vector<MinuteRange> times;
  std::vector<Range> weekdays;       // 0: Sunday
  std::vector<Range> days_of_month;  // from 1; -1 is the last one
  std::vector<Range> months;         // 1: January
  std::vector<Range> years;
  ZonePtr zone = utc();

  bool contains(sys_seconds t) const;
};

/// A name for some of them: a moment is inside when it is in any.
struct Calendar {
  std::string name;
  std::vector<TimeInterval> intervals;

  bool contains(sys_seconds t) const;
  /// When the answer to contains() will next be another one; nothing when it stays for the next ten years.
  std::optional<sys_seconds> next_change(sys_seconds t) const;
  /// Adds the moments of a day of UTC at which contains() may become another. Some are none: they only have
  /// to be tried.
  void add_edges(std::chrono::sys_days day, std::vector<sys_seconds>& out) const;
};

}  // namespace vigil::calendar
