// Why an alert is as it is, as people and programs read it.
#include "cli/commands/explanation.h"

#include "common/text/human.h"
#include "tests/support/catch.h"

#include <boost/json.hpp>
#include <string>

namespace vigil::cli {
namespace {

constexpr std::int64_t kMadeMs = 1'790'000'000'000;

v1::AlertEvent& add_event(v1::ExplainAlertResponse& explained, const std::string& kind) {
  v1::AlertEvent& event = *explained.add_events();
  event.set_kind(kind);
  event.set_at_ms(kMadeMs);
  event.set_by("ops");
  return event;
}

std::string table_of(const v1::ExplainAlertResponse& explained, std::int64_t now_ms) {
  return render(events_listing(explained, now_ms), Format::table, Colours::never);
}

std::string time_of_day(std::int64_t t_ms) {
  return format_local_time(t_ms).substr(11);
}

}  // namespace

TEST_CASE("what was told says when it arrived, with the day only where that is another one") {
  v1::ExplainAlertResponse explained;
  add_event(explained, "fires").set_text("for 2m");
  v1::AlertEvent& told = add_event(explained, "told");
  told.set_text("group {}:{}");
  told.set_arrived_ms(kMadeMs + 1'000);
  CHECK_THAT(table_of(explained, kMadeMs),
             Catch::Contains("arrived " + time_of_day(told.arrived_ms()) + "; group {}:{}") &&
                 Catch::Contains("fires  ops  for 2m\n"));
  told.set_arrived_ms(kMadeMs + 90'000'000);
  CHECK_THAT(table_of(explained, kMadeMs),
             Catch::Contains("arrived " + format_local_time(told.arrived_ms()) + "; group"));
  told.set_arrived_ms(0);
  CHECK_THAT(table_of(explained, kMadeMs), Catch::Contains("arrival unknown; group {}:{}"));
}

TEST_CASE("what was not told says how often it failed and when it is tried again") {
  v1::ExplainAlertResponse explained;
  v1::AlertEvent& waits = add_event(explained, "waits");
  waits.set_text("HTTP 429");
  CHECK_THAT(table_of(explained, kMadeMs), Catch::Contains("ops  HTTP 429"));
  waits.set_attempts(2);
  waits.set_next_attempt_ms(kMadeMs + 60'000);
  CHECK_THAT(table_of(explained, kMadeMs), Catch::Contains("not told yet") &&
                                               Catch::Contains("2 attempts failed, next at " +
                                                               time_of_day(kMadeMs + 60'000) + "; HTTP 429"));
  CHECK_THAT(table_of(explained, kMadeMs + 60'000), Catch::Contains("2 attempts failed; HTTP 429"));
  waits.set_kind("given_up");
  waits.set_attempts(1);
  CHECK_THAT(table_of(explained, kMadeMs + 60'000),
             Catch::Contains("not told, given up") && Catch::Contains("1 attempt failed; HTTP 429"));
}

TEST_CASE("programs have the times of messages apart from their texts") {
  v1::ExplainAlertResponse explained;
  v1::AlertEvent& told = add_event(explained, "told");
  told.set_text("group {}:{}");
  told.set_arrived_ms(kMadeMs + 1'000);
  add_event(explained, "waits").set_attempts(3);
  const auto events =
      boost::json::parse(render(events_listing(explained, kMadeMs), Format::json, Colours::never));
  CHECK(events.at(0).at("text").as_string() == "group {}:{}");
  CHECK(events.at(0).at("arrived_ms").as_int64() == kMadeMs + 1'000);
  CHECK(events.at(0).at("next_attempt_ms").is_null());
  CHECK(events.at(1).at("arrived_ms").is_null());
  CHECK(events.at(1).at("attempts").as_int64() == 3);
}

TEST_CASE("who is not told is named") {
  v1::ExplainAlertResponse explained;
  v1::AlertEvent& event = add_event(explained, "not_told");
  event.set_at_ms(0);
  event.set_text("takes critical alerts only");
  CHECK_THAT(table_of(explained, kMadeMs), Catch::Contains("not told  ops  takes critical alerts only"));
}

TEST_CASE("a rule says how long it must be true, and when it is over") {
  v1::RuleOutlook rule;
  rule.set_expression("temp > 50");
  CHECK(rule_text(rule) == "temp > 50");
  rule.set_for_ms(3'000);
  CHECK(rule_text(rule) == "temp > 50 for 3s");
  rule.set_keep_firing_for_ms(60'000);
  CHECK(rule_text(rule) == "temp > 50 for 3s; clears when not true for 1m");
  rule.set_clear("while temp > 40");
  CHECK(rule_text(rule) == "temp > 50 for 3s; clears when not (temp > 40) for 1m");
  rule.set_keep_firing_for_ms(0);
  rule.set_clear("until cooled == 1");
  rule.set_times_enough(3);
  rule.set_times_of(5);
  CHECK(rule_text(rule) == "temp > 50 for 3s, true in 3 of 5 evaluations; clears when cooled == 1");
}

}  // namespace vigil::cli
