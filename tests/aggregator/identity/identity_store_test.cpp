#include "aggregator/identity/identity_store.h"

#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace vigil::aggregator::identity {
namespace {

CertificateRow row(const std::string& serial, std::int64_t until_ms) {
  return {serial, Kind::host, "web-1", 0, until_ms, 0};
}

Answer answer(const std::string& token_hash, const std::string& serial) {
  return {token_hash, "key of " + serial, serial, "certificate " + serial};
}

}  // namespace

TEST_CASE("a full disk is said in words: which file, and where to make room") {
  const test::TempDir dir;
  const std::string path = dir.file("identity.db");
  REQUIRE(IdentityStore::open(path));
  auto database = Database::open(path, Access::read_write, "");
  REQUIRE(database);
  REQUIRE(database->execute("PRAGMA max_page_count=1"));  // SQLite raises it to what there is
  Result<void> done;
  for (int i = 0; i < 10'000 && done; ++i)
    done = database->execute("INSERT INTO readmitted SELECT hex(randomblob(2000)), 1");
  REQUIRE_FALSE(done);
  CHECK(done.error().code == Errc::limit);
  CHECK_THAT(done.error().message, Catch::StartsWith("identity.db: the disk is full: make room in " +
                                                     dir.file("").substr(0, dir.file("").size() - 1)));
  CHECK_THAT(done.error().message, !Catch::Contains("INSERT"));
}

TEST_CASE("identity.db keeps what it was told, and is nobody else's to read") {
  const test::TempDir dir;
  const std::string path = dir.file("identity.db");
  {
    auto store = IdentityStore::open(path);
    REQUIRE(store);
    REQUIRE(store->add_invite({"hash", "web-1", 100, 0, true, "token ci"}, 1));
    REQUIRE(store->add_certificate(row("aa", 500)));
    REQUIRE(store->revoke({"aa"}, 7));
  }
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);
  auto store = IdentityStore::open(path);
  REQUIRE(store);
  const auto invite = store->invite("hash").value();
  REQUIRE(invite);
  CHECK(invite->name == "web-1");
  CHECK(invite->replace);
  CHECK(invite->made_by == "token ci");
  CHECK(store->invite("other").value() == std::nullopt);
  const CertificateRow* known = store->certificate("aa");
  REQUIRE(known != nullptr);
  CHECK(known->revoked_ms == 7);
  CHECK(store->certificate("bb") == nullptr);
}

TEST_CASE("a token is used once, and with it nothing half") {
  const test::TempDir dir;
  auto store = IdentityStore::open(dir.file("identity.db"));
  REQUIRE(store);
  REQUIRE(store->add_invite({"hash", "web-1", 100, 0, false}, 1));
  REQUIRE(store->add_certificate(row("aa", 500)));
  REQUIRE(store->enrolled(answer("hash", "bb"), row("bb", 500), {"aa"}, 5));
  CHECK(store->certificate("aa")->revoked_ms == 5);
  CHECK(store->enrolled(answer("hash", "cc"), row("cc", 500), {"bb"}, 6).error().code == Errc::conflict);
  CHECK(store->certificate("cc") == nullptr);
  CHECK(store->certificate("bb")->revoked_ms == 0);
  // One that cannot be noted leaves the token as it was.
  REQUIRE(store->add_invite({"next", "web-1", 100, 0, false}, 1));
  CHECK_FALSE(store->enrolled(answer("next", "aa"), row("aa", 500), {}, 7));
  CHECK(store->invite("next").value()->used_ms == 0);
}

TEST_CASE("what ended long ago is forgotten, and withdrawn invitations are over") {
  const test::TempDir dir;
  auto store = IdentityStore::open(dir.file("identity.db"));
  REQUIRE(store);
  REQUIRE(store->add_invite({"one", "web-1", 100, 0, false}, 1));
  REQUIRE(store->add_invite({"two", "web-2", 300, 0, false}, 1));
  REQUIRE(store->add_certificate(row("aa", 100)));
  REQUIRE(store->add_certificate(row("bb", 300)));
  REQUIRE(store->add_certificate(row("cc", 100)));
  REQUIRE(store->revoke({"cc"}, 50));
  CHECK(store->open_invites(50).value().size() == 2);
  CHECK(store->open_invites(100).value().size() == 1);
  REQUIRE(store->forget(200));
  CHECK(store->invite("one").value() == std::nullopt);
  CHECK(store->certificate("aa") == nullptr);
  CHECK(store->certificate("bb") != nullptr);
  CHECK(store->certificate("cc") != nullptr);  // it was revoked, which a clock that is wrong must not undo
  CHECK(IdentityStore::open(dir.file("identity.db"))->certificates().size() == 2);
  CHECK(store->withdraw_invites("web-2", 250).value() == 1);
  CHECK(store->withdraw_invites("web-2", 250).value() == 0);
  CHECK(store->open_invites(250).value().empty());
}

