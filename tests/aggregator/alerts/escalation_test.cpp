#include "aggregator/alerts/escalation.h"

#include "aggregator/alerts/silencing.h"
#include "tests/aggregator/alerts/service_run.h"
#include "tests/aggregator/routing/configurations.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace vigil::alerts {
namespace {

using test::Run;
using test::TempDir;
using test::told;

constexpr std::size_t kHostDown = 2;  // of test::kRules

/// A route that waits 30 s, tells `slow`, and 6 s later `boss`.
RoutingPtr routing_of(std::string_view more = "") {
  auto routing = std::make_shared<Routing>();
  routing->configuration = vigil::routing::configuration(fmt::format(R"(
route:
  receiver: slow
  group_by: [alertname]
  group_wait: 30s
  group_interval: 2s
  escalate: [{{after: 6s, receiver: boss}}]
  {}
time_intervals: [{{name: first_hour, time_intervals: [{{times: [{{start_time: '00:00', end_time: '01:00'}}]}}]}}]
receivers: [{{name: slow}}, {{name: boss}}]
)",
                                                                     more));
  routing->channels["slow"] = routing->channels["boss"] = {{"chat", true}};
  routing->endpoint_name = [](std::string_view receiver, std::string_view channel) {
    return fmt::format("{}/{}", receiver, channel);
  };
  return routing;
}

/// An alert that fires and was announced, its groups, and what comes next of it.
struct Firing {
  Firing(RoutingPtr routing, std::int64_t at_ms) : grouping(std::move(routing)) {
    Alert alert;
    alert.rule = test::rules_of(test::kRules)->rules()[0];
    alert.fingerprint = "f";
    alert.labels = Labels{{"alertname", "Full"}, {"instance", "a"}, {"severity", "warning"}};
    alert.series = std::make_shared<const Labels>(alert.labels);
    alert.state = State::firing;
    alert.announced = true;
    alert.fired_at_ms = alert.announced_ms = at_ms;
    grouping.fire(alert, at_ms);
    book.restore(alert);
  }
  void flush(std::int64_t now_ms) {
    static_cast<void>(grouping.flush(book, now_ms, "", [](const Alert&) { return false; }));
  }
  /// "boss at 37000 since 31000".
  std::string next(std::int64_t now_ms) const {
    std::string out;
    for (const NextTelling& each : escalations_of(*book.find("f"), grouping, nullptr, now_ms))
      out += fmt::format("{} at {} since {}", each.receiver, each.at_ms, each.since_ms);
    return out;
  }

  AlertBook book{AlertBookOptions{}};
  Grouping grouping;
};

/// How many milliseconds after the begin who is next is told; 0: nobody knows.
std::int64_t will_escalate_ms(Run& run, std::string_view instance) {
  for (const AlertInfo& alert : run.service->alerts()) {
    if (alert.instance != instance) continue;
    const auto explained = explain(*run.service, alert.fingerprint);
    REQUIRE(explained);
    for (const Event& event : explained->events) {
      if (event.kind == Event::Kind::will_escalate) return event.at_ms;
    }
  }
  return -1;
}

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

