#include "aggregator/channels/time_format.h"

#include "aggregator/calendar/zones.h"
#include "tests/support/catch.h"

namespace vigil::channels {

TEST_CASE("times are written as Go's layouts say") {
  const auto f = [](std::string_view layout, std::string_view text) {
    INFO(layout);
    CHECK(format_time(layout, 1'795'269'605'250, *calendar::utc()) == text);
  };
  f("2006-01-02T15:04:05Z07:00", "2026-11-21T14:00:05Z");
  f("Mon, 02 Jan 2006 15:04:05 -0700", "Sat, 21 Nov 2026 14:00:05 +0000");
  f("Monday January _2 3:04PM MST", "Saturday November 21 2:00PM UTC");
  f("1/2/06 03:4:5 pm", "11/21/26 02:0:5 pm");
  f("15:04:05.000", "14:00:05.250");
  f("15:04:05.999999999", "14:00:05.25");
  f("002 __2", "325 325");
  f("Month of Janet", "Month of Janet");
  f("", "");
  f("%d{x}", "%d{x}");
}

TEST_CASE("times in a zone have its clock and its offset") {
  calendar::Zones zones;
  const auto berlin = zones.find("Europe/Berlin");
  REQUIRE(berlin);
  CHECK(format_time("2006-01-02 15:04 -07:00 Z07 MST", 1'795'269'605'000, **berlin) ==
        "2026-11-21 15:00 +01:00 +01 +01");
}

TEST_CASE("the zero time is the beginning of the year 1") {
  CHECK(format_time(kRfc3339, kZeroTimeMs, *calendar::utc()) == "0001-01-01T00:00:00Z");
}

}  // namespace vigil::channels
