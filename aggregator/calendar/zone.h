// A time zone: from UTC to the clock on the wall and back.
//
// The toolchain's <chrono> has calendars but no time zones yet (g++ 12), and localtime(3) knows only the zone
// of the process: so zones are read from zoneinfo's files (tzif.h).
//
// When clocks go forward some local times do not exist, when they go back some exist twice. What such a time
// means here is what RFC 5545, 3.3.5, says: one that does not exist is as late after the last second before
// the change as it says (02:30 is 03:30 on the new clock); of one that exists twice the first is meant.
#pragma once

#include "aggregator/calendar/zone_rule.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vigil::calendar {

class Zone {
 public:
  struct Change {
    sys_seconds at;
    seconds offset{};  // from then on
  };

  /// `changes` in ascending order; `rule` takes over at the last of them, or at all times if there are none.
  Zone(std::string name, seconds first_offset, std::vector<Change> changes, std::optional<ZoneRule> rule);

  const std::string& name() const { return name_; }
  seconds offset_at(sys_seconds t) const;
  local_seconds to_local(sys_seconds t) const;
  sys_seconds to_utc(local_seconds local) const;
  /// The first moment after `t` at which the offset is another one.
  std::optional<sys_seconds> next_change(sys_seconds t) const;

 private:
  std::string name_;
  seconds first_offset_;
  std::vector<Change> changes_;
  std::optional<ZoneRule> rule_;
};

using ZonePtr = std::shared_ptr<const Zone>;

/// UTC, which needs no file.
ZonePtr utc();

}  // namespace vigil::calendar
