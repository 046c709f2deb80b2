// Messages that were given up: kept, listed, sent again or dropped, over restarts.
#include "aggregator/alerts/dead_letters.h"

#include "aggregator/alerts/meta_store.h"
#include "aggregator/alerts/resending.h"
#include "aggregator/alerts/wait_for.h"
#include "tests/aggregator/alerts/service_run.h"
#include "tests/aggregator/routing/configurations.h"

#include <memory>
#include <set>
#include <string>
#include <vector>

using namespace vigil;
using namespace vigil::alerts;
using namespace vigil::alerts::test;

namespace {

void give_up(Run& run, const std::vector<std::int64_t>& ids, const std::string& error = "HTTP 503") {
  run.service->delivered({ids, notify::Outcome::dead, 9, 0, error});
}

std::vector<std::int64_t> ids_of(const std::vector<notify::Row>& rows) {
  std::vector<std::int64_t> out;
  for (const notify::Row& row : rows) out.push_back(row.id);
  return out;
}

/// What `sql` does to an outbox that nobody has open.
void prepare(const TempDir& dir, const std::string& sql) {
  std::ignore = MetaStore::open(dir.file("meta.db"));
  auto database = aggregator::Database::open(dir.file("meta.db"), aggregator::Access::read_write, "");
  REQUIRE(database);
  REQUIRE(database->execute(sql.c_str()));
}

/// Ends that ops was not told of, with texts of so many bytes.
std::string dead_ends(int count, int bytes) {
  return fmt::format(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{}) INSERT INTO "
      "outbox(receiver,created_ms,dead_at_ms,body) SELECT 'ops',1,2,'{{\"key\":\"k'||i||'\",\"alert\":"
      "\"Full\",\"kind\":\"resolved\",\"fingerprint\":\"f'||i||'\",\"annotations\":{{\"a\":\"'||"
      "replace(hex(zeroblob({})),'0','x')||'\"}}}}' FROM n",
      count, bytes / 2);
}

Result<Resent> resend_one_turn(AlertService& service, const LetterChoice& choice) {
  return wait_for<Result<Resent>>([&](auto answer) { service.resend(choice, std::move(answer)); });
}

Result<Dropped> drop_one_turn(AlertService& service, const LetterChoice& choice) {
  return wait_for<Result<Dropped>>([&](auto answer) { service.drop(choice, std::move(answer)); });
}

/// One channel without a wait, which is told of everything.
RoutingPtr one_channel() {
  auto routing = std::make_shared<Routing>();
  routing->configuration = routing::configuration(R"(
route: {receiver: web, group_by: [alertname], group_wait: 0s, group_interval: 30s, repeat_interval: 1h}
receivers: [{name: web}]
)");
  routing->channels["web"] = {{"chat", true}};
  routing->endpoint_name = [](std::string_view receiver, std::string_view channel) {
    return fmt::format("{}/{}", receiver, channel);
  };
  return routing;
}

std::vector<std::string> hosts_in(const notify::Row& row) {
  std::vector<std::string> out;
  for (const notify::Notification& note : row.group->alerts) out.push_back(note.instance);
  return out;
}

/// "ops firing: Full on a", the newest first.
std::string listed(AlertService& service) {
  const auto dead = dead_letters(service);
  REQUIRE(dead);
  std::string out;
  for (const DeadLetter& letter : dead->letters) {
    out += fmt::format("{}{} {}: {}", out.empty() ? "" : "\n", letter.row.receiver,
                       to_string(letter.row.note.kind), fmt::join(about(letter.row, 2), ", "));
  }
  return out;
}

/// "100: waits ops" for each event that says who was told.
std::string tellings_in(AlertService& service, const std::string& id) {
  const auto explained = explain(service, id);
  REQUIRE(explained);
  std::string out;
  for (const Event& event : explained->events) {
    if (!event.by.empty())
      out += fmt::format("{}{}: {} {}", out.empty() ? "" : ", ", event.at_ms / 1000, to_string(event.kind),
                         event.by);
  }
  return out;
}

notify::Notification note_about(const std::string& fingerprint, notify::Kind kind) {
  notify::Notification note;
  note.kind = kind;
  note.key = fingerprint + std::string(to_string(kind));
  note.fingerprint = fingerprint;
  note.alert = "Full";
  note.instance = fingerprint;
  note.rule_key = "g/Full";
  note.fired_at_ms = 1'000;
  return note;
}

notify::Row group_about(std::vector<notify::Notification> alerts) {
  notify::Row row;
  row.note = alerts.front();
  row.group = notify::Group{"{}", "ops", {}, std::move(alerts), 0};
  return row;
}

}  // namespace

