#include "aggregator/alerts/alert_service.h"

#include "aggregator/alerts/meta_store.h"
#include "aggregator/alerts/silencing.h"
#include "aggregator/alerts/wait_for.h"
#include "tests/aggregator/alerts/service_run.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <initializer_list>

using namespace vigil;
using namespace vigil::alerts;
using namespace vigil::alerts::test;

TEST_CASE("A firing alert is told to the receivers that want it, and its end to those that were told") {
  const TempDir dir;
  Run run(dir);
  run.evaluate(2, 1, {"web"});
  CHECK(told(run.recorder.wait_for(2)) == "HostDown firing to ops, HostDown firing to boss");
  run.evaluate(2, 5, {"web"});
  run.evaluate(2, 8, {});
  const auto rows = run.recorder.wait_for(4);
  CHECK(
      told(rows) ==
      "HostDown firing to ops, HostDown firing to boss, HostDown resolved to ops, HostDown resolved to boss");
  const notify::Notification& note = rows[2].note;
  CHECK(note.active_since_ms == 1'000);
  CHECK(note.resolved_at_ms == 8'000);
  CHECK(note.instance == "web");
  CHECK(note.key == note.fingerprint + "-1000-resolved");
  CHECK(note.link == "https://vigil.example/alerts/" + note.fingerprint);
  CHECK(rows[0].id > 0);
  CHECK(rows[0].id != rows[1].id);
}

TEST_CASE("After a restart nothing is lost and nothing is said again") {
  const TempDir dir;
  std::int64_t delivered_id = 0;
  {
    Run run(dir);
    run.evaluate(0, 1, {"a", "b"});
    delivered_id = run.recorder.wait_for(2)[0].id;
    run.service->delivered({{delivered_id}, notify::Outcome::delivered, 0, 0, ""});
  }
  {
    // What was not delivered comes back, and only that; the alerts are still there.
    Run run(dir);
    CHECK(run.service->known()->size() == 1);
    const auto rows = run.recorder.wait_for(1);
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].id != delivered_id);
    CHECK(rows[0].note.kind == notify::Kind::firing);
    const auto alerts = run.service->alerts();
    REQUIRE(alerts.size() == 2);
    CHECK(alerts[0].state == State::firing);
    CHECK(alerts[0].active_since_ms == 1'000);
    run.evaluate(0, 60, {"a", "b"});
    run.settle(1);
    CHECK(run.recorder.wait_for(1).size() == 1);
    run.service->delivered({{rows[0].id}, notify::Outcome::postponed, 3, 99'000, "HTTP 500"});
  }
  {
    Run run(dir);
    const auto rows = run.recorder.wait_for(1);
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].attempts == 3);
    CHECK(rows[0].next_attempt_ms == 99'000);
    run.evaluate(0, 70, {"a"});
    CHECK(told(run.recorder.wait_for(2)) == "Full firing to ops, Full resolved to ops");
    run.service->delivered({{rows[0].id}, notify::Outcome::dead, 9, 0, "gave up"});
  }
  Run run(dir);
  CHECK(told(run.recorder.wait_for(1)) == "Full resolved to ops");
  CHECK(run.service->alerts().size() == 1);
}

namespace {

constexpr const char* kFlapping = R"(
groups:
  - name: g
    interval: 1s
    rules:
      - {alert: Full, expr: used > 90, flapping: 3 in 10s, annotations: {summary: It is full}}
)";

/// The rule is true for "web" at these seconds, and false at negative ones: one after the other.
void see(Run& run, std::initializer_list<int> seconds) {
  std::uint64_t seen = run.service->counters().evaluations;
  for (const int second : seconds) {
    run.evaluate(0, std::abs(second),
                 second < 0 ? std::vector<std::string>() : std::vector<std::string>{"web"});
    run.settle(++seen);
  }
}

constexpr const char* kRelabelled = R"(
groups:
  - name: g
    interval: 1s
    rules:
      - {alert: Full, expr: used > 90, flapping: 5 in 60s, labels: {severity: '{{ if gt $value 97.0 }}critical{{ else }}warning{{ end }}'}}
)";

/// The rule gives this value for "web", or is false.
void see_value(Run& run, std::int64_t second, std::optional<double> value) {
  const std::uint64_t seen = run.service->counters().evaluations;
  run.now_ms = second * 1000;
  rules::Evaluation evaluation{run.rules->rules()[0], "web", second * 1000, {}, {}, {}};
  if (value)
    evaluation.active.push_back({std::make_shared<const Labels>(Labels{{"instance", "web"}}), *value});
  run.service->take(std::move(evaluation));
  run.settle(seen + 1);
}

std::string summary_of(const notify::Row& row) {
  return std::string(row.note.annotations.get("summary"));
}

}  // namespace