TEST_CASE("another program's database, and one of a newer vigil, are left alone") {
  const test::TempDir dir;
  for (const char* script : {"CREATE TABLE other(a)",
                             "PRAGMA user_version=4; PRAGMA application_id=0x56474C49;"
                             "CREATE TABLE invite(a)"}) {
    const std::string path = dir.file("identity.db");
    {
      REQUIRE(IdentityStore::open(path));
      std::filesystem::remove(path);
      std::ofstream(path).flush();
      auto database = Database::open(path, Access::read_write, "");
      REQUIRE(database);
      REQUIRE(database->execute(script));
    }
    const auto refused = IdentityStore::open(path);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::unsupported);
    CHECK(refused.error().message.find(path) != std::string::npos);
    std::filesystem::remove(path);
  }
}

TEST_CASE("what format 1 kept is there in format 3, and who made its invitations nobody knows") {
  const test::TempDir dir;
  const std::string path = dir.file("identity.db");
  {
    std::ofstream(path).flush();
    auto database = Database::open(path, Access::read_write, "");
    REQUIRE(database);
    REQUIRE(database->execute(R"(
CREATE TABLE invite(
  token_hash TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  used_ms INTEGER NOT NULL DEFAULT 0,
  replaces INTEGER NOT NULL) STRICT;
CREATE TABLE certificate(
  serial TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  not_before_ms INTEGER NOT NULL,
  not_after_ms INTEGER NOT NULL,
  revoked_ms INTEGER NOT NULL DEFAULT 0) STRICT;
PRAGMA user_version=1;
PRAGMA application_id=0x56474C49;
INSERT INTO invite VALUES('0123456789', 'web-1', 1, 100, 0, 1);
INSERT INTO certificate VALUES('aa', 'host', 'web-1', 0, 500, 0);
)"));
  }
  for (int i = 0; i < 2; ++i) {  // and once more, as at the next start
    auto store = IdentityStore::open(path);
    REQUIRE(store);
    const auto invite = store->invite("0123456789").value();
    REQUIRE(invite);
    CHECK(invite->id() == "01234567");
    CHECK(invite->made_by.empty());
    CHECK(invite->replace);
    CHECK_FALSE(invite->for_many);
    CHECK(invite->uses == 1);
    CHECK(invite->ended == Ended::no);
    CHECK(store->certificate("aa") != nullptr);
  }
  auto store = IdentityStore::open(path);
  REQUIRE(store);
  REQUIRE(store->add_invite({"new", "web-2", 100, 0, false, "socket"}, 1));
  CHECK(store->invite("new").value()->made_by == "socket");
}

TEST_CASE("what format 2 kept is there in format 3, open or used as it was") {
  const test::TempDir dir;
  const std::string path = dir.file("identity.db");
  {
    std::ofstream(path).flush();
    auto database = Database::open(path, Access::read_write, "");
    REQUIRE(database);
    REQUIRE(database->execute(R"(
CREATE TABLE invite(
  token_hash TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  used_ms INTEGER NOT NULL DEFAULT 0,
  replaces INTEGER NOT NULL,
  made_by TEXT NOT NULL DEFAULT '') STRICT;
CREATE TABLE certificate(
  serial TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  not_before_ms INTEGER NOT NULL,
  not_after_ms INTEGER NOT NULL,
  revoked_ms INTEGER NOT NULL DEFAULT 0) STRICT;
PRAGMA user_version=2;
PRAGMA application_id=0x56474C49;
INSERT INTO invite VALUES('open', 'web-1', 1, 100, 0, 0, 'socket'), ('used', 'web-2', 1, 100, 50, 0, 'socket');
)"));
  }
  auto store = IdentityStore::open(path);
  REQUIRE(store);
  CHECK(store->open_invites(60).value().size() == 1);
  CHECK(store->invite("used").value()->used == 1);
  CHECK(store->enrolled(answer("open", "aa"), row("aa", 500), {}, 60));
  CHECK(store->enrolled(answer("open", "bb"), row("bb", 500), {}, 60).error().code == Errc::conflict);
  CHECK(store->readmit("web-1", {"aa"}, 70));
  CHECK(store->certificate("aa")->revoked_ms == 70);
  CHECK(store->readmitted("web-1").value() == 70);
  CHECK(store->readmitted("web-2").value() == std::nullopt);
}

TEST_CASE("two may have identity.db open, as the aggregator and its init do") {
  const test::TempDir dir;
  auto one = IdentityStore::open(dir.file("identity.db"));
  auto other = IdentityStore::open(dir.file("identity.db"));
  REQUIRE(one);
  REQUIRE(other);
  REQUIRE(one->add_certificate(row("aa", 100)));
  REQUIRE(other->add_certificate(row("bb", 100)));
  CHECK(IdentityStore::open(dir.file("identity.db"))->certificates().size() == 2);
}

}  // namespace vigil::aggregator::identity
