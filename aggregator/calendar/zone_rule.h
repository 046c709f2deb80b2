// The rule behind the last line of a TZif file, "CET-1CEST,M3.5.0,M10.5.0/3": what the clocks do in every
// year after the last change the file lists. The format is that of TZ in POSIX, with the hours of RFC 9636
// (-167 to 167).
#pragma once

#include "common/error.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace vigil::calendar {

using std::chrono::local_seconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;

/// When in a year clocks are changed, on the clock that is valid until then.
struct YearlyChange {
  enum class Kind : std::uint8_t {
    nth_weekday,       // Mm.w.d: weekday d of week w of month m; week 5: the last one
    day_without_leap,  // Jn: 1 to 365, 29 February is never counted
    day                // n: 0 to 365, 29 February is counted
  };
  Kind kind = Kind::nth_weekday;
  unsigned month = 1;
  unsigned week = 1;
  unsigned weekday = 0;  // 0: Sunday
  unsigned day = 0;
  seconds time{};  // of that day
};

struct ZoneRule {
  struct Summer {
    seconds offset{};
    YearlyChange begin;
    YearlyChange end;
  };
  seconds offset{};  // local time is UTC and this; east is positive, unlike in the text
  std::optional<Summer> summer;

  seconds offset_at(sys_seconds t) const;
  /// The first moment after `t` at which the offset is another one.
  std::optional<sys_seconds> next_change(sys_seconds t) const;
};

Result<ZoneRule> parse_zone_rule(std::string_view text);

}  // namespace vigil::calendar
