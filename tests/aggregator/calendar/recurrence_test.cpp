#include "aggregator/calendar/recurring_window.h"
#include "tests/aggregator/calendar/times.h"

#include <vector>

namespace vigil::calendar {
namespace {

RecurringWindow window(const char* start, const char* length, const char* name, const char* rule) {
  const auto recurrence = parse_recurrence(rule);
  REQUIRE(recurrence);
  const auto duration = parse_duration(length);
  REQUIRE(duration);
  auto made = RecurringWindow::create(local_time(start), std::chrono::floor<seconds>(*duration), zone(name),
                                      *recurrence);
  REQUIRE(made);
  return *made;
}

/// When the next ones begin, `count` of them at most.
std::vector<std::string> begins(const RecurringWindow& window, const char* after, std::size_t count) {
  std::vector<std::string> out;
  sys_seconds t = utc_time(after);
  while (out.size() < count) {
    const auto next = window.next(t);
    if (!next) break;
    t = next->begin;
    out.push_back(print(t));
  }
  return out;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("recurrences are read and written") {
  for (const char* text :
       {"FREQ=DAILY", "FREQ=DAILY;INTERVAL=3;COUNT=5", "FREQ=WEEKLY;BYDAY=MO,TH;UNTIL=20271231T235959Z",
        "FREQ=MONTHLY;BYDAY=2TU,-1FR", "FREQ=MONTHLY"}) {
    const auto parsed = parse_recurrence(text);
    REQUIRE(parsed);
    CHECK(to_string(*parsed) == text);
  }
  CHECK(to_string(*parse_recurrence("RRULE:COUNT=2;FREQ=MONTHLY;BYDAY=+1MO")) ==
        "FREQ=MONTHLY;BYDAY=1MO;COUNT=2");
  const auto f = [](const char* text, const char* message) {
    const auto parsed = parse_recurrence(text);
    INFO(text);
    REQUIRE_FALSE(parsed);
    INFO(parsed.error().message);
    CHECK(parsed.error().message.find(message) != std::string::npos);
  };
  f("", "is not a recurrence");
  f("INTERVAL=2", "is not a recurrence");
  f("FREQ=YEARLY", "must be DAILY, WEEKLY or MONTHLY");
  f("FREQ=DAILY;FREQ=DAILY", "twice");
  f("FREQ=DAILY;INTERVAL=0", "1 to 1000");
  f("FREQ=DAILY;COUNT=x", "1 to 10000");
  f("FREQ=DAILY;COUNT=2;UNTIL=20271231T235959Z", "not both");
  f("FREQ=DAILY;UNTIL=20271231", "a time in UTC");
  f("FREQ=DAILY;UNTIL=20270231T000000Z", "a time in UTC");
  f("FREQ=WEEKLY;BYDAY=2TU", "needs FREQ=MONTHLY");
  f("FREQ=MONTHLY;BYDAY=6TU", "is not a day");
  f("FREQ=MONTHLY;BYDAY=", "is not a day");
  f("FREQ=WEEKLY;BYDAY=MO,TU,MO", "'MO' is there twice");
  f("FREQ=MONTHLY;BYDAY=1MO,+1MO", "'+1MO' is there twice");
  f("FREQ=MONTHLY;BYDY=MO", "did you mean BYDAY?");
  f("FREQ=MONTHLY;BYMONTHDAY=1", "is not supported");
}

TEST_CASE("windows come again on the days of their recurrence, at the same local time in summer and winter") {
  CHECK(
      begins(window("2026-03-27T22:00:00", "2h", "Europe/Berlin", "FREQ=DAILY"), "2026-03-27T00:00:00Z", 4) ==
      Texts{"2026-03-27T21:00:00Z", "2026-03-28T21:00:00Z", "2026-03-29T20:00:00Z", "2026-03-30T20:00:00Z"});
  CHECK(begins(window("2026-01-01T10:00:00", "1h", "UTC", "FREQ=DAILY;INTERVAL=3"), "2026-02-01T00:00:00Z",
               2) == Texts{"2026-02-03T10:00:00Z", "2026-02-06T10:00:00Z"});
  CHECK(begins(window("2026-01-01T10:00:00", "1h", "UTC", "FREQ=DAILY;BYDAY=SA,SU"), "2026-01-01T00:00:00Z",
               3) == Texts{"2026-01-03T10:00:00Z", "2026-01-04T10:00:00Z", "2026-01-10T10:00:00Z"});
  // Every second week; the start is a Thursday, the Monday of its week lies before it.
  CHECK(begins(window("2026-01-01T10:00:00", "1h", "UTC", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH"),
               "2026-01-01T00:00:00Z", 4) == Texts{"2026-01-01T10:00:00Z", "2026-01-12T10:00:00Z",
                                                   "2026-01-15T10:00:00Z", "2026-01-26T10:00:00Z"});
  CHECK(begins(window("2026-01-01T10:00:00", "1h", "UTC", "FREQ=WEEKLY"), "2030-01-01T00:00:00Z", 1) ==
        Texts{"2030-01-03T10:00:00Z"});
  CHECK(begins(window("2026-01-01T22:00:00", "1h", "Europe/Berlin", "FREQ=MONTHLY;BYDAY=2TU,-1FR"),
               "2026-01-01T00:00:00Z", 4) == Texts{"2026-01-13T21:00:00Z", "2026-01-30T21:00:00Z",
                                                   "2026-02-10T21:00:00Z", "2026-02-27T21:00:00Z"});
  CHECK(begins(window("2026-01-01T10:00:00", "1h", "UTC", "FREQ=MONTHLY;BYDAY=5MO,-5MO"),
               "2026-01-01T00:00:00Z", 4) == Texts{"2026-03-02T10:00:00Z", "2026-03-30T10:00:00Z",
                                                   "2026-06-01T10:00:00Z", "2026-06-29T10:00:00Z"});
  CHECK(begins(window("2026-01-31T10:00:00", "1h", "UTC", "FREQ=MONTHLY"), "2026-02-01T00:00:00Z", 2) ==
        Texts{"2026-03-31T10:00:00Z", "2026-05-31T10:00:00Z"});
  CHECK(begins(window("2028-02-29T10:00:00", "1h", "UTC", "FREQ=MONTHLY;INTERVAL=12"), "2028-03-01T00:00:00Z",
               1) == Texts{"2032-02-29T10:00:00Z"});
}

TEST_CASE("COUNT and UNTIL end it") {
  CHECK(begins(window("2026-01-01T10:00:00", "1h", "UTC", "FREQ=WEEKLY;BYDAY=MO,TH;COUNT=3"),
               "2026-01-01T00:00:00Z",
               9) == Texts{"2026-01-01T10:00:00Z", "2026-01-05T10:00:00Z", "2026-01-08T10:00:00Z"});
  CHECK(begins(window("2026-01-01T10:00:00", "1h", "UTC", "FREQ=DAILY;COUNT=3"), "2026-01-02T10:00:00Z", 9) ==
        Texts{"2026-01-03T10:00:00Z"});
  CHECK(begins(window("2026-01-01T10:00:00", "1h", "UTC", "FREQ=DAILY;UNTIL=20260102T100000Z"),
               "2026-01-01T00:00:00Z", 9) == Texts{"2026-01-01T10:00:00Z", "2026-01-02T10:00:00Z"});
}

TEST_CASE("in the nights in which clocks change") {
  // 02:30 does not exist on 29 March: it begins an hour later by UTC's count from midnight, at 03:30.
  const auto spring = window("2026-03-28T02:30:00", "1h", "Europe/Berlin", "FREQ=DAILY");
  CHECK(begins(spring, "2026-03-28T00:00:00Z", 3) ==
        Texts{"2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"});
  // It exists twice on 25 October: it begins once, at the first.
  const auto autumn = window("2026-10-24T02:30:00", "1h", "Europe/Berlin", "FREQ=DAILY");
  CHECK(begins(autumn, "2026-10-24T00:00:00Z", 3) ==
        Texts{"2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"});
  // Eight hours are eight hours.
  const auto night = window("2026-10-24T22:00:00", "8h", "Europe/Berlin", "FREQ=DAILY");
  const auto span = night.at(utc_time("2026-10-25T03:59:59Z"));
  REQUIRE(span);
  CHECK(print(span->end) == "2026-10-25T04:00:00Z");
  CHECK_FALSE(night.at(utc_time("2026-10-25T04:00:00Z")));
}

TEST_CASE("whether a moment lies in a window") {
  const auto f = [](const RecurringWindow& window, const char* at, const char* expected) {
    INFO(at);
    const auto span = window.at(utc_time(at));
    CHECK((span ? print(span->begin) + " to " + print(span->end) : "outside") == std::string(expected));
  };
  const auto monthly = window("2026-01-01T22:00:00", "26h", "UTC", "FREQ=MONTHLY;BYDAY=-1SA");
  f(monthly, "2025-12-27T23:00:00Z", "outside");
  f(monthly, "2026-01-31T21:59:59Z", "outside");
  f(monthly, "2026-01-31T22:00:00Z", "2026-01-31T22:00:00Z to 2026-02-02T00:00:00Z");
  f(monthly, "2026-02-01T23:59:59Z", "2026-01-31T22:00:00Z to 2026-02-02T00:00:00Z");
  f(monthly, "2026-02-02T00:00:00Z", "outside");
  f(monthly, "2126-01-26T22:00:00Z", "2126-01-26T22:00:00Z to 2126-01-28T00:00:00Z");
  // Longer than its period: the one that ends last.
  f(window("2026-01-01T00:00:00", "36h", "UTC", "FREQ=DAILY"), "2026-01-05T06:00:00Z",
    "2026-01-05T00:00:00Z to 2026-01-06T12:00:00Z");
  f(window("2026-01-01T00:00:00", "24h", "UTC", "FREQ=DAILY;COUNT=2"), "2026-01-02T23:59:59Z",
    "2026-01-02T00:00:00Z to 2026-01-03T00:00:00Z");
  f(window("2026-01-01T00:00:00", "24h", "UTC", "FREQ=DAILY;COUNT=2"), "2026-01-03T00:00:00Z", "outside");
}

TEST_CASE("windows that make no sense are refused") {
  const auto f = [](const char* start, seconds length, const char* rule, const char* message) {
    const auto made = RecurringWindow::create(local_time(start), length, utc(), *parse_recurrence(rule));
    REQUIRE_FALSE(made);
    INFO(made.error().message);
    CHECK(made.error().message.find(message) != std::string::npos);
  };
  f("2026-01-01T00:00:00", seconds(0), "FREQ=DAILY", "at least 1s and at most 31d");
  f("2026-01-01T00:00:00", std::chrono::days(32), "FREQ=DAILY", "at least 1s and at most 31d");
  f("9000-01-01T00:00:00", seconds(60), "FREQ=DAILY", "1970 to 8999");
  f("2026-01-01T00:00:00", seconds(60), "FREQ=DAILY;INTERVAL=7;BYDAY=MO", "never comes");  // a Thursday
  f("2026-01-01T00:00:00", seconds(60), "FREQ=DAILY;UNTIL=20251231T000000Z", "never comes");
}

TEST_CASE("asking from each moment gives what walking from the start gives") {
  for (const char* rule : {"FREQ=DAILY", "FREQ=DAILY;INTERVAL=5", "FREQ=WEEKLY;INTERVAL=3;BYDAY=SU,WE",
                           "FREQ=MONTHLY;BYDAY=1MO,-1SU", "FREQ=MONTHLY;INTERVAL=5"}) {
    const auto w = window("2026-01-29T01:30:00", "5h", "America/New_York", rule);
    std::vector<Span> all;
    for (auto next = w.next(sys_seconds::min()); next && next->begin < utc_time("2029-01-01T00:00:00Z");
         next = w.next(next->begin))
      all.push_back(*next);
    INFO(rule);
    REQUIRE(all.size() > 5);
    for (sys_seconds t = utc_time("2026-01-01T00:00:00Z"); t < all.back().begin;
         t += std::chrono::minutes(397)) {
      std::optional<Span> at, next;
      for (const Span& span : all) {
        if (span.begin <= t && t < span.end) at = span;
        if (!next && span.begin > t) next = span;
      }
      REQUIRE(w.at(t) == at);
      REQUIRE(w.next(t) == next);
    }
  }
}

}  // namespace vigil::calendar