TEST_CASE("what was given up is kept over a restart, and sent again as if it had come now") {
  const TempDir dir;
  std::int64_t id = 0;
  {
    Run run(dir);
    CHECK(listed(*run.service).empty());
    run.evaluate(0, 1, {"a"});
    id = run.recorder.wait_for(1).at(0).id;
    give_up(run, {id});
    CHECK(listed(*run.service) == "ops firing: Full on a");
  }
  {
    Run run(dir, kRules, {}, {}, 100);
    CHECK(run.recorder.wait_for(0).empty());
    const auto dead = dead_letters(*run.service);
    REQUIRE(dead);
    REQUIRE(dead->letters.size() == 1);
    const DeadLetter& letter = dead->letters[0];
    CHECK(letter.row.id == id);
    CHECK(letter.row.attempts == 9);
    CHECK(letter.row.created_ms == 1'000);
    CHECK(letter.given_up_ms == 1'000);
    CHECK(letter.error == "HTTP 503");
    CHECK(dead->left_out == 0);
    const std::string alert = letter.row.note.fingerprint;
    CHECK(tellings_in(*run.service, alert) == "1: given_up ops");

    const auto resent = resend(*run.service, {{id}, ""});
    REQUIRE(resent);
    CHECK(resent->sent == 1);
    const auto rows = run.recorder.wait_for(1);
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].id == id);
    CHECK(rows[0].created_ms == 100'000);
    CHECK(rows[0].attempts == 0);
    CHECK(listed(*run.service).empty());
    CHECK(tellings_in(*run.service, alert) == "100: waits ops");
  }
  Run run(dir, kRules, {}, {}, 200);  // it waits like any other
  CHECK(ids_of(run.recorder.wait_for(1)) == std::vector{id});
  CHECK(listed(*run.service).empty());
  CHECK(resend(*run.service, {{id}, ""}).error().code == Errc::not_found);
  run.service->delivered({{id}, notify::Outcome::delivered, 0, 0, ""});
}

TEST_CASE("what was given up is counted over a restart, and a receiver fails until it takes something") {
  const TempDir dir;
  {
    Run run(dir);
    CHECK(run.recorder.recalled().empty());
    run.evaluate(0, 1, {"a", "b"});
    REQUIRE(run.recorder.wait_for(2).size() == 2);
    run.evaluate(2, 2, {"c"});
    const auto rows = run.recorder.wait_for(4);
    REQUIRE(told(rows) ==
            "Full firing to ops, Full firing to ops, HostDown firing to ops, HostDown firing to boss");
    const auto give_up_at = [&](std::int64_t second, const std::vector<std::int64_t>& ids,
                                const char* error) {
      run.now_ms = second * 1000;
      give_up(run, ids, error);
      CHECK_FALSE(listed(*run.service).empty());  // once it is noted
    };
    give_up_at(3, {rows[2].id}, "HTTP 500");
    give_up_at(4, {rows[0].id, rows[1].id}, "HTTP 403");
    give_up_at(5, {rows[3].id}, "HTTP 404");
  }
  {
    Run run(dir, kRules, {}, {}, 100);
    CHECK(run.recorder.recalled() ==
          std::vector<notify::GivenUp>{{"boss", 1, "HTTP 404"}, {"ops", 3, "HTTP 403"}});
    run.evaluate(0, 101, {"a", "b", "d"});
    const auto rows = run.recorder.wait_for(1);
    REQUIRE(rows.size() == 1);
    run.service->delivered({{rows[0].id}, notify::Outcome::delivered, 1, 0, ""});
    REQUIRE(drop(*run.service, {{}, "boss"}));
  }
  Run run(dir, kRules, {}, {}, 200);
  CHECK(run.recorder.recalled() == std::vector<notify::GivenUp>{{"ops", 3, ""}});
}

TEST_CASE("what is not so any more is not sent again") {
  const TempDir dir;
  Run run(dir);
  run.evaluate(0, 1, {"a", "b"});
  const auto firing = run.recorder.wait_for(2);
  run.evaluate(0, 5, {"b"});
  const auto all = run.recorder.wait_for(3);
  REQUIRE(told(all) == "Full firing to ops, Full firing to ops, Full resolved to ops");
  give_up(run, ids_of(all));
  CHECK(listed(*run.service) == "ops resolved: Full on a\nops firing: Full on b\nops firing: Full on a");

  // By its id it is an error, and nothing of the choice is sent.
  const std::int64_t stale = firing[0].note.instance == "a" ? firing[0].id : firing[1].id;
  const auto refused = resend(*run.service, {{all[2].id, stale}, ""});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::conflict);
  CHECK(refused.error().message.find("Full on a is not so any more") != std::string::npos);
  CHECK(run.recorder.wait_for(3).size() == 3);

  const auto resent = resend(*run.service, {{}, "ops"});
  REQUIRE(resent);
  CHECK(resent->sent == 2);
  CHECK(resent->outdated == 1);
  CHECK(told(run.recorder.wait_for(5)).ends_with("Full firing to ops, Full resolved to ops"));
  CHECK(listed(*run.service) == "ops firing: Full on a");
}

