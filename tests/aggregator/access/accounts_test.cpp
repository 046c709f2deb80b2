#include "aggregator/access/accounts.h"

#include "aggregator/access/secrets.h"
#include "tests/aggregator/access/fixture.h"

#include <filesystem>
#include <fstream>
#include <iterator>

using namespace vigil;
using namespace vigil::aggregator::access;

namespace {

constexpr std::int64_t kDay = 86'400'000;

/// Everything that is on the disk.
std::string bytes_below(const std::string& folder) {
  std::string all;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    all.append(std::istreambuf_iterator<char>(file), {});
  }
  return all;
}

std::string folder_of(const Fixture& f) {
  return std::filesystem::path(f.folder.file("x")).parent_path();
}

}  // namespace

TEST_CASE("a token lets in until it expires or is revoked, also after a restart, and is stored as a digest") {
  Fixture f;
  const std::string text = f.token("grafana", Role::viewer, Area::other, kT0 + kDay);
  const auto look = [&f, &text] {
    const auto found = f.accounts->find_token(text);
    return found && found->name == "grafana" && found->role == Role::viewer;
  };
  CHECK(look());
  CHECK_FALSE(f.accounts->find_token(text.substr(0, text.size() - 1) + (text.back() == 'a' ? 'b' : 'a')));
  CHECK_FALSE(f.accounts->find_token(""));
  CHECK(bytes_below(folder_of(f)).find(text.substr(4)) == std::string::npos);
  f.gatekeeper.reset();
  f.open();
  CHECK(look());
  f.now = kT0 + kDay - 1;
  CHECK(look());
  f.now = kT0 + kDay;
  CHECK_FALSE(look());
  f.now = kT0;
  CHECK(look());
  REQUIRE(f.accounts->revoke_token("grafana", f.root));
  CHECK_FALSE(look());
  f.open();
  CHECK_FALSE(look());
  CHECK(f.accounts->revoke_token("grafana", f.root).error().code == Errc::not_found);
}

TEST_CASE("a token that lets nobody in any more is known for what it was, also after a restart") {
  Fixture f;
  const std::string expiring = f.token("short", Role::viewer, Area::other, kT0 + kDay);
  const std::string leaked = f.token("leaked", Role::viewer);
  CHECK_FALSE(f.accounts->why_over(expiring));
  CHECK_FALSE(f.accounts->why_over(leaked));
  CHECK_FALSE(f.accounts->why_over(*new_token()));
  REQUIRE(f.accounts->revoke_token("leaked", f.root));
  const std::string again = f.token("leaked", Role::viewer);
  f.now = kT0 + kDay;
  f.gatekeeper.reset();
  f.open();
  CHECK(f.accounts->why_over(expiring) == "the token short expired at 2027-01-16T08:00:00Z");
  CHECK(f.accounts->why_over(leaked) == "the token leaked was revoked at 2027-01-15T08:00:00Z");
  CHECK_FALSE(f.accounts->why_over(again));
  CHECK(bytes_below(folder_of(f)).find(leaked.substr(4)) == std::string::npos);
}

TEST_CASE("the day a token was used last is kept, and nothing finer") {
  Fixture f;
  const std::string text = f.token("a", Role::viewer);
  CHECK(f.accounts->tokens().at(0).last_used_day_ms == 0);
  CHECK(f.accounts->find_token(text));
  REQUIRE(f.accounts->write_use());
  f.gatekeeper.reset();
  f.open();
  CHECK(f.accounts->tokens().at(0).last_used_day_ms == kT0 - kT0 % kDay);
  CHECK(f.accounts->tokens().at(0).created_by == "socket");
}

TEST_CASE("a day that could not be written is written the next time") {
  Fixture f;
  const std::string text = f.token("grafana", Role::viewer);
  REQUIRE(f.accounts->find_token(text));
  const auto run = [&f](const char* sql) {
    return f.file->change([sql](aggregator::Database& database) { return database.execute(sql); });
  };
  REQUIRE(
      run("CREATE TRIGGER no_room BEFORE UPDATE ON token BEGIN SELECT RAISE(ABORT, 'disk is full'); END"));
  CHECK_FALSE(f.accounts->write_use());
  REQUIRE(run("DROP TRIGGER no_room"));
  REQUIRE(f.accounts->write_use());
  f.gatekeeper.reset();
  f.open();
  CHECK(f.accounts->tokens().at(0).last_used_day_ms == kT0 - kT0 % kDay);
}

