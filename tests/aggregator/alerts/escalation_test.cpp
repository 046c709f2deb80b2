#include "aggregator/alerts/escalation.h"

#include "aggregator/alerts/silencing.h"
#include "tests/aggregator/alerts/service_run.h"

namespace vigil::alerts {
namespace {

using test::Run;
using test::TempDir;
using test::told;

constexpr std::size_t kHostDown = 2;  // of test::kRules

/// So that the next run does not send them again.
void deliver(Run& run, const std::vector<notify::Row>& rows) {
  for (const notify::Row& row : rows)
    run.service->delivered({{row.id}, notify::Outcome::delivered, 0, 0, ""});
}

}  // namespace

TEST_CASE("what nobody acknowledges goes to others, once over restarts, and so does its end") {
  const TempDir dir;
  {
    Run run(dir);
    run.recorder.has_late = true;
    run.evaluate(kHostDown, 100, {"web"});
    CHECK(told(run.recorder.wait_for(2)) == "HostDown firing to ops, HostDown firing to boss");
    run.now_ms = 699'000;
    std::this_thread::sleep_for(std::chrono::milliseconds(1200));
    CHECK(run.recorder.wait_for(2).size() == 2);  // not yet
    run.now_ms = 700'000;
    const auto rows = run.recorder.wait_for(3);
    CHECK(told(rows).ends_with(", HostDown firing to night"));
    deliver(run, rows);
  }
  Run again(dir, test::kRules, {}, {}, 701);
  again.recorder.has_late = true;
  again.evaluate(kHostDown, 702, {"web"});
  again.settle(1);
  again.evaluate(kHostDown, 703, {});
  CHECK(told(again.recorder.wait_for(3)) ==
        "HostDown resolved to ops, HostDown resolved to boss, HostDown resolved to night");
}

TEST_CASE("an acknowledgement stops an escalation, its withdrawal lets it go on") {
  const TempDir dir;
  Run run(dir);
  run.recorder.has_late = true;
  run.evaluate(kHostDown, 100, {"web"});
  run.recorder.wait_for(2);
  const std::string id = run.service->alerts().front().fingerprint;
  REQUIRE(acknowledge(*run.service, id, {"ada", "mine", 0}));
  CHECK(run.service->alerts().front().standing() == Standing::acknowledged);
  run.now_ms = 800'000;
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
  CHECK(run.recorder.wait_for(2).size() == 2);
  const auto explained = explain(*run.service, id);
  REQUIRE(explained);
  CHECK(std::ranges::none_of(explained->events,
                             [](const Event& event) { return event.kind == Event::Kind::will_escalate; }));
  REQUIRE(acknowledge(*run.service, id, {}));
  CHECK(told(run.recorder.wait_for(3)).ends_with(", HostDown firing to night"));
}

TEST_CASE("of several things to know of an alert its standing is the first that keeps messages back") {
  const auto f = [](Circumstance is, std::string_view word) { CHECK(to_string(standing_of(is)) == word); };
  f({.state = State::pending}, "pending");
  f({.state = State::pending, .has_no_data = true}, "no data");
  f({.state = State::firing}, "firing");
  f({.state = State::firing, .has_no_data = true, .is_flapping = true}, "flapping");
  f({.state = State::firing, .is_flapping = true, .is_acknowledged = true}, "acknowledged");
  f({.state = State::firing, .is_acknowledged = true, .is_inhibited = true}, "inhibited");
  f({.state = State::firing, .is_inhibited = true, .is_silenced = true}, "silenced");
  f({.state = State::firing, .is_silenced = true, .is_in_maintenance = true}, "in maintenance");
  f({.state = State::resolved, .is_silenced = true}, "resolved");
}

TEST_CASE("a maintenance tells its receivers, whatever they want to hear, once over restarts") {
  const TempDir dir;
  silences::Silence silence;
  silence.matchers = matchers::parse_matchers("instance=web")->matchers;
  silence.starts_ms = 200'000;
  silence.ends_ms = 300'000;
  silence.author = "ada";
  silence.comment = "CHG-1";
  silence.maintenance = silences::MaintenancePlan{"Upgrade", "no logins", {"night"}, {}, {}, {}};
  const auto summaries = [](const std::vector<notify::Row>& rows) {
    std::string out;
    for (const notify::Row& row : rows)
      out += fmt::format(
          "{}: {}\n", row.receiver,
          row.note.annotations.get("summary").substr(0, row.note.annotations.get("summary").find('\n')));
    return out;
  };
  {
    Run run(dir, test::kRules, {}, {}, 100);
    auto stranger = silence;
    stranger.maintenance->receivers = {"nobody"};
    const auto refused = put_silence(*run.service, stranger);
    REQUIRE(!refused);
    CHECK(refused.error().message == "there is no receiver nobody; there are ops, boss, night, web/chat");
    REQUIRE(put_silence(*run.service, silence));
    run.now_ms = 200'000;
    const auto rows = run.recorder.wait_for(1);
    deliver(run, rows);
    CHECK(summaries(rows) == "night: Upgrade has begun, until 1970-01-01 00:05 UTC\n");
    CHECK(rows.at(0).note.occasion == "Maintenance begins");
    CHECK(rows.at(0).note.title == "Upgrade on web until 1970-01-01 00:05 UTC");
    run.evaluate(kHostDown, 210, {"web"});
    run.settle(1);
    CHECK(run.service->alerts().front().standing() == Standing::maintenance);
  }
  Run again(dir, test::kRules, {}, {}, 220);
  again.evaluate(kHostDown, 221, {"web"});
  again.settle(1);
  again.now_ms = 300'000;
  const auto rows = again.recorder.wait_for(3);  // the end, and what fires still to those it is for
  CHECK(summaries({rows.front()}) == "night: Upgrade is over\n");
  CHECK(rows.front().note.occasion == "Maintenance ends");
  CHECK(rows.front().note.title == "Upgrade on web");
  const std::string digest(rows.front().note.annotations.get("summary"));
  CHECK(digest.find("Still firing: 1\n- HostDown on web (critical): 95, since 1970-01-01 00:03 UTC\n") !=
        std::string::npos);
  CHECK(rows.size() == 3);
}

}  // namespace vigil::alerts