TEST_CASE("What fires on and flaps no more is told once") {
  const TempDir dir;
  {
    Run run(dir, kFlapping);
    see(run, {1, -2, 3, 8, 13, 14});
    const auto rows = run.recorder.wait_for(4);
    REQUIRE(rows.size() == 4);
    CHECK(told(rows) == "Full firing to ops, Full resolved to ops, Full firing to ops, Full firing to ops");
    CHECK(summary_of(rows[2]).starts_with("It is full (flapping: "));
    CHECK(summary_of(rows[3]) == "It is full (still firing, no longer flapping)");
    CHECK(rows[3].note.key == rows[3].note.fingerprint + "-3000-calm-13000");
    CHECK(run.service->alerts()[0].annotations.get("summary") == "It is full");
    CHECK(run.service->alerts()[0].flapping_since_ms == 0);
  }
  // It is in the outbox, and no restart says it again.
  Run run(dir, kFlapping);
  CHECK(run.recorder.wait_for(4).size() == 4);
  see(run, {20});
  CHECK(run.recorder.wait_for(4).size() == 4);
}

TEST_CASE(
    "What flaps no more while it is silenced is told of when the silence is over, also after a restart") {
  const TempDir dir;
  {
    Run run(dir, kFlapping);
    see(run, {1, -2, 3});
    CHECK(run.recorder.wait_for(3).size() == 3);
    silences::Silence silence;
    silence.matchers = matchers::parse_matchers("alertname=Full")->matchers;
    silence.starts_ms = 4'000;
    silence.ends_ms = 30'000;
    silence.author = "ada";
    silence.comment = "quiet";
    REQUIRE(put_silence(*run.service, silence));
    see(run, {8, 13, 14});
    CHECK(run.recorder.wait_for(3).size() == 3);
  }
  Run run(dir, kFlapping, {}, {}, 20);
  CHECK(run.recorder.wait_for(3).size() == 3);
  see(run, {31});
  const auto rows = run.recorder.wait_for(4);
  REQUIRE(rows.size() == 4);
  CHECK(summary_of(rows[3]) == "It is full (still firing, no longer flapping)");
}

