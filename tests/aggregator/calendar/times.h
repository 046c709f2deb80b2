// Times of calendar tests, as people write them.
#pragma once

#include "aggregator/calendar/zones.h"
#include "common/text/human.h"
#include "tests/support/catch.h"

#include <chrono>
#include <string>
#include <string_view>

namespace vigil::calendar {

/// "2026-03-29T01:00:00Z"
inline sys_seconds utc_time(std::string_view text) {
  const auto ms = parse_time(text, 0);
  REQUIRE(ms);
  return std::chrono::floor<seconds>(
      std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(*ms)));
}
/// "2026-03-29T02:30:00", what a clock shows.
inline local_seconds local_time(const std::string& text) {
  return local_seconds(utc_time(text + "Z").time_since_epoch());
}
inline std::string print(sys_seconds t) {
  return format_rfc3339(std::chrono::milliseconds(t.time_since_epoch()).count());
}
inline std::string print(local_seconds t) {
  std::string text = print(sys_seconds(t.time_since_epoch()));
  text.pop_back();
  return text;
}
inline ZonePtr zone(std::string_view name) {
  Zones zones;
  const auto found = zones.find(name);
  REQUIRE(found);
  return *found;
}

}  // namespace vigil::calendar
