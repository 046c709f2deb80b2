#include "aggregator/access/audit.h"

#include "tests/aggregator/access/fixture.h"

using namespace vigil;
using namespace vigil::aggregator;
using namespace vigil::aggregator::access;

namespace {

Result<void> run(Fixture& f, const char* sql) {
  return f.file->change([sql](Database& database) { return database.execute(sql); });
}

const Actor kAlice{Caller::Kind::user, "alice", "192.0.2.1:5"};
const Actor kBob{Caller::Kind::token, "bob", "192.0.2.2:6"};

}  // namespace

TEST_CASE("entries are found by time, by who and by what, the latest last") {
  Fixture f;
  REQUIRE(f.audit->note(kAlice, {"silence.set", "s1", "", "{}"}));
  f.now = kT0 + 1000;
  REQUIRE(f.audit->note(kBob, {"silence.expire", "s1", "{}", ""}));
  f.now = kT0 + 2000;
  REQUIRE(f.audit->note(kAlice, {"host.forget", "web-1", "", ""}));
  const auto ids = [&f](const AuditQuery& query) {
    std::vector<std::int64_t> out;
    const auto found = f.audit->find(query);
    REQUIRE(found);
    for (const AuditEntry& entry : found->entries) out.push_back(entry.id);
    return out;
  };
  using Ids = std::vector<std::int64_t>;
  CHECK(ids({}) == Ids{1, 2, 3});
  CHECK(ids({.who = "alice"}) == Ids{1, 3});
  CHECK(ids({.what = "silence"}) == Ids{1, 2});
  CHECK(ids({.what = "%"}) == Ids{});
  CHECK(ids({.start_ms = kT0 + 1000}) == Ids{2, 3});
  CHECK(ids({.end_ms = kT0 + 1000}) == Ids{1, 2});
  CHECK(ids({.limit = 2}) == Ids{2, 3});
  CHECK(f.audit->find({.limit = 2})->truncated);
  CHECK_FALSE(f.audit->find({.limit = 3})->truncated);
  const AuditEntry first = f.audit->find({})->entries.front();
  CHECK(first.actor.kind == Caller::Kind::user);
  CHECK(first.actor.from == "192.0.2.1:5");
  CHECK(first.after == "{}");
  CHECK(first.at_ms == kT0);
}

TEST_CASE("what is no text is written as text, and nothing at its end is lost for it") {
  Fixture f;
  REQUIRE(f.audit->note(kAlice, {"reload", "", "", "{\"refused\":\"\xff\xff\xff\"}"}));
  CHECK(f.audit->find({})->entries.front().after == "{\"refused\":\"\uFFFD\uFFFD\uFFFD\"}");
}

TEST_CASE("nothing in the log is changed, replaced or removed") {
  Fixture f;
  REQUIRE(f.audit->note(kAlice, {"silence.set", "s1", "", ""}));
  for (const char* sql : {"UPDATE audit SET who='bob'", "DELETE FROM audit", "DELETE FROM audit WHERE id=1",
                          "INSERT OR REPLACE INTO audit SELECT "
                          "id,at_ms,kind,'bob',origin,what,object,before,after FROM audit"}) {
    INFO(sql);
    CHECK_FALSE(run(f, sql));
  }
  CHECK(f.audit->find({})->entries.at(0).actor.name == "alice");
}

TEST_CASE("what is older than its retention leaves, which is an entry itself") {
  Fixture f;
  REQUIRE(f.audit->note(kAlice, {"a", "", "", ""}));
  f.now = kT0 + 1000;
  REQUIRE(f.audit->note(kAlice, {"b", "", "", ""}));
  REQUIRE(f.audit->prune(kT0));
  CHECK(f.audit->find({})->entries.size() == 2);
  REQUIRE(f.audit->prune(kT0 + 1));
  const auto left = f.audit->find({});
  REQUIRE(left->entries.size() == 2);
  CHECK(left->entries[0].what == "b");
  CHECK(left->entries[1].what == "audit.removed");
  CHECK(left->entries[1].before == R"({"entries":1,"before_ms":1800000000001})");
  CHECK_FALSE(run(f, "DELETE FROM audit"));
}

TEST_CASE("while the log cannot be written changes are refused, and what was done is written later") {
  Fixture f;
  REQUIRE(f.file->read([](Database& database) { return database.execute("PRAGMA query_only=ON"); }));
  CHECK(f.audit->ready());  // nothing waits: nobody knows yet
  const auto noted = f.audit->note(kAlice, {"silence.set", "s1", "", ""});
  REQUIRE_FALSE(noted);
  CHECK(noted.error().code == Errc::unavailable);
  CHECK_THAT(noted.error().message, Catch::Contains("it is done"));
  CHECK(f.audit->waiting() == 1);
  CHECK_FALSE(f.audit->ready());
  CHECK_FALSE(f.accounts->create_token({.name = "x", .role = Role::admin}, f.root));
  CHECK(f.accounts->tokens().empty());
  REQUIRE(f.file->read([](Database& database) { return database.execute("PRAGMA query_only=OFF"); }));
  CHECK(f.audit->ready());
  CHECK(f.audit->waiting() == 0);
  CHECK(f.audit->find({})->entries.at(0).object == "s1");
}
