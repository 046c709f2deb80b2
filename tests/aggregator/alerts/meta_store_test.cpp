// meta.db itself: whose it is, and what waits for it.
#include "aggregator/alerts/meta_store.h"

#include "aggregator/alerts/alert_service.h"
#include "aggregator/alerts/ledger.h"
#include "tests/aggregator/alerts/rules_of.h"
#include "tests/support/catch.h"

#include <fstream>

using namespace vigil;
using namespace vigil::alerts;
using test::rules_of;
using test::TempDir;

namespace {

constexpr const char* kRules = "groups: [{name: g, rules: [{alert: Full, expr: used > 90}]}]";

}  // namespace

TEST_CASE("meta.db of another program is refused and stays as it was; one without our mark gets it") {
  const TempDir dir;
  const auto touch = [&dir](const char* script) {
    std::ofstream(dir.file("meta.db"), std::ios::app).close();
    auto database = aggregator::Database::open(dir.file("meta.db"), aggregator::Access::read_write, "");
    REQUIRE(database);
    REQUIRE(database->execute(script));
  };
  const auto open = [&dir] {
    return AlertService::open({dir.file("meta.db"), [] { return 0; }, {}}, rules_of(kRules));
  };
  const auto foreign =
      GENERATE("CREATE TABLE bookmark(url TEXT)", "CREATE TABLE alert(name TEXT); PRAGMA user_version=1",
               "CREATE TABLE bookmark(url TEXT); PRAGMA application_id=7");
  touch(foreign);
  const auto refused = open();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::unsupported);
  CHECK(refused.error().message.find("another program") != std::string::npos);
  CHECK(MetaStore::refuse_unknown(dir.file("meta.db")).error().code == Errc::unsupported);
  CHECK_FALSE(std::filesystem::exists(dir.file("meta.db-wal")));

  std::filesystem::remove(dir.file("meta.db"));
  REQUIRE(open());
  const char* first =
      "DROP TABLE silence; DROP TABLE alert_group; DROP TABLE action_run; DROP TABLE message_thread; DROP "
      "TABLE telling; DROP INDEX alert_history_by_fingerprint; DROP INDEX outbox_dead; DROP INDEX "
      "outbox_by_time; PRAGMA user_version=1";
  touch(first);  // of a version without silences
  REQUIRE(open());
  touch(first);
  touch("PRAGMA application_id=0");
  REQUIRE(open());
  REQUIRE(open());
}

TEST_CASE("a newer meta.db is refused before the history is touched, with what to do") {
  const TempDir dir;
  const std::string path = dir.file("meta.db");
  CHECK(MetaStore::refuse_unknown(path));  // there is none yet
  REQUIRE(MetaStore::open(path));
  CHECK(MetaStore::refuse_unknown(path));
  {
    auto database = aggregator::Database::open(path, aggregator::Access::read_write, "");
    REQUIRE(database);
    REQUIRE(database->execute("PRAGMA user_version=99"));
  }
  const auto early = MetaStore::refuse_unknown(path);
  const auto late = MetaStore::open(path);
  for (const Error& error : {early.error(), late.error()}) {
    CHECK(error.code == Errc::unsupported);
    CHECK(error.message.find("meta.db has format 99, this program knows formats up to") != std::string::npos);
    CHECK(error.message.find("start the newer vigil-aggregator") != std::string::npos);
  }
}