TEST_CASE("the end of what fires again is not told, since it would close what is open") {
  const TempDir dir;
  Run run(dir);
  run.evaluate(0, 1, {"a"});
  run.recorder.wait_for(1);
  run.evaluate(0, 5, {});
  const std::int64_t end = run.recorder.wait_for(2).at(1).id;
  run.evaluate(0, 9, {"a"});
  run.recorder.wait_for(3);
  give_up(run, {end});
  CHECK(resend(*run.service, {{end}, ""}).error().code == Errc::conflict);
  CHECK(resend(*run.service, {}).value().outdated == 1);
}

TEST_CASE("messages to who is not configured any more stay, and can be dropped") {
  const TempDir dir;
  std::ignore = MetaStore::open(dir.file("meta.db"));
  {
    auto database = aggregator::Database::open(dir.file("meta.db"), aggregator::Access::read_write, "");
    REQUIRE(database);
    REQUIRE(database->execute(
        "INSERT INTO outbox(receiver,created_ms,dead_at_ms,error,body) VALUES"
        "('gone',1,2,'its receiver is not configured any more','{\"key\":\"k\",\"alert\":\"Full\",\"kind\":"
        "\"resolved\"}'),"
        "('gone/chat[0]',1,2,'','{\"key\":\"l\",\"alert\":\"Full\",\"kind\":\"resolved\"}'),"
        "('other',1,2,'','{\"key\":\"m\",\"alert\":\"Full\",\"kind\":\"resolved\"}')"));
  }
  {
    Run run(dir);
    CHECK(resend(*run.service, {{1}, ""}).error().message ==
          "message 1: its receiver gone is not configured any more");
    const auto resent = resend(*run.service, {});
    REQUIRE(resent);
    CHECK(resent->unknown == 3);
    CHECK(resent->sent == 0);
    CHECK(drop(*run.service, {{1, 99}, ""}).error().message ==
          "no message 99 was given up; `vigil receivers dead` lists those that were");
    CHECK(dead_letters(*run.service)->letters.size() == 3);
    CHECK(drop(*run.service, {{}, "gone"}).value() == 2);  // its channels, too
  }
  Run run(dir);
  CHECK(listed(*run.service) == "other resolved: Full on the fleet");
  CHECK(drop(*run.service, {}).value() == 1);
  CHECK(listed(*run.service).empty());
}

