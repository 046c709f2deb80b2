#include "tests/aggregator/calendar/times.h"
#include "tests/aggregator/routing/configurations.h"

namespace vigil::routing {
namespace {

std::string receivers(const Configuration& c, const Labels& labels) {
  std::string out;
  for (const Route* route : c.root.match(labels)) out += (out.empty() ? "" : ",") + route->receiver;
  return out;
}

}  // namespace

TEST_CASE("which routes have an alert") {
  const auto f = [](const Configuration& c, const Labels& labels, const char* expected) {
    INFO(labels.to_string());
    CHECK(receivers(c, labels) == expected);
  };
  const Configuration first = tree(
      "    - {matchers: [x=1], receiver: b}\n"
      "    - {matchers: ['x=~\"1|2\"'], receiver: c}\n");
  f(first, {}, "a");
  f(first, {{"x", "1"}}, "b");
  f(first, {{"x", "2"}}, "c");
  f(first, {{"x", "12"}}, "a");

  const Configuration on = tree(
      "    - {matchers: [x=1], receiver: b, continue: true}\n"
      "    - {matchers: [y=1], receiver: c, continue: true}\n"
      "    - {matchers: ['z!=\"\"'], receiver: d}\n");
  f(on, {{"x", "1"}, {"y", "1"}, {"z", "1"}}, "b,c,d");
  f(on, {{"x", "1"}}, "b");
  f(on, {{"z", "1"}}, "d");

  const Configuration deep = tree(
      "    - matchers: [x=1]\n"
      "      receiver: b\n"
      "      routes:\n"
      "        - {matchers: [y=1], receiver: c, continue: true}\n"
      "        - {matchers: [y=~\".+\"], receiver: d}\n"
      "    - {receiver: d}\n");
  f(deep, {{"x", "1"}}, "b");
  f(deep, {{"x", "1"}, {"y", "1"}}, "c,d");
  f(deep, {{"x", "1"}, {"y", "2"}}, "d");
  f(deep, {{"y", "1"}}, "d");

  // `continue` is the outer route's: what goes on below does not go on above.
  const Configuration outer = tree(
      "    - matchers: [x=1]\n"
      "      routes: [{matchers: [y=1], receiver: b, continue: true}]\n"
      "    - {matchers: [x=1], receiver: c}\n");
  f(outer, {{"x", "1"}, {"y", "1"}}, "b");
  f(outer, {{"x", "1"}}, "a");
}

TEST_CASE("the group of an alert") {
  const Configuration c = configuration(
      "route:\n  receiver: a\n  group_by: [alertname]\n  routes:\n"
      "    - {matchers: [x=1], group_by: [y, cluster]}\n"
      "    - {matchers: [x=2], group_by: ['...']}\n"
      "    - {matchers: [x=3], group_by: []}\n"
      "receivers: [{name: a}]\n");
  const auto f = [&](const Labels& labels, const char* key) {
    const auto to = c.root.match(labels);
    REQUIRE(to.size() == 1);
    CHECK(to[0]->group_key(to[0]->group_labels(labels)) == key);
  };
  f({{"alertname", "Down"}, {"instance", "i"}}, R"({}:{alertname="Down"})");
  f({{"instance", "i"}}, "{}:{}");
  f({{"x", "1"}, {"cluster", "eu"}, {"instance", "i"}}, R"({}/{x="1"}:{cluster="eu"})");
  f({{"x", "2"}, {"b", "c"}}, R"({}/{x="2"}:{b="c", x="2"})");
  f({{"x", "3"}, {"alertname", "Down"}}, R"({}/{x="3"}:{alertname="Down"})");
  // As Go's %q has it.
  f({{"alertname", "a\r\n\t\a\b\v\f\"\\"}}, R"({}:{alertname="a\r\n\t\a\b\v\f\"\\"})");
  f({{"alertname", "\x01\x1f\x7f\u0085\u00a9é"}}, R"({}:{alertname="\x01\x1f\x7f\u0085©é"})");
}