TEST_CASE("an alert whose labels change with its value flaps also when a restart lies in between") {
  const TempDir dir;
  {
    Run run(dir, kRelabelled);
    see_value(run, 1, 95);
    see_value(run, 2, 99);  // one ends, another begins
    see_value(run, 3, {});
    run.recorder.wait_for(4);
  }
  Run run(dir, kRelabelled, {}, {}, 4);
  see_value(run, 5, 95);
  const auto alerts = run.service->alerts();
  REQUIRE_FALSE(alerts.empty());
  CHECK(alerts[0].state == State::firing);
  CHECK(alerts[0].flapping_since_ms == 5'000);
}

TEST_CASE("Who is not configured any more is not told that something flaps no more") {
  const TempDir dir;
  const std::string critical = std::string(kFlapping).replace(std::string(kFlapping).find("flapping:"), 0,
                                                              "labels: {severity: critical}, ");
  {
    Run run(dir, critical);
    see(run, {1, -2, 3, 8});
    CHECK(told(run.recorder.wait_for(6)).ends_with("Full firing to ops, Full firing to boss"));
  }
  Run run(dir, critical, {}, {}, 9);
  CHECK(run.recorder.wait_for(6).size() == 6);
  run.recorder.has_boss = false;
  see(run, {13});
  run.evaluate(0, 14, {"web"});
  run.settle(2);
  CHECK(told(run.recorder.wait_for(7)).ends_with("Full firing to boss, Full firing to ops"));
  CHECK(run.recorder.wait_for(7).size() == 7);
}

TEST_CASE("A thread of messages is remembered over a restart, until it is over") {
  const TempDir dir;
  notify::ThreadChange thread{"ops", "f", notify::MessageThread{"C1", "1.2", {"k"}}};
  {
    Run run(dir);
    CHECK(run.recorder.remembered().empty());
    run.evaluate(0, 1, {"a"});
    notify::Delivery delivery;
    delivery.ids = {run.recorder.wait_for(1).at(0).id};
    delivery.thread = thread;
    run.service->delivered(delivery);
  }
  {
    Run run(dir);
    CHECK(run.recorder.remembered() == std::vector{thread});
    CHECK(run.recorder.wait_for(0).empty());
    notify::Delivery unstored;  // of a message that meta.db had refused
    unstored.ids = {0};
    unstored.thread = notify::ThreadChange{"ops", "f", {}};
    run.service->delivered(unstored);
  }
  Run run(dir);
  CHECK(run.recorder.remembered().empty());
}

TEST_CASE("An alert without an instance ends and is forgotten like any other") {
  const TempDir dir;
  {
    Run run(dir);
    run.now_ms = 1'000;
    rules::Evaluation fires{run.rules->rules()[0], "web", 1'000, {}, {}, {}};
    fires.active.push_back({std::make_shared<const Labels>(Labels{{"disk", "sda"}}), 95});
    run.service->take(std::move(fires));
    CHECK(run.recorder.wait_for(1).size() == 1);
    run.evaluate(0, 2, {});
    CHECK(run.recorder.wait_for(2).size() == 2);
  }
  Run run(dir);
  CHECK(run.service->counters().firing == 0);
}

TEST_CASE("The clock of a pending alert survives a restart") {
  const TempDir dir;
  {
    Run run(dir);
    run.evaluate(1, 1, {"a"});
    run.evaluate(1, 8, {"a"});
    run.settle(2);
  }
  Run run(dir);
  REQUIRE(run.service->alerts().size() == 1);
  CHECK(run.service->alerts()[0].state == State::pending);
  run.evaluate(1, 10, {"a"});
  run.settle(1);
  CHECK(run.service->counters().firing == 0);
  run.evaluate(1, 11, {"a"});
  CHECK(told(run.recorder.wait_for(2)) == "Slow firing to ops, Slow firing to boss");
}

TEST_CASE("An alert whose rule is gone after a restart ends, and those who heard of it are told") {
  const TempDir dir;
  {
    Run run(dir);
    run.evaluate(0, 1, {"a"});
    const auto rows = run.recorder.wait_for(1);
    run.service->delivered({{rows.at(0).id}, notify::Outcome::delivered, 0, 0, ""});
  }
  Run run(dir, "groups: []");
  const auto rows = run.recorder.wait_for(1);
  CHECK(told(rows) == "Full resolved to ops");
  CHECK(rows.at(0).note.reason == "its rule was removed");
}

TEST_CASE("An inhibited alert is announced when its inhibitor is gone, if it fires still") {
  const TempDir dir;
  Run run(dir);
  run.evaluate(2, 1, {"web"});
  run.recorder.wait_for(2);
  run.evaluate(0, 2, {"web", "other"});
  CHECK(told(run.recorder.wait_for(3)) ==
        "HostDown firing to ops, HostDown firing to boss, Full firing to ops");
  run.settle(2);
  for (const AlertInfo& alert : run.service->alerts()) {
    CHECK(alert.inhibited_by == (alert.name == "Full" && alert.instance == "web" ? "HostDown" : ""));
  }
  CHECK(run.service->counters().inhibited == 1);
  run.evaluate(2, 3, {});
  const auto rows = run.recorder.wait_for(6);
  CHECK(rows.size() == 6);
  CHECK(rows.back().note.instance == "web");
}

TEST_CASE("An alert that ends while inhibited is never mentioned") {
  const TempDir dir;
  Run run(dir);
  run.evaluate(2, 1, {"web"});
  run.recorder.wait_for(2);
  run.evaluate(0, 2, {"web"});
  run.evaluate(0, 3, {});
  run.evaluate(2, 4, {});
  CHECK(
      told(run.recorder.wait_for(4)) ==
      "HostDown firing to ops, HostDown firing to boss, HostDown resolved to ops, HostDown resolved to boss");
}

TEST_CASE("meta.db of a newer version is refused, and a broken row costs only itself") {
  const TempDir dir;
  {
    Run run(dir);
    run.evaluate(0, 1, {"a", "b"});
    run.recorder.wait_for(2);
  }
  {
    auto database = aggregator::Database::open(dir.file("meta.db"), aggregator::Access::read_write, "");
    REQUIRE(database);
    REQUIRE(database->execute(
        "UPDATE alert SET body='{' WHERE fingerprint=(SELECT min(fingerprint) FROM alert)"));
  }
  {
    const Run run(dir);
    CHECK(run.service->alerts().size() == 1);
  }
  {
    auto database = aggregator::Database::open(dir.file("meta.db"), aggregator::Access::read_write, "");
    REQUIRE(database);
    REQUIRE(database->execute("PRAGMA user_version=99"));
  }
  const auto refused = AlertService::open({dir.file("meta.db"), [] { return 0; }, {}}, rules_of(kRules));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::unsupported);
}

TEST_CASE("a meta.db that SQLite cannot read is set aside, and alerts begin anew") {
  const TempDir dir;
  {
    Run run(dir);
    run.evaluate(0, 1, {"a", "b"});
    run.recorder.wait_for(2);
  }
  const std::string path = dir.file("meta.db");
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(100);  // behind SQLite's header: the page with the schema
    file << std::string(3000, '\x55');
    REQUIRE(file.good());
  }
  Run run(dir);
  CHECK(run.service->alerts().empty());
  CHECK(run.service->loss().find("damaged") != std::string::npos);
  CHECK(std::filesystem::exists(path + ".damaged"));
  run.evaluate(0, 2, {"a"});
  CHECK(run.recorder.wait_for(1).size() == 1);
}