TEST_CASE("a user whom another program made is one, and changes begin with what is in the file") {
  Fixture f;
  const std::string text = f.token("grafana", Role::viewer);
  REQUIRE(f.accounts->find_token(text));
  const auto now = [&f] { return f.now.load(); };
  {
    const auto file = AccessFile::open(f.folder.file(kAccessFile));  // vigil-aggregator init
    REQUIRE(file);
    Audit audit(**file, now);
    REQUIRE(ensure_admin(**file, audit, "eve", f.root, now).value());
    REQUIRE(ensure_admin(**file, audit, "bob", f.root, now).value());
  }
  CHECK(f.accounts->put_user({"bob", "", Role::viewer, true}, f.root).error().code == Errc::conflict);
  CHECK(f.accounts->put_user({"bob", "", Role::viewer, false}, f.root));
  const auto eve = f.accounts->find_user("eve");
  REQUIRE(eve);
  CHECK(eve->role == Role::admin);
  {
    const auto file = AccessFile::open(f.folder.file(kAccessFile));
    REQUIRE(file);
    Audit audit(**file, now);
    REQUIRE(ensure_admin(**file, audit, "ada", f.root, now).value());
  }
  REQUIRE(f.accounts->refresh());
  CHECK(f.accounts->find_user("ada"));
  REQUIRE(f.accounts->write_use());  // what was noted before is not forgotten
  f.gatekeeper.reset();
  f.open();
  CHECK(f.accounts->tokens().at(0).last_used_day_ms == kT0 - kT0 % kDay);
}

TEST_CASE("names are taken once, and are names") {
  Fixture f;
  f.token("a", Role::viewer);
  CHECK(f.accounts->create_token({.name = "a", .role = Role::admin}, f.root).error().code == Errc::conflict);
  for (const char* name : {"", "a b", "ä", "a:b", "a/b"}) {
    INFO(name);
    CHECK(f.accounts->create_token({.name = name}, f.root).error().code == Errc::invalid_argument);
    CHECK(f.accounts->put_user({name, "", Role::viewer, true}, f.root).error().code ==
          Errc::invalid_argument);
  }
  CHECK_FALSE(check_account_name(std::string(65, 'a')));
  CHECK(check_account_name("alice.b_c-d@example.org"));
  CHECK_FALSE(check_password("123456789"));
  CHECK(check_password("1234567890"));
  CHECK(check_password("größer als ß"));
  for (const char control : {'\0', '\n', '\t', '\x1b', '\x7f'}) {
    const auto refused = check_password(std::string("correct") + control + "horse");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("control characters") != std::string::npos);
  }
}

TEST_CASE("users are added, changed and removed, and each change is in the log with before and after") {
  Fixture f;
  const std::string hash = *hash_password("correct horse");
  const Actor alice{Caller::Kind::user, "alice", "192.0.2.1:5"};
  CHECK(f.accounts->put_user({"bob", hash, Role::viewer, false}, alice).error().code == Errc::not_found);
  CHECK(f.accounts->put_user({"bob", hash, std::nullopt, true}, alice).error().code ==
        Errc::invalid_argument);
  REQUIRE(f.accounts->put_user({"bob", hash, Role::viewer, true}, alice));
  CHECK(f.accounts->put_user({"bob", hash, Role::viewer, true}, alice).error().code == Errc::conflict);
  REQUIRE(f.accounts->put_user({"bob", "", Role::operating, false}, alice));
  CHECK(f.accounts->find_user("bob")->role == Role::operating);
  CHECK(f.accounts->find_user("bob")->password == hash);
  REQUIRE(f.accounts->put_user({"bob", *hash_password("another horse"), std::nullopt, false}, alice));
  CHECK(f.accounts->find_user("bob")->role == Role::operating);
  REQUIRE(f.accounts->remove_user("bob", alice));
  CHECK_FALSE(f.accounts->find_user("bob"));
  CHECK(f.accounts->remove_user("bob", alice).error().code == Errc::not_found);

  const auto log = f.audit->find({});
  REQUIRE(log);
  std::vector<std::string> what;
  for (const AuditEntry& entry : log->entries) {
    what.push_back(entry.what);
    CHECK(entry.object == "bob");
    CHECK(entry.actor.name == "alice");
    CHECK(entry.actor.from == "192.0.2.1:5");
    CHECK((entry.before + entry.after).find("argon2") == std::string::npos);
  }
  CHECK(what == std::vector<std::string>{"user.add", "user.role", "user.password", "user.remove"});
  CHECK(log->entries[0].before.empty());
  CHECK_THAT(log->entries[1].before, Catch::Contains("viewer"));
  CHECK_THAT(log->entries[1].after, Catch::Contains("operator"));
  CHECK(log->entries[3].after.empty());
}

TEST_CASE("access.db is nobody else's to read, and one that is none is refused") {
  Fixture f;
  const auto status = std::filesystem::status(f.folder.file(kAccessFile));
  CHECK(status.permissions() == (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  const vigil::test::TempFile junk("access.db", "this was never a database, by no means whatsoever");
  std::filesystem::permissions(junk.path(), std::filesystem::perms::owner_all);
  const auto opened = AccessFile::open(junk.path());
  REQUIRE_FALSE(opened);
  CHECK_THAT(opened.error().message, Catch::Contains(junk.path()) && Catch::Contains("backup"));
}
