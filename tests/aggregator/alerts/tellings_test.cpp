// Who was told what and when: made of messages, kept as long as the alert, explained in its words.
#include "aggregator/alerts/tellings.h"

#include "aggregator/alerts/maintaining.h"
#include "aggregator/alerts/meta_store.h"
#include "tests/aggregator/alerts/service_run.h"
#include "tests/aggregator/routing/configurations.h"

#include <memory>
#include <string>
#include <vector>

namespace vigil::alerts {
namespace {

using test::kRules;
using test::Run;
using test::TempDir;

notify::Row row_of(notify::Kind kind, std::string fingerprint) {
  notify::Row row;
  row.receiver = "ops";
  row.created_ms = 5'000;
  row.note.kind = kind;
  row.note.key = row.note.alert = "Full";
  row.note.fingerprint = std::move(fingerprint);
  row.note.fired_at_ms = 2'000;
  return row;
}

/// `end`: whether the receiver `web` is told of ends.
RoutingPtr routing_with(bool end) {
  auto routing = std::make_shared<Routing>();
  routing->configuration = routing::configuration(R"(
route: {receiver: web, group_by: [alertname], group_wait: 0s, group_interval: 30s, repeat_interval: 1h}
receivers: [{name: web}]
)");
  routing->channels["web"] = {{"chat", end}};
  routing->endpoint_name = [](std::string_view receiver, std::string_view channel) {
    return fmt::format("{}/{}", receiver, channel);
  };
  return routing;
}

void evaluate(Run& run, std::int64_t seconds, const std::vector<std::string>& hosts) {
  const std::uint64_t before = run.service->counters().evaluations;
  run.evaluate(0, seconds, hosts);
  run.settle(before + 1);
}

/// Everything that waits arrives.
void deliver(Run& run, std::size_t rows) {
  for (const notify::Row& row : run.recorder.wait_for(rows))
    run.service->delivered({{row.id}, notify::Outcome::delivered, 0, 0, ""});
}

/// "2: told ops" for each event that says who was told.
std::string told_in(const Explanation& explanation) {
  std::string out;
  for (const Event& event : explanation.events) {
    const std::string kind(to_string(event.kind));
    if (!kind.starts_with("told") && kind != "escalated" && kind != "waits") continue;
    out += fmt::format("{}{}: {} {}", out.empty() ? "" : ", ", event.at_ms / 1000, kind, event.by);
  }
  return out;
}

/// "2: told ops, arrived 5" for each event about a message, or "waits ops, 2 failed, next 9".
std::string arrivals_in(Run& run, const std::string& id) {
  const auto explanation = explain(*run.service, id);
  REQUIRE(explanation);
  std::string out;
  for (const Event& event : explanation->events) {
    if (event.by.empty()) continue;
    out += fmt::format("{}{}: {} {}", out.empty() ? "" : "; ", event.at_ms / 1000, to_string(event.kind),
                       event.by);
    if (event.arrived_ms != 0) out += fmt::format(", arrived {}", event.arrived_ms / 1000);
    if (event.attempts != 0) out += fmt::format(", {} failed", event.attempts);
    if (event.next_attempt_ms != 0) out += fmt::format(", next {}", event.next_attempt_ms / 1000);
  }
  return out;
}

std::string explained(Run& run, const std::string& id) {
  const auto explanation = explain(*run.service, id);
  REQUIRE(explanation);
  return told_in(*explanation);
}

}  // namespace

TEST_CASE("a message tells something of each alert that it names, and nothing of a maintenance") {
  const auto one = tellings_of(row_of(notify::Kind::firing, "a"), Telling::What::escalated);
  CHECK(one == std::vector<Telling>{{"a", 2'000, "ops", "", Telling::What::escalated, 5'000, 5'000, 1}});
  notify::Row group = row_of(notify::Kind::firing, "hash of the group");
  notify::Notification over = row_of(notify::Kind::resolved, "b").note;
  group.group = notify::Group{"{}:{}", "ops", {}, {row_of(notify::Kind::firing, "a").note, over}, 0};
  CHECK(tellings_of(group, Telling::What::fires) ==
        std::vector<Telling>{{"a", 2'000, "ops", "{}:{}", Telling::What::fires, 5'000, 5'000, 1},
                             {"b", 2'000, "ops", "{}:{}", Telling::What::over, 5'000, 5'000, 1}});
  notify::Row work = row_of(notify::Kind::firing, "m");
  work.note.rule_key = kMaintenanceKey;
  CHECK(tellings_of(work, Telling::What::fires).empty());
}

TEST_CASE("what is told again is one row that knows how often and when last, kept as long as its alert") {
  const TempDir dir;
  auto store = MetaStore::open(dir.file("meta.db"));
  REQUIRE(store);
  Changes changes;
  changes.tellings = {{"a", 2'000, "ops", "", Telling::What::fires, 5'000, 5'000, 1}};
  REQUIRE(store->commit(changes));
  changes.tellings = {{"a", 2'000, "ops", "", Telling::What::fires, 9'000, 9'000, 1},
                      {"a", 2'000, "ops", "", Telling::What::over, 9'500, 9'500, 1}};
  REQUIRE(store->commit(changes));
  CHECK(store->tellings("a", 2'000).value() ==
        std::vector<Telling>{{"a", 2'000, "ops", "", Telling::What::fires, 5'000, 9'000, 2},
                             {"a", 2'000, "ops", "", Telling::What::over, 9'500, 9'500, 1}});
  CHECK(store->tellings("a", 3'000).value().empty());  // another life of the alert

  Alert fires;
  fires.rule = test::rules_of(kRules)->rules()[0];
  fires.series = std::make_shared<const Labels>();
  fires.fingerprint = "a";
  fires.state = State::firing;
  Changes begins;
  begins.put = {&fires};
  REQUIRE(store->commit(begins));
  REQUIRE(store->prune(100'000));
  CHECK(store->tellings("a", 2'000).value().size() == 2);
  Changes ends;
  ends.removed = {"a"};
  REQUIRE(store->commit(ends));
  REQUIRE(store->prune(100'000));
  CHECK(store->tellings("a", 2'000).value().empty());
}

TEST_CASE("when a message arrived is kept with what it told, the first and the last time") {
  const TempDir dir;
  auto store = MetaStore::open(dir.file("meta.db"));
  REQUIRE(store);
  const auto tell = [&store](notify::Row row) {
    std::vector<notify::Row> outbox{std::move(row)};
    Changes changes;
    changes.tellings = tellings_of(outbox[0], Telling::What::fires);
    changes.outbox = &outbox;
    REQUIRE(store->commit(changes));
    return outbox[0].id;
  };
  const auto arrive = [&store](std::int64_t id, std::int64_t now_ms) {
    REQUIRE(store->record({{id}, notify::Outcome::delivered, 0, 0, ""}, now_ms));
  };
  notify::Row row = row_of(notify::Kind::firing, "a");
  const std::int64_t first = tell(row);
  REQUIRE(store->record({{first}, notify::Outcome::postponed, 1, 30'000, "HTTP 429"}, 5'100));
  CHECK(store->tellings("a", 2'000).value()[0].first_arrived_ms == 0);
  CHECK(store->undelivered("a", {3'000, 7'000}).value().empty());  // made at other times
  CHECK(store->undelivered("another", {5'000}).value().empty());
  const auto waits = store->undelivered("a", {4'500, 5'000}).value();
  REQUIRE(waits.size() == 1);
  CHECK(waits[0].attempts == 1);
  CHECK(waits[0].next_attempt_ms == 30'000);
  arrive(first, 30'500);
  row.created_ms = 40'000;
  arrive(tell(row), 40'700);
  row.created_ms = 50'000;
  tell(row);  // waits
  CHECK(
      store->tellings("a", 2'000).value() ==
      std::vector<Telling>{{"a", 2'000, "ops", "", Telling::What::fires, 5'000, 50'000, 3, 30'500, 40'700}});

  // Each alert of a group's message; of one that cannot be read nobody knows.
  notify::Row group = row_of(notify::Kind::firing, "hash of the group");
  notify::Notification over = row_of(notify::Kind::resolved, "c").note;
  group.group = notify::Group{"{}:{}", "ops", {}, {row_of(notify::Kind::firing, "b").note, over}, 0};
  arrive(tell(group), 6'000);
  CHECK(store->tellings("b", 2'000).value()[0].first_arrived_ms == 6'000);
  CHECK(store->tellings("c", 2'000).value()[0].last_arrived_ms == 6'000);
}

TEST_CASE("what was told says when it arrived, and what waits says its attempts") {
  const TempDir dir;
  Run run(dir, kRules, {}, {}, 1);
  evaluate(run, 2, {"a"});
  const std::int64_t message = run.recorder.wait_for(1).at(0).id;
  const std::string id = run.service->alerts().at(0).fingerprint;
  CHECK(arrivals_in(run, id) == "2: waits ops");
  run.service->delivered({{message}, notify::Outcome::postponed, 2, 40'000, "HTTP 429"});
  CHECK(arrivals_in(run, id) == "2: waits ops, 2 failed, next 40");
  CHECK(explain(*run.service, id)->events.back().text == "HTTP 429");
  run.service->delivered({{message}, notify::Outcome::dead, 3, 0, "HTTP 500"});
  CHECK(arrivals_in(run, id) == "2: given_up ops, 3 failed");

  run.now_ms = 90'000'000;  // a day later
  REQUIRE(resend(*run.service, {{message}, ""}));
  CHECK(arrivals_in(run, id) == "90000: waits ops");
  run.now_ms = 90'007'000;
  run.service->delivered({{message}, notify::Outcome::delivered, 0, 0, ""});
  CHECK(arrivals_in(run, id) == "90000: told ops, arrived 90007");
  evaluate(run, 90'010, {});
  run.service->delivered({{run.recorder.wait_for(3).at(2).id}, notify::Outcome::delivered, 0, 0, ""});
  CHECK(arrivals_in(run, id) == "90000: told ops, arrived 90007; 90010: told_over ops, arrived 90010");
}

TEST_CASE("an end that waits does not hide that the beginning arrived a second before") {
  const TempDir dir;
  Run run(dir, kRules, {}, {}, 1);
  evaluate(run, 2, {"a"});
  deliver(run, 1);
  const std::string id = run.service->alerts().at(0).fingerprint;
  CHECK(arrivals_in(run, id) == "2: told ops, arrived 2");
  evaluate(run, 3, {});
  CHECK(arrivals_in(run, id) == "2: told ops, arrived 2; 3: waits ops");
}

TEST_CASE("who was told by a group stays known after the end, over a restart, and long after") {
  const TempDir dir;
  std::string id;
  const std::string all = "2: told ops, 2: told web/chat, 20: told_over ops, 32: told_over web/chat";
  {
    Run run(dir, kRules, {}, routing_with(true), 1);
    evaluate(run, 2, {"a"});
    deliver(run, 2);
    id = run.service->alerts().at(0).fingerprint;
    CHECK(explained(run, id) == "2: told ops, 2: told web/chat");
    evaluate(run, 20, {});
    CHECK(explained(run, id) == "2: told ops, 2: told web/chat, 20: waits ops");
    evaluate(run, 32, {});
    deliver(run, 4);
    CHECK(explained(run, id) == all);
  }
  {
    Run run(dir, kRules, {}, routing_with(true), 60);
    REQUIRE(run.service->alerts().size() == 1);  // listed still
    CHECK(run.service->alerts().at(0).state == State::resolved);
    CHECK(explained(run, id.substr(0, 8)) == all);
  }
  Run run(dir, kRules, {}, {}, 100'000);  // and alertmanager.yml is gone
  CHECK(run.service->alerts().empty());
  CHECK(explained(run, id.substr(0, 8)) == all);
  CHECK(explain(*run.service, id)->alert.state == State::resolved);
  CHECK(acknowledge(*run.service, id, {"ada", "", 0}).error().code == Errc::conflict);
}

TEST_CASE("who is not told of ends is not said to have been") {
  const TempDir dir;
  Run run(dir, kRules, {}, routing_with(false), 1);
  evaluate(run, 2, {"a"});
  deliver(run, 2);
  const std::string id = run.service->alerts().at(0).fingerprint;
  evaluate(run, 20, {});
  evaluate(run, 40, {});
  deliver(run, 3);
  CHECK(explained(run, id) == "2: told ops, 2: told web/chat, 20: told_over ops");
}

TEST_CASE("what a group repeats is told again, at its own time") {
  const TempDir dir;
  Run run(dir, kRules, {}, routing_with(true), 1);
  evaluate(run, 2, {"a"});
  evaluate(run, 3'700, {"a"});
  deliver(run, 3);
  const std::string id = run.service->alerts().at(0).fingerprint;
  CHECK(explained(run, id) == "2: told ops, 2: told web/chat, 3700: told_again web/chat");
}

TEST_CASE("for how long an alert is true outlasts a restart") {
  const TempDir dir;
  {
    Run run(dir, kRules, {}, {}, 1);
    for (int second = 1; second <= 100; ++second) evaluate(run, second, {"a"});
    CHECK(run.service->alerts().at(0).held_ms == 99'000);
  }
  Run run(dir, kRules, {}, {}, 101);
  CHECK(run.service->alerts().at(0).held_ms == 99'000);
}

TEST_CASE("what flaps is not told again until it has been quiet") {
  const TempDir dir;
  Run run(dir,
          "groups: [{name: g, interval: 1s, rules: [{alert: Full, expr: used > 90, flapping: 2 in 5h}]}]", {},
          routing_with(true), 1);
  evaluate(run, 2, {"a"});
  evaluate(run, 10, {});
  evaluate(run, 20, {"a"});
  evaluate(run, 60, {"a"});
  // To ops: it fires, it is over, it flaps. To the group: it fires; what came and went within its interval is
  // no news.
  deliver(run, 4);
  const std::string id = run.service->alerts().at(0).fingerprint;
  CHECK(run.service->alerts().at(0).flapping_since_ms != 0);
  CHECK(explained(run, id).find("repeated") == std::string::npos);
  evaluate(run, 8'000, {"a"});
  CHECK(run.recorder.wait_for(4).size() == 4);
  CHECK(explained(run, id).find("again") == std::string::npos);
}

TEST_CASE("a message that was given up is not said to have arrived with a later one") {
  const TempDir dir;
  Run run(dir, kRules, {}, routing_with(true), 1);
  evaluate(run, 2, {"a"});
  const auto rows = run.recorder.wait_for(2);
  run.service->delivered({{rows[0].id, rows[1].id}, notify::Outcome::dead, 9, 0, "HTTP 503"});
  const std::string id = run.service->alerts().at(0).fingerprint;
  CHECK(arrivals_in(run, id) ==
        "2: given_up ops, 9 failed; 2: given_up web/chat, 9 failed; 3602: will_be_repeated web/chat");
  evaluate(run, 3'700, {"a"});
  const std::int64_t again = run.recorder.wait_for(3).at(2).id;
  run.service->delivered({{again}, notify::Outcome::delivered, 0, 0, ""});
  CHECK(arrivals_in(run, id) ==
        "2: given_up ops, 9 failed; 2: given_up web/chat, 9 failed; 3700: told_again web/chat, arrived 3700; "
        "7300: will_be_repeated web/chat");
}

TEST_CASE("an escalation has the time of its own message") {
  constexpr std::size_t kHostDown = 2;  // of kRules
  const TempDir dir;
  Run run(dir);
  run.recorder.has_late = true;
  run.evaluate(kHostDown, 100, {"web"});
  deliver(run, 2);
  const std::string id = run.service->alerts().at(0).fingerprint;
  run.now_ms = 700'000;
  deliver(run, 3);
  CHECK(explained(run, id) == "100: told boss, 100: told ops, 700: escalated night");
}

}  // namespace vigil::alerts