TEST_CASE("that meta.db is missing or empty where an aggregator ran before is told as a loss") {
  const TempDir dir;
  const auto loss = [&](bool ran_before) {
    AlertServiceOptions options{dir.file("meta.db"), [] { return 0; }, {}};
    options.ran_before = ran_before;
    const auto service = AlertService::open(options, rules_of(kRules));
    REQUIRE(service);
    return (*service)->loss();
  };
  CHECK(loss(false).empty());
  CHECK(loss(true).empty());  // it is there
  std::filesystem::remove(dir.file("meta.db"));
  CHECK(loss(true).find("missing") != std::string::npos);
  CHECK(loss(true).empty());  // said once
  std::filesystem::resize_file(dir.file("meta.db"), 0);
  CHECK(loss(true).find("empty") != std::string::npos);
}

TEST_CASE("When the disk refuses, messages go out all the same and the alert is stored later") {
  const TempDir dir;
  std::int64_t id = -1;
  {
    Run run(dir);
    // Another connection holds the write lock: commits fail as they do on a full disk.
    auto other = aggregator::Database::open(dir.file("meta.db"), aggregator::Access::read_write, "");
    REQUIRE(other);
    REQUIRE(other->execute("BEGIN IMMEDIATE"));
    run.evaluate(0, 1, {"a"});
    const auto rows = run.recorder.wait_for(1);
    REQUIRE(rows.size() == 1);
    id = rows[0].id;
    CHECK(run.service->counters().commit_failures >= 1);
    REQUIRE(other->execute("ROLLBACK"));
  }
  CHECK(id == 0);
  const Run run(dir);
  CHECK(run.service->alerts().size() == 1);
}