TEST_CASE("ids stay the same when another route comes before, and are one route's alone") {
  const auto ids = [](const Configuration& c) {
    std::vector<std::string> out;
    c.root.walk([&](const Route& route) { out.push_back(route.id); });
    return out;
  };
  CHECK(ids(tree("    - {matchers: [x=1], receiver: b, continue: true}\n"
                 "    - {matchers: [x=1], receiver: b}\n"
                 "    - {matchers: [x=1], receiver: c}\n")) ==
        std::vector<std::string>{"{} a", R"({}/{x="1"} b)", R"({}/{x="1"} b #2)", R"({}/{x="1"} c)"});
  CHECK(ids(tree("    - {matchers: [q=1]}\n    - {matchers: [b=2, a=1], receiver: b}\n")) ==
        std::vector<std::string>{"{} a", R"({}/{q="1"} a)", R"({}/{a="1",b="2"} b)"});
  CHECK(ids(tree("    - {matchers: ['{a=1,b=2}'], receiver: b}\n")).at(1) == R"({}/{a="1",b="2"} b)");
}

TEST_CASE("a route is muted by the time") {
  const Configuration c = configuration(
      "route:\n  receiver: a\n  routes:\n"
      "    - {matchers: [x=1], mute_time_intervals: [weekend, night]}\n"
      "    - {matchers: [x=2], active_time_intervals: [weekend, night]}\n"
      "    - {matchers: [x=3], active_time_intervals: [weekend], mute_time_intervals: [night]}\n"
      "receivers: [{name: a}]\n"
      "time_intervals:\n"
      "- name: weekend\n  time_intervals: [{weekdays: ['saturday', 'sunday']}]\n"
      "- name: night\n  time_intervals: [{times: [{start_time: '00:00', end_time: '06:00'}]}]\n");
  const auto f = [&](const char* x, const char* at, const char* expected) {
    INFO(x << " " << at);
    const auto to = c.root.match({{"x", x}});
    REQUIRE(to.size() == 1);
    const Mute mute = mute_of(*to[0], c.calendars, calendar::utc_time(at));
    CHECK(std::string(to_string(mute.muting)) + " " + mute.calendar == expected);
  };
  f("1", "2026-11-27T12:00:00Z", "none ");
  f("1", "2026-11-27T05:00:00Z", "muted night");
  f("1", "2026-11-28T05:00:00Z", "muted weekend");
  f("2", "2026-11-27T12:00:00Z", "inactive ");
  f("2", "2026-11-28T12:00:00Z", "none ");
  f("3", "2026-11-28T05:00:00Z", "muted night");
  f("3", "2026-11-28T12:00:00Z", "none ");
  f("3", "2026-11-27T12:00:00Z", "inactive ");
  f("4", "2026-11-27T12:00:00Z", "none ");
}