TEST_CASE("a meta.db of version 1 keeps its alerts and messages and takes silences") {
  const TempDir dir;
  const auto mark = GENERATE("PRAGMA application_id=0x56474C4D", "");  // the very first ones had none
  std::ofstream(dir.file("meta.db")).close();
  {
    auto database = aggregator::Database::open(dir.file("meta.db"), aggregator::Access::read_write, "");
    REQUIRE(database);
    REQUIRE(database->execute(R"(
CREATE TABLE alert(fingerprint TEXT PRIMARY KEY, rule_key TEXT NOT NULL, scope TEXT NOT NULL,
  state TEXT NOT NULL, body TEXT NOT NULL) STRICT;
CREATE TABLE alert_history(id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL, rule_key TEXT NOT NULL,
  instance TEXT NOT NULL, fired_at_ms INTEGER NOT NULL, resolved_at_ms INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
CREATE INDEX alert_history_by_time ON alert_history(resolved_at_ms);
CREATE TABLE outbox(id INTEGER PRIMARY KEY AUTOINCREMENT, receiver TEXT NOT NULL, created_ms INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, next_attempt_ms INTEGER NOT NULL DEFAULT 0,
  dead_at_ms INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '', body TEXT NOT NULL) STRICT;
INSERT INTO alert VALUES('f','g/Full','','firing','{"labels":{"alertname":"Full"},"value":"95"}');
INSERT INTO outbox(receiver,created_ms,body) VALUES('ops',1,'{"key":"k","alert":"Full","kind":"firing"}');
PRAGMA user_version=1;)"));
    REQUIRE(database->execute(mark));
  }
  auto store = MetaStore::open(dir.file("meta.db"));
  REQUIRE(store);
  REQUIRE(store->put_silences({{"1", "body"}}));
  CHECK(store->silences().value() == std::vector<std::string>{"body"});
  CHECK(store->alerts().value().size() == 1);
  CHECK(store->queued().value().size() == 1);
  store = fail(Errc::io, "closed");
  auto database = aggregator::Database::open(dir.file("meta.db"), aggregator::Access::read_write, "");
  REQUIRE(database);
  CHECK(database->integer("PRAGMA user_version").value() == 6);
  CHECK(database->integer("PRAGMA application_id").value() == 0x56474C4D);
}

TEST_CASE("a meta.db of version 2 keeps its silences and takes groups") {
  const TempDir dir;
  { REQUIRE(MetaStore::open(dir.file("meta.db"))->put_silences({{"1", "body"}})); }
  {
    auto database = aggregator::Database::open(dir.file("meta.db"), aggregator::Access::read_write, "");
    REQUIRE(database);
    REQUIRE(
        database->execute("DROP TABLE alert_group; DROP TABLE action_run; DROP TABLE message_thread; DROP "
                          "TABLE telling; DROP INDEX alert_history_by_fingerprint; DROP INDEX outbox_dead; "
                          "DROP INDEX outbox_by_time; "
                          "PRAGMA user_version=2"));
  }
  auto store = MetaStore::open(dir.file("meta.db"));
  REQUIRE(store);
  CHECK(store->silences().value() == std::vector<std::string>{"body"});
  Changes changes;
  changes.groups = {{"id", "{}", "{}"}};
  REQUIRE(store->commit(changes));
  CHECK(store->groups().value().size() == 1);
  changes.groups.clear();
  changes.ended_groups = {"id"};
  REQUIRE(store->commit(changes));
  CHECK(store->groups().value().empty());
}

TEST_CASE("a meta.db of version 3 keeps its groups and takes threads") {
  const TempDir dir;
  {
    auto store = MetaStore::open(dir.file("meta.db"));
    REQUIRE(store);
    Changes changes;
    changes.groups = {{"id", "{}", "{}"}};
    REQUIRE(store->commit(changes));
  }
  {
    auto database = aggregator::Database::open(dir.file("meta.db"), aggregator::Access::read_write, "");
    REQUIRE(database);
    REQUIRE(
        database->execute("DROP TABLE action_run; DROP TABLE message_thread; DROP TABLE telling; DROP INDEX "
                          "alert_history_by_fingerprint; DROP INDEX outbox_dead; DROP INDEX outbox_by_time; "
                          "PRAGMA user_version=3"));
  }
  auto store = MetaStore::open(dir.file("meta.db"));
  REQUIRE(store);
  CHECK(store->groups().value().size() == 1);
  CHECK(store->threads().value().empty());
}

TEST_CASE("a meta.db of version 4 keeps its runs of actions and takes threads") {
  const TempDir dir;
  {
    auto store = MetaStore::open(dir.file("meta.db"));
    REQUIRE(store);
    Changes changes;
    changes.runs = {{"run", 1'000, "body"}};
    REQUIRE(store->commit(changes));
  }
  {
    auto database = aggregator::Database::open(dir.file("meta.db"), aggregator::Access::read_write, "");
    REQUIRE(database);
    REQUIRE(
        database->execute("DROP TABLE message_thread; DROP TABLE telling; DROP INDEX "
                          "alert_history_by_fingerprint; DROP INDEX outbox_dead; DROP INDEX outbox_by_time; "
                          "PRAGMA user_version=4"));
  }
  auto store = MetaStore::open(dir.file("meta.db"));
  REQUIRE(store);
  const auto runs = store->runs();
  REQUIRE(runs);
  REQUIRE(runs->size() == 1);
  CHECK(runs->front().body == "body");
  notify::Delivery delivery;
  delivery.thread = notify::ThreadChange{"ops", "f", notify::MessageThread{"C1", "1.2", {}}};
  REQUIRE(store->record(delivery, 1'000));
  CHECK(store->threads().value().size() == 1);
}

TEST_CASE("a meta.db of version 5 keeps its history and takes what was told") {
  const TempDir dir;
  Alert over;
  over.rule = rules_of(kRules)->rules()[0];
  over.series = std::make_shared<const Labels>();
  over.fingerprint = "ab";
  over.state = State::resolved;
  over.resolved_at_ms = 2'000;
  Changes changes;
  changes.history = {&over};
  {
    auto store = MetaStore::open(dir.file("meta.db"));
    REQUIRE(store);
    REQUIRE(store->commit(changes));
  }
  {
    auto database = aggregator::Database::open(dir.file("meta.db"), aggregator::Access::read_write, "");
    REQUIRE(database);
    REQUIRE(
        database->execute("DROP TABLE telling; DROP INDEX alert_history_by_fingerprint; DROP INDEX "
                          "outbox_dead; DROP INDEX outbox_by_time; PRAGMA user_version=5"));
  }
  auto store = MetaStore::open(dir.file("meta.db"));
  REQUIRE(store);
  CHECK(store->ended("a").value()->alert.fingerprint == "ab");
  CHECK_FALSE(store->ended("b").value());
  CHECK(store->ended_since(2'000).value().size() == 1);
  CHECK(store->ended_since(2'001).value().empty());
  over.fingerprint = "ac";
  changes.tellings = {{"ac", 1'000, "ops", "", Telling::What::fires, 1'000, 1'000, 1}};
  REQUIRE(store->commit(changes));
  CHECK(store->tellings("ac", 1'000).value() == changes.tellings);
  CHECK(store->ended("a").error().code == Errc::invalid_argument);
}

TEST_CASE("a thread is remembered with the message that began it, and forgotten with the one that ends it") {
  const TempDir dir;
  auto store = MetaStore::open(dir.file("meta.db"));
  REQUIRE(store);
  std::vector<notify::Row> outbox(1);
  outbox[0].receiver = "ops";
  outbox[0].note.key = outbox[0].note.alert = "Full";
  Changes changes;
  changes.outbox = &outbox;
  REQUIRE(store->commit(changes));
  const notify::ThreadChange begun{"ops", "f", notify::MessageThread{"C1", "1.2", {"a", "b"}}};
  notify::Delivery delivery;
  delivery.ids = {outbox[0].id};
  delivery.thread = begun;
  REQUIRE(store->record(delivery, 1'000));
  CHECK(store->queued().value().empty());
  CHECK(store->threads().value() == std::vector{begun});

  notify::Delivery other;
  other.thread = notify::ThreadChange{"boss", "f", notify::MessageThread{"C2", "3.4", {}}};
  REQUIRE(store->record(other, 5'000));
  CHECK(store->threads().value().size() == 2);
  REQUIRE(store->prune(5'000));  // nobody spoke there for long
  CHECK(store->threads().value() == std::vector{*other.thread});
  other.thread->now.reset();
  REQUIRE(store->record(other, 6'000));
  CHECK(store->threads().value().empty());

  REQUIRE(store->record(delivery, 7'000));
  store = fail(Errc::io, "closed");
  {
    auto database = aggregator::Database::open(dir.file("meta.db"), aggregator::Access::read_write, "");
    REQUIRE(database);
    REQUIRE(database->execute("UPDATE message_thread SET body='{}'"));
  }
  store = MetaStore::open(dir.file("meta.db"));
  REQUIRE(store);
  CHECK(store->threads().value().empty());  // a broken one costs a message of its own
  CHECK(store->damaged() == 1);
}

TEST_CASE("what cannot be stored is kept for later, and no more of it than a person could read") {
  const TempDir dir;
  auto store = MetaStore::open(dir.file("meta.db"));
  REQUIRE(store);
  Ledger ledger(*store);
  Alert ended;
  ended.rule = rules_of(kRules)->rules()[0];
  ended.series = std::make_shared<const Labels>();
  ended.state = State::resolved;
  for (int i = 0; i < 10'010; ++i) {
    ended.fingerprint = fmt::format("{:05}", i);
    ended.fired_at_ms = ended.resolved_at_ms = i;
    ledger.note_end(ended);
  }
  CHECK(ledger.commit({}, {}).outcome == Ledger::Outcome::written);
  auto other = aggregator::Database::open(dir.file("meta.db"), aggregator::Access::read_only, "");
  REQUIRE(other);
  auto kept = other->integer("SELECT count(*) FROM alert_history");
  REQUIRE(kept);
  CHECK(*kept == 10'000);
  CHECK(*other->integer("SELECT count(*) FROM alert_history WHERE fingerprint='00009'") == 0);
}
