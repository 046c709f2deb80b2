#include "aggregator/access/access_file.h"

#include "aggregator/store/folder.h"
#include "aggregator/store/page_checksums.h"
#include "common/log/log.h"

namespace vigil::aggregator::access {
namespace {

constexpr std::int64_t kAccessApplicationId = 0x56474C41;  // "VGLA"
constexpr std::int64_t kAccessVersion = 1;

// The log can only grow: what is older than its retention goes by raising audit_limit in the same
// transaction, see Audit::prune().
constexpr const char* kAccessTables = R"(
CREATE TABLE token(
  name TEXT PRIMARY KEY,
  digest BLOB NOT NULL UNIQUE,
  role TEXT NOT NULL,
  scope TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  last_used_day_ms INTEGER NOT NULL,
  created_by TEXT NOT NULL) STRICT;
CREATE TABLE user(
  name TEXT PRIMARY KEY,
  password TEXT NOT NULL,
  role TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  changed_ms INTEGER NOT NULL) STRICT;
CREATE TABLE audit(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  who TEXT NOT NULL,
  origin TEXT NOT NULL,
  what TEXT NOT NULL,
  object TEXT NOT NULL,
  before TEXT NOT NULL,
  after TEXT NOT NULL) STRICT;
CREATE INDEX audit_by_time ON audit(at_ms);
CREATE TABLE audit_limit(before_ms INTEGER NOT NULL) STRICT;
INSERT INTO audit_limit VALUES(-9223372036854775808);
CREATE TRIGGER audit_stays_as_written BEFORE UPDATE ON audit BEGIN
  SELECT RAISE(ABORT, 'entries of the audit log never change'); END;
CREATE TRIGGER audit_keeps BEFORE DELETE ON audit WHEN OLD.at_ms >= (SELECT before_ms FROM audit_limit) BEGIN
  SELECT RAISE(ABORT, 'entries of the audit log are not removed'); END;
)";

// Of later, and read by no older program: so the format is the same. What a token was, so that who still
// shows it is known for no guesser.
constexpr const char* kRevokedTokens = R"(
CREATE TABLE IF NOT EXISTS revoked_token(
  digest BLOB PRIMARY KEY,
  name TEXT NOT NULL,
  at_ms INTEGER NOT NULL) STRICT;
)";

Result<void> make_access_tables(Database& database, const std::string& path) {
  const auto version = database.integer("PRAGMA user_version");
  if (!version) return version.error();
  const auto application = database.integer("PRAGMA application_id");
  if (!application) return application.error();
  const auto tables = database.integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  if (*tables > 0 && *application != kAccessApplicationId)
    return fail(Errc::unsupported, "{} is not what vigil keeps tokens and users in: move it away", path);
  if (*version > kAccessVersion)
    return fail(
        Errc::unsupported,
        "{} has format {}, this program knows formats up to {}: start the newer vigil-aggregator that "
        "wrote it",
        path, *version, kAccessVersion);
  if (*tables > 0) return {};
  const std::string script =
      fmt::format("BEGIN IMMEDIATE;{}PRAGMA user_version={};PRAGMA application_id={};COMMIT;", kAccessTables,
                  kAccessVersion, kAccessApplicationId);
  auto made = database.execute(script.c_str());
  if (made) log::info("access", "begun without tokens, users and log of changes", {{"file", path}});
  return made;
}

/// Damage is told at the start, not when somebody is let in by a wrong byte.
Result<void> check_access_file(Database& database, const std::string& path) {
  auto look = database.prepare("PRAGMA quick_check(1)");
  if (!look) return look.error();
  const auto row = look->step();
  if (!row) return row.error();
  if (*row && look->bytes(0) != "ok") return fail(Errc::corrupt, "{} is damaged: {}", path, look->bytes(0));
  return {};
}

}  // namespace

Result<std::unique_ptr<AccessFile>> AccessFile::open(const std::string& path) {
  const auto refuse = [&path](const Error& error) {
    if (error.code == Errc::limit) return error;  // a full disk: the file is as good as it was
    return fail(error.code,
                "{}: {}; restore it from a backup, or move it away to begin without tokens, users "
                "and log",
                path, error.message);
  };
  if (auto made = make_private_file(path); !made) return made.error();
  auto database = Database::open(path, aggregator::Access::read_write, "");
  if (!database) return refuse(database.error());
  if (auto made = make_access_tables(*database, path); !made)
    return made.error().code == Errc::unsupported ? made.error() : refuse(made.error());
  auto set = database->execute(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA recursive_triggers=ON;");  // for REPLACE
  if (set) set = database->execute(kRevokedTokens);
  if (!set) return refuse(set.error());
  if (auto whole = check_access_file(*database, path); !whole) return refuse(whole.error());
  auto kept = keep_page_checksums(database->handle());
  if (!kept && kept.error().code != Errc::limit) return refuse(kept.error());
  if (!kept)
    log::warn("access", "no room to give access.db checksums: tried again at the next start",
              {{"error", kept.error()}});
  return std::unique_ptr<AccessFile>(new AccessFile(std::move(*database)));
}

Result<void> AccessFile::change(const std::function<Result<void>(Database&)>& change) {
  const std::lock_guard lock(mutex_);
  if (auto begun = database_.execute("BEGIN IMMEDIATE"); !begun) return begun;
  auto done = change(database_);
  if (done) done = database_.execute("COMMIT");
  if (!done) static_cast<void>(database_.execute("ROLLBACK"));  // fails when SQLite has rolled back already
  return done;
}

Result<void> AccessFile::read(const std::function<Result<void>(Database&)>& read) {
  const std::lock_guard lock(mutex_);
  return read(database_);
}

Result<void> AccessFile::checkpoint() {
  const std::lock_guard lock(mutex_);
  if (sqlite3_wal_checkpoint_v2(database_.handle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr) !=
      SQLITE_OK)
    return sqlite_error(database_.handle(), "checkpoint of access.db");
  return {};
}

}  // namespace vigil::aggregator::access
