#include "aggregator/calendar/time_interval.h"

#include "tests/aggregator/calendar/times.h"

namespace vigil::calendar {
namespace {

TimeInterval in(const char* name) {
  TimeInterval interval;
  interval.zone = zone(name);
  return interval;
}

}  // namespace

TEST_CASE("a moment is inside an interval when it fits every list that is not empty") {
  const auto f = [](const TimeInterval& interval, const char* at, bool inside) {
    INFO(at);
    CHECK(interval.contains(utc_time(at)) == inside);
  };
  f(in("UTC"), "2026-11-29T00:00:00Z", true);

  TimeInterval work = in("Europe/Berlin");
  work.times = {{9 * 60, 17 * 60}};
  work.weekdays = {{1, 5}};
  f(work, "2026-11-27T08:00:00Z", true);  // a Friday, 09:00
  f(work, "2026-11-27T07:59:59Z", false);
  f(work, "2026-11-27T15:59:59Z", true);
  f(work, "2026-11-27T16:00:00Z", false);
  f(work, "2026-11-28T12:00:00Z", false);  // Saturday
  f(work, "2026-07-01T07:00:00Z", true);   // summer

  TimeInterval evening = in("UTC");
  evening.times = {{17 * 60, 24 * 60}, {0, 60}};
  f(evening, "2026-01-01T23:59:59Z", true);
  f(evening, "2026-01-01T00:59:59Z", true);
  f(evening, "2026-01-01T01:00:00Z", false);

  TimeInterval end_of_month = in("UTC");
  end_of_month.days_of_month = {{-3, -1}};
  f(end_of_month, "2026-02-25T00:00:00Z", false);
  f(end_of_month, "2026-02-26T00:00:00Z", true);
  f(end_of_month, "2028-02-26T00:00:00Z", false);
  f(end_of_month, "2028-02-29T00:00:00Z", true);
  end_of_month.days_of_month = {{29, 31}};
  f(end_of_month, "2026-02-28T00:00:00Z", false);
  f(end_of_month, "2026-03-29T00:00:00Z", true);
  end_of_month.days_of_month = {{20, -10}};
  f(end_of_month, "2026-02-19T00:00:00Z", false);
  f(end_of_month, "2026-03-22T00:00:00Z", true);
  f(end_of_month, "2026-03-23T00:00:00Z", false);

  TimeInterval years = in("Australia/Sydney");
  years.months = {{1, 3}, {12, 12}};
  years.years = {{2026, 2027}};
  f(years, "2025-12-31T13:00:00Z", true);  // 2026 in Sydney
  f(years, "2025-12-31T12:59:59Z", false);
  f(years, "2026-04-15T00:00:00Z", false);
}

TEST_CASE("an hour that clocks skip is empty, one that they repeat lasts two hours") {
  TimeInterval night = in("Europe/Berlin");
  night.times = {{2 * 60, 3 * 60}};
  const auto seconds_inside = [&](const char* from) {
    int count = 0;
    for (int minute = 0; minute < 24 * 60; ++minute)
      count += night.contains(utc_time(from) + std::chrono::minutes(minute)) ? 60 : 0;
    return count;
  };
  CHECK(seconds_inside("2026-03-28T12:00:00Z") == 0);
  CHECK(seconds_inside("2026-03-29T12:00:00Z") == 3600);
  CHECK(seconds_inside("2026-10-24T12:00:00Z") == 7200);
}

TEST_CASE("when a calendar next changes") {
  const auto f = [](const Calendar& calendar, const char* after, const char* at) {
    INFO(after);
    const auto next = calendar.next_change(utc_time(after));
    CHECK((next ? print(*next) : "never") == std::string(at));
  };
  f({"always", {in("UTC")}}, "2026-01-01T00:00:00Z", "never");
  f({"none", {}}, "2026-01-01T00:00:00Z", "never");

  TimeInterval work = in("Europe/Berlin");
  work.times = {{9 * 60, 17 * 60}};
  work.weekdays = {{1, 5}};
  f({"work", {work}}, "2026-11-27T08:00:00Z", "2026-11-27T16:00:00Z");
  f({"work", {work}}, "2026-11-27T16:00:00Z", "2026-11-30T08:00:00Z");
  f({"work", {work}}, "2026-03-27T16:00:00Z", "2026-03-30T07:00:00Z");  // over the change of the clock
  TimeInterval lunch = in("UTC");
  lunch.times = {{10 * 60, 20 * 60}};
  f({"both", {work, lunch}}, "2026-11-27T08:00:00Z", "2026-11-27T20:00:00Z");

  TimeInterval night = in("Europe/Berlin");
  night.times = {{2 * 60, 150}};
  f({"skipped", {night}}, "2026-03-28T12:00:00Z", "2026-03-30T00:00:00Z");
  f({"first", {night}}, "2026-10-24T12:00:00Z", "2026-10-25T00:00:00Z");
  f({"first ends", {night}}, "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z");
  f({"second", {night}}, "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z");
  f({"second ends", {night}}, "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z");

  TimeInterval leap = in("UTC");
  leap.months = {{2, 2}};
  leap.days_of_month = {{29, 29}};
  f({"leap day", {leap}}, "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z");
}

TEST_CASE(
    "the next change is the first minute at which the answer is another one, in several zones at once") {
  TimeInterval east = in("Pacific/Kiritimati");
  east.times = {{23 * 60, 24 * 60}, {0, 45}};
  TimeInterval west = in("America/Los_Angeles");
  west.times = {{90, 180}};
  west.weekdays = {{0, 0}};
  TimeInterval half_hour = in("Australia/Lord_Howe");
  half_hour.times = {{105, 125}};
  const Calendar calendar{"three", {east, west, half_hour}};
  for (const char* from :
       {"2026-03-07T00:00:00Z", "2026-04-03T00:00:00Z", "2026-10-02T00:00:00Z", "2026-10-31T00:00:00Z"}) {
    for (int start = 0; start < 3 * 24 * 60; start += 37) {
      const sys_seconds t = utc_time(from) + std::chrono::minutes(start);
      sys_seconds expected = t + std::chrono::minutes(1);
      while (calendar.contains(expected) == calendar.contains(t)) expected += std::chrono::minutes(1);
      INFO(print(t));
      REQUIRE(calendar.next_change(t) == expected);
    }
  }
}

}  // namespace vigil::calendar
