// Routes as they are shown.
#include "aggregator/serve/route_messages.h"

#include "tests/aggregator/routing/configurations.h"
#include "tests/support/catch.h"

namespace vigil::aggregator {

TEST_CASE("routes are listed from above, with what calendars say of them now") {
  const auto configuration = routing::configuration(
      "route:\n  receiver: ops\n  group_by: [alertname]\n  routes:\n"
      "    - matchers: ['team=\"db\"', 'env!=\"test\"']\n      receiver: db\n      continue: true\n"
      "      routes: [{matchers: [severity=info], mute_time_intervals: [nights]}]\n"
      "    - {group_by: ['...'], active_time_intervals: [nights]}\n"
      "receivers: [{name: ops}, {name: db}]\n"
      "time_intervals: [{name: nights, time_intervals: [{times: [{start_time: '00:00', end_time: "
      "'06:00'}]}]}]\n");
  const auto at = [&](std::int64_t hour) {
    v1::ListRoutesResponse out;
    put_routes(configuration, {{"ops", {{.name = "slack[0]"}}}, {"db", {{.name = "slack[0]"}}}},
               (20'000 * 24 + hour) * 3'600'000, out);
    return out;
  };
  const auto night = at(3);
  REQUIRE(night.routes_size() == 4);
  CHECK(night.routes(0).depth() == 0);
  CHECK(night.routes(0).matchers_size() == 0);
  CHECK(night.routes(0).muting() == "none");
  CHECK(night.routes(1).matchers(0) == "env!=\"test\"");
  CHECK(night.routes(1).continues());
  CHECK(night.routes(1).group_by(0) == "alertname");
  CHECK(night.routes(2).depth() == 2);
  CHECK(night.routes(2).receiver() == "db");
  CHECK(night.routes(2).muting() == "muted");
  CHECK(night.routes(2).muted_by() == "nights");
  CHECK(night.routes(2).muted_until_ms() == (20'000 * 24 + 6) * 3'600'000LL);
  CHECK(night.routes(2).muted_text() == "muted by nights until 2024-10-04 06:00 UTC");
  CHECK(night.routes(3).depth() == 1);
  CHECK(night.routes(3).group_by(0) == "...");
  CHECK(night.routes(3).muting() == "none");
  const auto day = at(12);
  CHECK(day.routes(2).muting() == "none");
  CHECK(day.routes(2).muted_until_ms() == 0);
  CHECK(day.routes(3).muting() == "inactive");
  CHECK(day.routes(3).muted_text() == "outside its active times until 2024-10-05 00:00 UTC");
}

TEST_CASE("a route says when its receiver is told of nothing, or of critical alerts only") {
  const auto configuration = routing::configuration(
      "route: {receiver: ops, routes: [{receiver: og}, {receiver: sms, mute_time_intervals: [always]}, "
      "{receiver: sms}]}\nreceivers: [{name: ops}, {name: og}, {name: sms}]\n"
      "time_intervals: [{name: always, time_intervals: [{}]}]\n");
  v1::ListRoutesResponse out;
  put_routes(configuration,
             {{"ops", {{.name = "slack[0]"}}}, {"og", {}}, {"sms", {{.name = "a", .critical_only = true}}}},
             0, out);
  REQUIRE(out.routes_size() == 4);
  CHECK(out.routes(0).muted_text().empty());
  CHECK(out.routes(1).muted_text() == "told to nobody: receiver og has no channel vigil can use");
  CHECK(out.routes(1).muting() == "none");
  CHECK_THAT(out.routes(2).muted_text(),
             Catch::StartsWith("muted by always") && Catch::EndsWith("; takes critical alerts only"));
  CHECK(out.routes(3).muted_text() == "takes critical alerts only");
}

}  // namespace vigil::aggregator
