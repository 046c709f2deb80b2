#include "aggregator/calendar/tzif.h"
#include "tests/aggregator/calendar/times.h"

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

namespace vigil::calendar {
namespace {

const std::string kFolder = "/usr/share/zoneinfo";

std::string bytes_of(const std::string& name) {
  std::ifstream file(kFolder + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What the C library makes of it.
seconds offset_by_libc(std::int64_t t) {
  const std::time_t time = t;
  std::tm local{};
  ::localtime_r(&time, &local);
  return seconds(local.tm_gmtoff);
}

}  // namespace

TEST_CASE("local times around changes of the clock") {
  const auto f = [](const char* name, const char* at, const char* local) {
    INFO(name << " " << at);
    CHECK(print(zone(name)->to_local(utc_time(at))) == local);
  };
  f("UTC", "2026-07-01T12:00:00Z", "2026-07-01T12:00:00");
  f("Europe/Berlin", "2026-03-29T00:59:59Z", "2026-03-29T01:59:59");
  f("Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00");
  f("Europe/Berlin", "2026-10-25T00:59:59Z", "2026-10-25T02:59:59");
  f("Europe/Berlin", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00");
  f("Europe/Berlin", "2099-07-01T12:00:00Z", "2099-07-01T14:00:00");        // by the rule
  f("Australia/Lord_Howe", "2026-10-03T15:30:00Z", "2026-10-04T02:30:00");  // half an hour
  f("Asia/Kathmandu", "2026-01-01T00:00:00Z", "2026-01-01T05:45:00");
  f("America/St_Johns", "2026-11-01T04:30:00Z", "2026-11-01T01:00:00");
}

TEST_CASE(
    "a local time that does not exist is as late after the change as it says; one that exists twice is the "
    "first") {
  const auto f = [](const char* name, const char* local, const char* at) {
    INFO(name << " " << local);
    CHECK(print(zone(name)->to_utc(local_time(local))) == at);
  };
  f("Europe/Berlin", "2026-03-29T01:59:59", "2026-03-29T00:59:59Z");
  f("Europe/Berlin", "2026-03-29T02:00:00", "2026-03-29T01:00:00Z");  // 03:00 on the new clock
  f("Europe/Berlin", "2026-03-29T02:30:00", "2026-03-29T01:30:00Z");
  f("Europe/Berlin", "2026-03-29T03:00:00", "2026-03-29T01:00:00Z");
  f("Europe/Berlin", "2026-10-25T02:30:00", "2026-10-25T00:30:00Z");
  f("Europe/Berlin", "2026-10-25T03:00:00", "2026-10-25T02:00:00Z");
  f("America/New_York", "2060-03-14T02:30:00", "2060-03-14T07:30:00Z");
  f("America/New_York", "2060-11-07T01:30:00", "2060-11-07T05:30:00Z");
  f("Pacific/Apia", "2011-12-30T12:00:00", "2011-12-30T22:00:00Z");  // the whole day was left out
  f("Asia/Tehran", "2026-07-01T00:00:00", "2026-06-30T20:30:00Z");
}

TEST_CASE("the next change of the clock") {
  const auto f = [](const char* name, const char* after, const char* at) {
    INFO(name << " " << after);
    const auto next = zone(name)->next_change(utc_time(after));
    CHECK((next ? print(*next) : "never") == std::string(at));
  };
  f("UTC", "2026-01-01T00:00:00Z", "never");
  f("Asia/Tokyo", "2026-01-01T00:00:00Z", "never");
  f("Europe/Berlin", "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z");
  f("Europe/Berlin", "2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z");
  f("Europe/Berlin", "2080-11-01T00:00:00Z", "2081-03-30T01:00:00Z");
  f("America/Santiago", "2070-12-31T00:00:00Z", "2071-04-05T03:00:00Z");
}

TEST_CASE("every zone of this machine has the C library's offsets, and local times lead back") {
  namespace fs = std::filesystem;
  if (!fs::exists(kFolder + "/Europe/Berlin")) {
    WARN("tzdata is not installed: nothing to compare");
    return;
  }
  std::mt19937_64 random(20'261'129);
  std::uniform_int_distribution<std::int64_t> moments(-3'000'000'000, 7'000'000'000);  // 1874 to 2191
  std::size_t zones = 0, compared = 0;
  const char* const before = std::getenv("TZ");
  const std::string kept = before != nullptr ? before : "";
  for (const auto& entry : fs::recursive_directory_iterator(kFolder)) {
    const std::string name = entry.path().lexically_relative(kFolder).string();
    if (!entry.is_regular_file() || name.starts_with("right/") || name.starts_with("posix/")) continue;
    const std::string bytes = bytes_of(name);
    if (!bytes.starts_with("TZif")) continue;
    const auto parsed = parse_tzif(bytes, name);
    REQUIRE(parsed);
    ::setenv("TZ", (":" + entry.path().string()).c_str(), 1);
    ::tzset();
    ++zones;
    for (int i = 0; i < 60; ++i) {
      // Half of them at a change, where it matters.
      sys_seconds t{seconds(moments(random))};
      if (i % 2 == 1) t = parsed->next_change(t).value_or(t) - seconds(i % 4 == 1 ? 1 : 0);
      const std::int64_t unix_time = t.time_since_epoch().count();
      INFO(name << " " << unix_time);
      REQUIRE(parsed->offset_at(t) == offset_by_libc(unix_time));
      const sys_seconds back = parsed->to_utc(parsed->to_local(t));
      REQUIRE(back <= t);  // the first one
      REQUIRE(parsed->to_local(back) == parsed->to_local(t));
      ++compared;
    }
  }
  before != nullptr ? ::setenv("TZ", kept.c_str(), 1) : ::unsetenv("TZ");
  ::tzset();
  INFO(zones << " zones, " << compared << " moments");
  CHECK(zones > 300);
}

TEST_CASE("a zone's rule") {
  const auto f = [](const char* text, const char* at, int hours) {
    INFO(text << " " << at);
    const auto rule = parse_zone_rule(text);
    REQUIRE(rule);
    CHECK(rule->offset_at(utc_time(at)) == std::chrono::hours(hours));
  };
  f("CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T01:00:00Z", 2);
  f("<-03>3<-02>,M3.5.0/-1,M10.5.0/-0", "2030-03-31T00:59:59Z", -3);
  f("<-03>3<-02>,M3.5.0/-1,M10.5.0/-0", "2030-07-01T00:00:00Z", -2);
  f("AEST-10AEDT,M10.1.0,M4.1.0/3", "2030-01-01T00:00:00Z", 11);
  f("AEST-10AEDT,M10.1.0,M4.1.0/3", "2030-07-01T00:00:00Z", 10);
  f("XXX3EDT4,0/0,J365/23", "2030-12-31T23:30:00Z", -4);  // RFC 9636: summer time all year
  f("XXX3EDT4,0/0,J365/23", "2031-01-01T03:00:00Z", -4);
  f("EST5EDT,J60,299", "2028-03-01T07:00:00Z", -4);  // 1 March in a leap year, too
  f("EST5EDT,J60,299", "2028-03-01T06:59:59Z", -5);
  for (const char* wrong : {"", "CET", "C-1", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0",
                            "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J1",
                            "CET-1CEST,366,1", "CET-25", "<+1", "CET-1 ", "CET-1CEST,M3.5.0,M10.5.0/168"}) {
    INFO(wrong);
    CHECK_FALSE(parse_zone_rule(wrong));
  }
}

TEST_CASE("every part of a zone's file cut off is an error, never a crash") {
  for (const std::string name : {"Europe/Berlin", "UTC", "Pacific/Apia"}) {
    const std::string whole = bytes_of(name);
    if (whole.empty()) return;
    for (std::size_t size = 0; size < whole.size(); ++size)
      REQUIRE_FALSE(parse_tzif(whole.substr(0, size), name));
  }
}

TEST_CASE("zones are found by name, and only inside their folder") {
  Zones zones;
  CHECK(*zones.find("Europe/Berlin") == *zones.find("Europe/Berlin"));
  CHECK(zones.find("Local"));
  CHECK((*zones.find("UTC"))->name() == "UTC");
  const auto f = [&](const char* name, const char* message) {
    const auto found = zones.find(name);
    REQUIRE_FALSE(found);
    INFO(found.error().message);
    CHECK(found.error().message.find(message) != std::string::npos);
  };
  f("Europe/Belrin", "did you mean Europe/Berlin?");
  f("", "no time zone ''");
  f("../../../etc/passwd", "no time zone");
  f("/etc/localtime", "no time zone");
  f("Europe", "no time zone");
  f("zone.tab", "no time zone");
  const auto none = Zones("/nowhere").find("Europe/Berlin");
  REQUIRE_FALSE(none);
  CHECK(none.error().message ==
        "no time zone 'Europe/Berlin': /nowhere holds none; install the package tzdata");
}

}  // namespace vigil::calendar