TEST_CASE("of a group's message what is not so any more is left out") {
  AlertBook book({});
  const Grouping grouping(nullptr);
  const silences::SilenceBook silences;
  Alert fires;
  fires.rule = rules_of(kRules)->rules()[0];
  fires.series = std::make_shared<const Labels>(Labels{{"instance", "a"}});
  fires.fingerprint = "a";
  fires.state = State::firing;
  fires.fired_at_ms = 1'000;
  book.restore(fires);
  const Present present{book, grouping, silences, 5'000};
  const auto firing = [](const std::string& of) { return note_about(of, notify::Kind::firing); };
  const auto over = [](const std::string& of) { return note_about(of, notify::Kind::resolved); };

  const auto mixed = as_of_now(group_about({firing("a"), firing("b"), over("c"), over("a")}), present);
  REQUIRE(mixed);
  REQUIRE(mixed->group->alerts.size() == 2);
  CHECK(mixed->group->alerts[0] == firing("a"));
  CHECK(mixed->group->alerts[1] == over("c"));
  CHECK(mixed->note.kind == notify::Kind::firing);

  const auto ends = as_of_now(group_about({firing("b"), over("c")}), present);
  REQUIRE(ends);
  CHECK(ends->note.kind == notify::Kind::resolved);
  CHECK_FALSE(as_of_now(group_about({firing("b")}), present));
  auto earlier = firing("a");
  earlier.fired_at_ms = 500;  // another time that it fired
  CHECK_FALSE(as_of_now(group_about({earlier}), present));
}

TEST_CASE("of all that was given up a turn of the alert thread takes some, the oldest first") {
  const TempDir dir;
  prepare(dir, dead_ends(1'203, 10));
  Run run(dir);
  const auto turn = resend_one_turn(*run.service, {});
  REQUIRE(turn);
  CHECK(turn->sent == 500);
  CHECK(turn->next == 500);
  CHECK(run.recorder.wait_for(500).back().id == 500);
  CHECK(resend(*run.service, {}).value().sent == 703);
  const auto rows = run.recorder.wait_for(1'203);
  CHECK(rows.back().id == 1'203);
  CHECK(resend(*run.service, {}).value().sent == 0);

  run.now_ms = 5'000;
  give_up(run, ids_of(rows));
  CHECK(drop(*run.service, {{}, "boss"}).value() == 0);
  const auto dropped = drop_one_turn(*run.service, {});
  REQUIRE(dropped);
  CHECK(dropped->dropped == 1'000);
  CHECK(dropped->next == 1'000);
  CHECK(drop(*run.service, {}).value() == 203);
  CHECK(listed(*run.service).empty());
}

TEST_CASE("long messages make a turn take fewer") {
  const TempDir dir;
  prepare(dir, dead_ends(5, 600'000));
  Run run(dir);
  const auto turn = resend_one_turn(*run.service, {});
  REQUIRE(turn);
  CHECK(turn->sent == 2);
  CHECK(turn->next == 2);
  CHECK(resend(*run.service, {{}, "", turn->next}).value().sent == 3);
}

TEST_CASE("of many messages that were given up the newest are listed, and all that they were to") {
  const TempDir dir;
  prepare(dir,
          dead_ends(3, 10) +
              "; INSERT INTO outbox(receiver,created_ms,dead_at_ms,body) VALUES('gone/chat[0]',1,2,'{}');"
              "UPDATE outbox SET id=0 WHERE receiver='gone/chat[0]'");
  Run run(dir);
  const auto dead = dead_letters(*run.service, 2);
  REQUIRE(dead);
  REQUIRE(dead->letters.size() == 2);
  CHECK(dead->letters[0].row.id == 3);
  CHECK(dead->left_out == 2);
  CHECK(std::set(dead->receivers.begin(), dead->receivers.end()) ==
        std::set<std::string>{"gone/chat[0]", "ops"});
  CHECK(dead_letters(*run.service, 0)->left_out == 4);
}

TEST_CASE("a message that cannot be read is listed as such, never sent, and can be dropped") {
  const TempDir dir;
  prepare(dir, dead_ends(1, 10) +
                   "; INSERT INTO outbox(receiver,created_ms,dead_at_ms,error,body) VALUES"
                   "('ops',1,2,'HTTP 503','no JSON')");
  Run run(dir);
  const auto dead = dead_letters(*run.service);
  REQUIRE(dead);
  REQUIRE(dead->letters.size() == 2);
  CHECK_FALSE(dead->letters[0].is_readable);
  CHECK(dead->letters[0].error == "HTTP 503");
  CHECK(dead->letters[1].is_readable);
  const auto refused = resend(*run.service, {{2}, ""});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::conflict);
  CHECK(refused.error().message == "message 2 cannot be read; `vigil receivers drop 2` forgets it");
  const auto resent = resend(*run.service, {});
  REQUIRE(resent);
  CHECK(resent->sent == 1);
  CHECK(resent->unreadable == 1);
  CHECK(drop(*run.service, {{2}, ""}).value() == 1);
  CHECK(listed(*run.service).empty());
}

TEST_CASE("what a group's message had no room for and fires still is told when it is sent again") {
  const TempDir dir;
  Run run(dir, kRules, {}, one_channel(), 1);
  run.recorder.has_boss = false;
  std::vector<std::string> hosts;
  for (int i = 0; i < 502; ++i) hosts.push_back(fmt::format("web-{:03}", i));
  run.evaluate(0, 2, hosts);
  auto rows = run.recorder.wait_for(503);
  const auto letter = std::ranges::find(rows, "web/chat", &notify::Row::receiver);
  REQUIRE(letter != rows.end());
  REQUIRE(letter->group->left_out == 2);
  give_up(run, {letter->id});
  run.evaluate(0, 5, {"web-500", "web-501"});  // all that it names are over
  run.recorder.wait_for(1'003);
  const auto resent = resend(*run.service, {{letter->id}, ""});
  REQUIRE(resent);
  CHECK(resent->sent == 1);
  const notify::Row again = run.recorder.wait_for(1'004).back();
  CHECK(hosts_in(again) == std::vector<std::string>{"web-500", "web-501"});
  CHECK(again.group->left_out == 0);
  CHECK(again.note.kind == notify::Kind::firing);

  // One that fires since is told by a message of its own, and what is over leaves nothing to say.
  give_up(run, {letter->id});
  run.evaluate(0, 8, {"web-001"});
  run.recorder.wait_for(1'007);
  CHECK(resend(*run.service, {{letter->id}, ""}).error().code == Errc::conflict);
}