TEST_CASE("Rules are listed with their state, and a rule of yesterday cannot fire today") {
  const TempDir dir;
  Run run(dir);
  run.evaluate(0, 1, {"a", "b"});
  run.evaluate(1, 1, {"a"});
  run.settle(2);
  auto rules = run.service->rules();
  REQUIRE(rules.size() == 3);
  CHECK(rules[0].state == State::firing);
  CHECK(rules[0].firing == 2);
  CHECK(rules[1].state == State::pending);
  CHECK(rules[2].state == State::inactive);

  run.service->reload(
      {rules_of("groups: [{name: g, rules: [{alert: Slow, expr: ms > 5, labels: {severity: critical}}]}]")});
  run.evaluate(0, 2, {"a", "b", "c"});
  run.settle(3);
  rules = run.service->rules();
  REQUIRE(rules.size() == 1);
  CHECK(rules[0].pending == 1);
  CHECK(run.service->counters().firing == 0);
}

TEST_CASE("what a reload moves from the hosts' rules to the fleet's is handed over to whoever ends it") {
  const TempDir dir;
  Run run(dir);
  run.evaluate(0, 1, {"web"});
  run.recorder.wait_for(1);
  const auto reload = [&run](const char* options) {
    std::promise<rules::KnownAlertsPtr> moved;
    AlertService::Reloaded reloaded{rules_of(fmt::format(
        "groups: [{{name: g{}, rules: [{{alert: Full, expr: used > 90, labels: {{severity: warning}}}}]}}]",
        options))};
    bool is_moved = false;
    reloaded.moved = [&](const rules::KnownAlertsPtr& known) {
      is_moved = true;
      moved.set_value(known);
    };
    std::promise<void> adopted;
    run.service->reload(std::move(reloaded), [&adopted] { adopted.set_value(); });
    adopted.get_future().get();
    return is_moved ? moved.get_future().get() : nullptr;
  };
  CHECK(reload("") == nullptr);
  const auto moved = reload(", query_offset: 30s");
  REQUIRE(moved);
  REQUIRE(moved->size() == 1);
  CHECK(moved->begin()->first == std::pair<std::string, std::string>("g/Full/warning", ""));
  CHECK(moved->begin()->second.at(0).fires);
}

TEST_CASE("an alert begun by an evaluation that was under way during a reload has the texts of today") {
  const TempDir dir;
  Run run(dir);
  run.service->reload(
      {rules_of("groups: [{name: g, rules: [{alert: Full, expr: used > 90, labels: {severity: "
                "warning}, annotations: {summary: as of today}}]}]")});
  run.evaluate(0, 2, {"a"});  // of the rules before
  const auto rows = run.recorder.wait_for(1);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].note.annotations == Labels{{"summary", "as of today"}});
}

TEST_CASE("what a rule saw of a host before it was forgotten brings no alert back, what it sees later does") {
  const TempDir dir;
  Run run(dir);
  run.evaluate(0, 100, {"web-1"});
  run.recorder.wait_for(1);
  run.service->forget_host("web-1");
  run.recorder.wait_for(2);
  run.evaluate(0, 100, {"web-1", "web-2"});  // it was under way
  run.settle(2);
  auto alerts = run.service->alerts();
  std::erase_if(alerts, [](const AlertInfo& alert) { return alert.state != State::firing; });
  REQUIRE(alerts.size() == 1);
  CHECK(alerts[0].instance == "web-2");
  run.evaluate(0, 101, {"web-1", "web-2"});  // it is back
  run.settle(3);
  alerts = run.service->alerts();
  std::erase_if(alerts, [](const AlertInfo& alert) { return alert.state != State::firing; });
  CHECK(alerts.size() == 2);
}