TEST_CASE("who is named by two steps that are due at once is told once, and at the first of them") {
  const TempDir dir;
  Run run(dir);
  run.recorder.has_late = run.recorder.has_two_steps = true;
  run.evaluate(kHostDown, 100, {"web"});
  run.recorder.wait_for(2);
  const auto explained = explain(*run.service, run.service->alerts().front().fingerprint);
  REQUIRE(explained);
  std::vector<std::int64_t> times;
  for (const Event& event : explained->events) {
    if (event.kind == Event::Kind::will_escalate) times.push_back(event.at_ms);
  }
  CHECK(times == std::vector<std::int64_t>{700'000});
  run.now_ms = 5'000'000;
  CHECK(told(run.recorder.wait_for(3)) ==
        "HostDown firing to ops, HostDown firing to boss, HostDown firing to night");
}

TEST_CASE("an escalation counts from the first message of its route, however long its group waits") {
  Firing alert(routing_of(), 1'000);
  CHECK(alert.next(20'000) == "boss at 0 since 0");
  alert.flush(31'000);
  CHECK(alert.next(32'000) == "boss at 37000 since 31000");
}

TEST_CASE("an escalation counts from the first message behind a calendar, not from when it fired") {
  Firing alert(routing_of(R"(routes: [{matchers: ['severity!=""'], mute_time_intervals: [first_hour]}])"),
               1'000);
  alert.flush(31'000);
  CHECK(alert.next(40'000).empty());
  CHECK(alert.next(3'600'000) == "boss at 0 since 0");
  alert.flush(3'601'000);
  CHECK(alert.next(3'602'000) == "boss at 3607000 since 3601000");
}

TEST_CASE("where the route's own receiver hears of no such alert the escalation counts from when it fired") {
  const auto routing = std::make_shared<Routing>(*routing_of());
  routing->channels["slow"].clear();
  CHECK(Firing(routing, 1'000).next(2'000) == "boss at 7000 since 1000");
}

TEST_CASE("nobody is escalated to who has no channel, and that is said") {
  const auto routing = std::make_shared<Routing>(*routing_of());
  routing->channels["boss"].clear();
  Firing alert(routing, 1'000);
  alert.flush(31'000);
  CHECK(alert.next(32'000).empty());
  const auto not_told = alert.grouping.not_told(alert.book.find("f")->labels);
  REQUIRE(not_told.size() == 1);
  CHECK(not_told[0].receiver == "boss");
  CHECK(not_told[0].why == "has no channel vigil can use");
}

TEST_CASE("later messages of its group, and a restart, do not put an escalation off") {
  const TempDir dir;
  const auto routing = std::make_shared<Routing>(*routing_of());
  const auto steps = [&](Run& run, std::int64_t second, const std::vector<std::string>& hosts) {
    const std::uint64_t before = run.service->counters().evaluations;
    run.evaluate(0, second, hosts);
    run.settle(before + 1);
  };
  {
    Run run(dir, test::kRules, {}, routing, 1);
    steps(run, 2, {"a"});
    steps(run, 32, {"a"});
    for (int i = 0; i < 1000 && will_escalate_ms(run, "a") != 38'000; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    std::this_thread::sleep_for(std::chrono::milliseconds(1200));  // a beat
    run.now_ms = 36'000;
    steps(run, 36, {"a", "b"});
    run.now_ms = 37'000;
    CHECK(will_escalate_ms(run, "a") == 38'000);
  }
  Run again(dir, test::kRules, {}, routing, 37);
  CHECK(will_escalate_ms(again, "a") == 38'000);
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
  silence.maintenance = silences::MaintenancePlan{"Upgrade", "no logins", {"night", "night"}, {}, {}, {}};
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

namespace {

/// The service with hosts that are heard when the test says so.
struct Watched {
  Watched(const TempDir& dir, std::int64_t start_s)
      : now_ms(start_s * 1000), rules(test::rules_of(test::kRules)) {
    AlertServiceOptions options{dir.file("meta.db"), [this] { return now_ms.load(); }, {}};
    options.hosts_return = std::chrono::seconds(75);
    options.ask = [this](std::string_view expr,
                         std::int64_t) -> Result<std::vector<std::pair<Labels, double>>> {
      std::vector<std::pair<Labels, double>> out;
      if (expr == R"(up{job="node", instance="web"})" && is_heard) out.push_back({Labels{}, 1});
      return out;
    };
    auto opened = AlertService::open(options, rules);
    REQUIRE(opened);
    service = std::move(*opened);
    service->set_notifier(recorder);
    service->start();
  }
  ~Watched() { service->stop(); }
  /// Titles of what was told by then.
  std::string told_at(std::int64_t second) {
    now_ms = second * 1000;
    static_cast<void>(expire_silence(*service, "none"));  // looks at maintenances, too
    static_cast<void>(explain(*service, "none"));
    std::string out;
    for (const notify::Row& row : recorder.wait_for(0)) out += row.note.occasion + "; ";
    return out;
  }

  std::atomic<std::int64_t> now_ms;
  std::atomic<bool> is_heard = false;
  rules::RuleSetPtr rules;
  test::Recorder recorder;
  std::unique_ptr<AlertService> service;
};

/// One from 200 s to 300 s, begun in a run of its own.
void begin_maintenance(const TempDir& dir) {
  silences::Silence silence;
  silence.matchers = matchers::parse_matchers("instance=web")->matchers;
  silence.starts_ms = 200'000;
  silence.ends_ms = 300'000;
  silence.author = "ada";
  silence.comment = "CHG-1";
  silence.maintenance = silences::MaintenancePlan{"Upgrade", "", {"night"}, {}, {}, {}};
  Watched run(dir, 100);
  REQUIRE(put_silence(*run.service, silence));
  CHECK(run.told_at(200) == "Maintenance begins; ");
  for (const notify::Row& row : run.recorder.wait_for(1))
    run.service->delivered({{row.id}, notify::Outcome::delivered, 0, 0, ""});
}

}  // namespace

TEST_CASE("a maintenance that ended while nobody looked is checked once its hosts are heard again") {
  const TempDir dir;
  begin_maintenance(dir);
  Watched run(dir, 400);
  CHECK(run.told_at(401).empty());
  run.is_heard = true;
  CHECK(run.told_at(402) == "Maintenance ends; ");
}

TEST_CASE("a maintenance that ended while nobody looked does not wait for hosts that are down") {
  const TempDir dir;
  begin_maintenance(dir);
  Watched run(dir, 400);
  CHECK(run.told_at(474).empty());
  CHECK(run.told_at(475) == "Maintenance ends; ");
}

}  // namespace vigil::alerts