TEST_CASE("until when the calendar of a route holds its messages back") {
  const Configuration c = configuration(
      "route:\n  receiver: a\n  routes:\n"
      "    - {matchers: [x=1], mute_time_intervals: [weekend, night]}\n"
      "    - {matchers: [x=2], active_time_intervals: [work]}\n"
      "    - {matchers: [x=3], active_time_intervals: [work], mute_time_intervals: [lunch]}\n"
      "    - {matchers: [x=4], mute_time_intervals: [always]}\n"
      "    - {matchers: [x=5], mute_time_intervals: [past]}\n"
      "    - {matchers: [x=6], mute_time_intervals: [even, odd]}\n"
      "    - {matchers: [x=7], mute_time_intervals: [even]}\n"
      "receivers: [{name: a}]\n"
      "time_intervals:\n"
      "- name: weekend\n  time_intervals: [{weekdays: ['saturday', 'sunday'], location: Europe/Berlin}]\n"
      "- name: night\n  time_intervals: [{times: [{start_time: '00:00', end_time: '06:00'}], location: "
      "Europe/Berlin}]\n"
      "- name: work\n  time_intervals: [{times: [{start_time: '09:00', end_time: '17:00'}], weekdays: "
      "['monday:friday'], location: Europe/Berlin}]\n"
      "- name: lunch\n  time_intervals: [{times: [{start_time: '12:00', end_time: '13:00'}], location: "
      "America/New_York}]\n"
      "- name: always\n  time_intervals: [{times: [{start_time: '00:00', end_time: '24:00'}]}]\n"
      "- name: past\n  time_intervals: [{years: ['2026']}]\n"
      "- name: even\n  time_intervals: [{days_of_month: ['1:15']}]\n"
      "- name: odd\n  time_intervals: [{days_of_month: ['16:31']}]\n");
  const auto f = [&](const char* x, const char* at, const std::string& expected) {
    INFO(x << " " << at);
    const auto t = calendar::utc_time(at);
    const Route* route = c.root.match({{"x", x}}).at(0);
    CHECK(mute_text(*route, c.calendars, t, end_of_mute(*route, c.calendars, t)) == expected);
  };
  f("1", "2026-11-27T12:00:00Z", "");
  f("1", "2026-11-27T04:00:00Z", "muted by night until 2026-11-27 06:00 Europe/Berlin");
  // One calendar follows the other without a break: it speaks again after both.
  f("1", "2026-11-28T03:00:00Z", "muted by weekend until 2026-11-30 06:00 Europe/Berlin");
  // Over the nights in which clocks change the hour stays what the clock says.
  f("1", "2026-03-28T12:00:00Z", "muted by weekend until 2026-03-30 06:00 Europe/Berlin");
  f("2", "2026-03-27T20:00:00Z", "outside its active times until 2026-03-30 09:00 Europe/Berlin");
  f("2", "2026-10-23T20:00:00Z", "outside its active times until 2026-10-26 09:00 Europe/Berlin");
  f("3", "2026-11-27T12:00:00Z", "");
  f("4", "2026-11-27T12:00:00Z", "muted by always for more than a year");
  f("5", "2026-11-27T12:00:00Z", "muted by past until 2027-01-01 00:00 UTC");
  f("6", "2026-11-27T12:00:00Z", "muted by odd for more than a year");
  f("7", "2026-11-03T12:00:00Z", "muted by even until 2026-11-16 00:00 UTC");
  const auto of = [&](const char* x, const char* at) {
    return end_of_mute(*c.root.match({{"x", x}}).at(0), c.calendars, calendar::utc_time(at));
  };
  CHECK(of("2", "2026-03-27T20:00:00Z") == MuteEnd{calendar::utc_time("2026-03-30T07:00:00Z"), true});
  CHECK(of("2", "2026-10-23T20:00:00Z") == MuteEnd{calendar::utc_time("2026-10-26T08:00:00Z"), true});
  // At lunch in New York, which is the end of work in Berlin: not until the next day of work.
  CHECK(of("3", "2026-11-27T17:30:00Z") == MuteEnd{calendar::utc_time("2026-11-30T08:00:00Z"), true});
  CHECK_FALSE(of("4", "2026-11-27T12:00:00Z").is_known);
}

TEST_CASE("how far it is looked is bounded also where calendars change all day") {
  Route route;
  route.mute_calendars = {"even", "odd"};
  calendar::Calendar even{"even", {{}}};
  calendar::Calendar odd{"odd", {{}}};
  for (int minute = 0; minute < 24 * 60; minute += 2) {
    even.intervals[0].times.push_back({minute, minute + 1});
    odd.intervals[0].times.push_back({minute + 1, minute + 2});
  }
  const Calendars calendars{{"even", even}, {"odd", odd}};
  const auto t = calendar::utc_time("2026-11-27T12:00:00Z");
  const MuteEnd end = end_of_mute(route, calendars, t);
  CHECK_FALSE(end.is_known);
  CHECK(end.at > t + std::chrono::days(20));
  CHECK(mute_text(route, calendars, t, end).starts_with("muted by even at least until 2027-01-01 "));
}

}  // namespace vigil::routing
