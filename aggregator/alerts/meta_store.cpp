#include "aggregator/alerts/meta_store.h"

#include "aggregator/alerts/alert_json.h"
#include "aggregator/store/folder.h"
#include "aggregator/store/page_checksums.h"
#include "common/log/log.h"

#include <cstddef>
#include <iterator>
#include <utility>

namespace vigil::alerts {
namespace {

using aggregator::Access;
using aggregator::Database;
using aggregator::Statement;

constexpr std::int64_t kApplicationId = 0x56474C4D;  // "VGLM"
constexpr const char* kVersion1 = R"(
CREATE TABLE alert(
  fingerprint TEXT PRIMARY KEY,
  rule_key TEXT NOT NULL,
  scope TEXT NOT NULL,
  state TEXT NOT NULL,
  body TEXT NOT NULL) STRICT;
CREATE TABLE alert_history(
  id INTEGER PRIMARY KEY,
  fingerprint TEXT NOT NULL,
  rule_key TEXT NOT NULL,
  instance TEXT NOT NULL,
  fired_at_ms INTEGER NOT NULL,
  resolved_at_ms INTEGER NOT NULL,
  body TEXT NOT NULL) STRICT;
CREATE INDEX alert_history_by_time ON alert_history(resolved_at_ms);
CREATE TABLE outbox(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  receiver TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  next_attempt_ms INTEGER NOT NULL DEFAULT 0,
  dead_at_ms INTEGER NOT NULL DEFAULT 0,
  error TEXT NOT NULL DEFAULT '',
  body TEXT NOT NULL) STRICT;
)";
constexpr const char* kVersion2 = R"(
CREATE TABLE silence(
  id TEXT PRIMARY KEY,
  body TEXT NOT NULL) STRICT;
)";
constexpr const char* kVersion3 = R"(
CREATE TABLE alert_group(
  id TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  ended TEXT NOT NULL) STRICT;
)";
constexpr const char* kVersion4 = R"(
CREATE TABLE action_run(
  id TEXT PRIMARY KEY,
  created_ms INTEGER NOT NULL,
  body TEXT NOT NULL) STRICT;
)";
constexpr const char* kVersion5 = R"(
CREATE TABLE message_thread(
  receiver TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  told_ms INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY(receiver, fingerprint)) STRICT, WITHOUT ROWID;
)";
constexpr const char* kVersion6 = R"(
CREATE TABLE telling(
  fingerprint TEXT NOT NULL,
  fired_at_ms INTEGER NOT NULL,
  receiver TEXT NOT NULL,
  group_key TEXT NOT NULL,
  what TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  times INTEGER NOT NULL,
  first_arrived_ms INTEGER NOT NULL DEFAULT 0,
  last_arrived_ms INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(fingerprint, fired_at_ms, receiver, group_key, what)) STRICT, WITHOUT ROWID;
CREATE INDEX telling_by_time ON telling(last_ms);
CREATE INDEX outbox_by_time ON outbox(created_ms);
CREATE INDEX outbox_dead ON outbox(id, receiver, dead_at_ms) WHERE dead_at_ms>0;
CREATE INDEX alert_history_by_fingerprint ON alert_history(fingerprint, resolved_at_ms);
)";
constexpr const char* kVersions[] = {kVersion1, kVersion2, kVersion3, kVersion4, kVersion5, kVersion6};
constexpr int kVersion = std::size(kVersions);

/// How a file that was opened is marked.
struct Marks {
  std::int64_t version = 0;
  bool ours = false;      // by its application_id
  bool unmarked = false;  // ours, as the first ones were
};

Result<Marks> read_marks(Database& database, const std::string& path) {
  const auto version = database.integer("PRAGMA user_version");
  if (!version) return version.error();
  if (*version > kVersion) {
    return fail(
        Errc::unsupported,
        "{} has format {}, this program knows formats up to {}: start the newer vigil-aggregator that "
        "wrote it, or restore a backup of before into another folder",
        path, *version, kVersion);
  }
  const auto application = database.integer("PRAGMA application_id");
  if (!application) return application.error();
  if (*application == kApplicationId) return Marks{*version, true, false};
  const auto tables = database.integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  const auto ours =
      database.integer("SELECT count(*) FROM sqlite_schema WHERE name IN ('alert','alert_history','outbox')");
  if (!ours) return ours.error();
  const bool unmarked = *application == 0 && *version == 1 && *ours == 3;
  if (*tables > 0 && !unmarked)
    return fail(Errc::unsupported,
                "{} is not what vigil keeps its alerts in, it belongs to another program: move it away, or "
                "restore a backup into another folder",
                path);
  return Marks{*version, false, unmarked};
}

Result<void> migrate(Database& database, const std::string& path) {
  const auto marks = read_marks(database, path);
  if (!marks) return marks.error();
  if (marks->ours && marks->version == kVersion) return {};
  const std::int64_t version = marks->ours || marks->unmarked ? marks->version : 0;
  std::string script = "BEGIN IMMEDIATE;";
  for (auto step = static_cast<std::size_t>(version); step < std::size(kVersions); ++step)
    script += kVersions[step];
  script += fmt::format("PRAGMA user_version={};PRAGMA application_id={};COMMIT;", kVersion, kApplicationId);
  return database.execute(script.c_str());
}

/// Runs `sql` and hands each row to `visit`.
template <class Visit>
Result<void> for_each_row(Database& database, std::string_view sql, Visit&& visit) {
  auto statement = database.prepare(sql);
  if (!statement) return statement.error();
  while (true) {
    const auto row = statement->step();
    if (!row) return row.error();
    if (!*row) return {};
    visit(*statement);
  }
}

/// Of fingerprint, rule's key and body of a row of the history.
Result<StoredAlert> ended_from(Statement& row) {
  auto alert = decode_alert(row.bytes(2));
  if (!alert) return alert.error();
  alert->fingerprint = row.bytes(0);
  alert->state = State::resolved;
  return StoredAlert{std::string(row.bytes(1)), std::move(*alert)};
}

/// Reads all of it: damage that a start does not meet would hinder each later commit.
Result<void> check_whole(Database& database, const std::string& path) {
  auto look = database.prepare("PRAGMA quick_check(1)");
  if (!look) return look.error();
  const auto row = look->step();
  if (!row) return row.error();
  if (*row && look->bytes(0) != "ok") return fail(Errc::corrupt, "{} is damaged: {}", path, look->bytes(0));
  return {};
}

}  // namespace

Result<void> MetaStore::refuse_unknown(const std::string& path) {
  auto database = Database::open(path, Access::read_only, "");
  if (!database) return {};
  const auto marks = read_marks(*database, path);
  if (marks || marks.error().code != Errc::unsupported) return {};
  return fail(Errc::unsupported, "{}. Nothing was changed", marks.error().message);
}

Result<MetaStore> MetaStore::open(const std::string& path, const std::string& vfs) {
  if (auto made = aggregator::make_private_file(path); !made) return made.error();
  auto database = Database::open(path, Access::read_write, vfs);
  if (!database) return database.error();
  // Before anything is written: it may be somebody else's.
  if (auto known = migrate(*database, path); !known) return known.error();
  auto set = database->execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;");
  if (!set) return fail(set.error().code, "{}: {}", path, set.error().message);
  if (auto whole = check_whole(*database, path); !whole) return whole.error();
  auto kept = aggregator::keep_page_checksums(database->handle());
  if (!kept && kept.error().code != Errc::limit) return kept.error();
  if (!kept)
    log::warn("alerts", "no room to give meta.db checksums: tried again at the next start",
              {{"error", kept.error()}});
  MetaStore store(std::move(*database));
  if (auto prepared = store.prepare(); !prepared) return prepared.error();
  return store;
}

Result<void> MetaStore::prepare() {
  const auto make = [this](std::optional<Statement>& out, std::string_view sql) -> Result<void> {
    auto statement = database_.prepare(sql);
    if (!statement) return statement.error();
    out.emplace(std::move(*statement));
    return {};
  };
  if (auto r = make(put_alert_, "INSERT OR REPLACE INTO alert VALUES(?,?,?,?,?)"); !r) return r;
  if (auto r = make(remove_alert_, "DELETE FROM alert WHERE fingerprint=?"); !r) return r;
  if (auto r =
          make(add_history_,
               "INSERT INTO alert_history(fingerprint,rule_key,instance,fired_at_ms,resolved_at_ms,body) "
               "VALUES(?,?,?,?,?,?)");
      !r) {
    return r;
  }
  if (auto r = make(put_group_, "INSERT OR REPLACE INTO alert_group VALUES(?,?,?)"); !r) return r;
  if (auto r = make(put_silence_, "INSERT OR REPLACE INTO silence VALUES(?,?)"); !r) return r;
  if (auto r = make(remove_group_, "DELETE FROM alert_group WHERE id=?"); !r) return r;
  if (auto r = make(put_run_, "INSERT OR REPLACE INTO action_run VALUES(?,?,?)"); !r) return r;
  if (auto r = make(remove_run_, "DELETE FROM action_run WHERE id=?"); !r) return r;
  if (auto r = make(put_telling_,
                    "INSERT INTO telling VALUES(?,?,?,?,?,?,?,?,0,0) ON CONFLICT DO UPDATE SET "
                    "last_ms=excluded.last_ms, times=times+excluded.times");
      !r)
    return r;
  return make(add_message_, "INSERT INTO outbox(receiver,created_ms,body) VALUES(?,?,?)");
}

Result<void> MetaStore::write(const Changes& changes) {
  for (const std::string& fingerprint : changes.removed) {
    if (auto done = remove_alert_->run(std::string_view(fingerprint)); !done) return done;
  }
  for (const Alert* alert : changes.put) {
    const std::string body = encode(*alert);
    auto done =
        put_alert_->run(std::string_view(alert->fingerprint), std::string_view(alert->rule->key),
                        std::string_view(alert->scope), to_string(alert->state), std::string_view(body));
    if (!done) return done;
  }
  for (const Alert* alert : changes.history) {
    const std::string body = encode(*alert);
    auto done = add_history_->run(std::string_view(alert->fingerprint), std::string_view(alert->rule->key),
                                  alert->instance(), alert->fired_at_ms, alert->resolved_at_ms,
                                  std::string_view(body));
    if (!done) return done;
  }
  for (const std::string& id : changes.ended_groups) {
    if (auto done = remove_group_->run(std::string_view(id)); !done) return done;
  }
  for (const StoredGroup& group : changes.groups) {
    auto done = put_group_->run(std::string_view(group.id), std::string_view(group.state),
                                std::string_view(group.ended));
    if (!done) return done;
  }
  for (const StoredSilence& silence : changes.silences) {
    auto done = put_silence_->run(std::string_view(silence.id), std::string_view(silence.body));
    if (!done) return done;
  }
  for (const std::string& id : changes.forgotten_runs) {
    if (auto done = remove_run_->run(std::string_view(id)); !done) return done;
  }
  for (const StoredRun& run : changes.runs) {
    if (auto done = put_run_->run(std::string_view(run.id), run.created_ms, std::string_view(run.body));
        !done)
      return done;
  }
  for (const Telling& telling : changes.tellings) {
    if (auto done = write(telling); !done) return done;
  }
  if (changes.outbox == nullptr) return {};
  for (notify::Row& row : *changes.outbox) {
    const std::string body = notify::encode_body(row);
    auto done = add_message_->run(std::string_view(row.receiver), row.created_ms, std::string_view(body));
    if (!done) return done;
    row.id = sqlite3_last_insert_rowid(database_.handle());
  }
  return {};
}

Result<void> MetaStore::commit(const Changes& changes) {
  if (auto begun = database_.execute("BEGIN IMMEDIATE"); !begun) return begun;
  auto done = write(changes);
  if (done) done = database_.execute("COMMIT");
  if (done) return {};
  static_cast<void>(database_.execute("ROLLBACK"));  // fails when SQLite has rolled back already
  if (changes.outbox != nullptr) {
    for (notify::Row& row : *changes.outbox) row.id = 0;
  }
  return done;
}

Result<std::vector<StoredAlert>> MetaStore::alerts() {
  std::vector<StoredAlert> out;
  const auto read =
      for_each_row(database_, "SELECT fingerprint,rule_key,scope,state,body FROM alert", [&](Statement& row) {
        auto alert = decode_alert(row.bytes(4));
        if (!alert) {
          ++damaged_;
          return;
        }
        alert->fingerprint = row.bytes(0);
        alert->scope = row.bytes(2);
        alert->state = row.bytes(3) == to_string(State::firing) ? State::firing : State::pending;
        out.push_back({std::string(row.bytes(1)), std::move(*alert)});
      });
  if (!read) return read.error();
  return out;
}

Result<void> MetaStore::each_ended(std::int64_t since_ms,
                                   const std::function<void(const EndedAlert&)>& visit) {
  const std::string sql = fmt::format(
      "SELECT fingerprint,rule_key,fired_at_ms,resolved_at_ms,body FROM alert_history WHERE "
      "resolved_at_ms>={} "
      "ORDER BY resolved_at_ms, id",
      since_ms);
  return for_each_row(database_, sql, [&visit](Statement& row) {
    const auto alert = decode_alert(row.bytes(4));
    visit({std::string(row.bytes(0)), std::string(row.bytes(1)), row.integer(2), row.integer(3),
           alert ? alert->labels : Labels(), alert ? *alert->series : Labels()});
  });
}

Result<std::vector<StoredAlert>> MetaStore::ended_since(std::int64_t since_ms) {
  std::vector<StoredAlert> out;
  const std::string sql = fmt::format(
      "SELECT fingerprint,rule_key,body FROM alert_history WHERE resolved_at_ms>={} ORDER BY resolved_at_ms, "
      "id",
      since_ms);
  const auto read = for_each_row(database_, sql, [&](Statement& row) {
    if (auto alert = ended_from(row)) out.push_back(std::move(*alert));
  });
  if (!read) return read.error();
  return out;
}

Result<std::optional<StoredAlert>> MetaStore::ended(std::string_view fingerprint) {
  auto rows = database_.prepare(
      "SELECT fingerprint,rule_key,body,max(resolved_at_ms) FROM alert_history WHERE fingerprint>=?1 AND "
      "fingerprint<?1||'~' GROUP BY fingerprint LIMIT 2");
  if (!rows) return rows.error();
  rows->bind(fingerprint);
  std::optional<StoredAlert> out;
  auto more = rows->step();
  for (; more && *more; more = rows->step()) {
    if (out)
      return fail(Errc::invalid_argument, "{} is the beginning of several alerts' ids: write more of it",
                  fingerprint);
    if (auto alert = ended_from(*rows)) out = std::move(*alert);
  }
  if (!more) return more.error();
  return out;
}

Result<std::vector<notify::Row>> MetaStore::queued() {
  std::vector<notify::Row> out;
  const auto read =
      for_each_row(database_,
                   "SELECT id,receiver,created_ms,attempts,next_attempt_ms,body FROM outbox WHERE "
                   "dead_at_ms=0 ORDER BY id",
                   [&](Statement& row) {
                     notify::Row waiting{row.integer(0), std::string(row.bytes(1)),
                                         row.integer(2), static_cast<int>(row.integer(3)),
                                         row.integer(4), {}};
                     if (notify::decode_body(row.bytes(5), waiting)) {
                       out.push_back(std::move(waiting));
                     } else {
                       ++damaged_;
                     }
                   });
  if (!read) return read.error();
  return out;
}

Result<std::vector<StoredGroup>> MetaStore::groups() {
  std::vector<StoredGroup> out;
  const auto read =
      for_each_row(database_, "SELECT id,state,ended FROM alert_group ORDER BY id", [&out](Statement& row) {
        out.push_back({std::string(row.bytes(0)), std::string(row.bytes(1)), std::string(row.bytes(2))});
      });
  if (!read) return read.error();
  return out;
}

Result<std::vector<StoredRun>> MetaStore::runs() {
  std::vector<StoredRun> out;
  const auto read =
      for_each_row(database_, "SELECT id,created_ms,body FROM action_run", [&out](Statement& row) {
        out.push_back({std::string(row.bytes(0)), row.integer(1), std::string(row.bytes(2))});
      });
  if (!read) return read.error();
  return out;
}

Result<std::vector<std::string>> MetaStore::silences() {
  std::vector<std::string> out;
  const auto read = for_each_row(database_, "SELECT body FROM silence ORDER BY id",
                                 [&out](Statement& row) { out.emplace_back(row.bytes(0)); });
  if (!read) return read.error();
  return out;
}

Result<void> MetaStore::put_silences(const std::vector<StoredSilence>& silences) {
  return in_transaction([&] {
    return for_each("INSERT OR REPLACE INTO silence VALUES(?,?)", silences,
                    [](Statement& put, const StoredSilence& silence) {
                      return put.run(std::string_view(silence.id), std::string_view(silence.body));
                    });
  });
}

Result<void> MetaStore::remove_silences(const std::vector<std::string>& ids) {
  return in_transaction([&] {
    return for_each("DELETE FROM silence WHERE id=?", ids, [](Statement& remove, const std::string& id) {
      return remove.run(std::string_view(id));
    });
  });
}

Result<std::vector<notify::ThreadChange>> MetaStore::threads() {
  std::vector<notify::ThreadChange> out;
  const auto read =
      for_each_row(database_, "SELECT receiver,fingerprint,body FROM message_thread", [&](Statement& row) {
        auto thread = notify::decode_thread(row.bytes(2));
        if (thread) {
          out.push_back({std::string(row.bytes(0)), std::string(row.bytes(1)), std::move(*thread)});
        } else {
          ++damaged_;
        }
      });
  if (!read) return read.error();
  return out;
}

Result<void> MetaStore::record(const notify::Delivery& delivery, std::int64_t now_ms) {
  return in_transaction([&] {
    auto done = mark(delivery, now_ms);
    if (done && delivery.thread) done = write(*delivery.thread, now_ms);
    return done;
  });
}

Result<void> MetaStore::mark(const notify::Delivery& delivery, std::int64_t now_ms) {
  if (delivery.outcome == notify::Outcome::delivered) {
    if (auto noted = note_arrival(delivery.ids, now_ms); !noted) return noted;
    return for_each("DELETE FROM outbox WHERE id=?", delivery.ids,
                    [](Statement& remove, std::int64_t id) { return remove.run(id); });
  }
  const std::int64_t dead_at = delivery.outcome == notify::Outcome::dead ? now_ms : 0;
  return for_each("UPDATE outbox SET attempts=?2, next_attempt_ms=?3, dead_at_ms=?4, error=?5 WHERE id=?1",
                  delivery.ids, [&](Statement& update, std::int64_t id) {
                    return update.run(id, static_cast<std::int64_t>(delivery.attempts),
                                      delivery.next_attempt_ms, dead_at, std::string_view(delivery.error));
                  });
}

Result<void> MetaStore::write(const notify::ThreadChange& thread, std::int64_t now_ms) {
  const std::string_view receiver = thread.receiver;
  const std::string_view fingerprint = thread.fingerprint;
  auto statement =
      database_.prepare(thread.now ? "INSERT OR REPLACE INTO message_thread VALUES(?,?,?,?)"
                                   : "DELETE FROM message_thread WHERE receiver=? AND fingerprint=?");
  if (!statement) return statement.error();
  if (!thread.now) return statement->run(receiver, fingerprint);
  const std::string body = notify::encode(*thread.now);
  return statement->run(receiver, fingerprint, now_ms, std::string_view(body));
}

Result<void> MetaStore::prune(std::int64_t before_ms) {
  for (const std::string_view sql : {"DELETE FROM alert_history WHERE resolved_at_ms<?",
                                     "DELETE FROM outbox INDEXED BY outbox_dead WHERE dead_at_ms>0 AND "
                                     "dead_at_ms<?",
                                     "DELETE FROM telling WHERE last_ms<? AND fingerprint NOT IN (SELECT "
                                     "fingerprint FROM alert)",
                                     "DELETE FROM message_thread WHERE told_ms<?"}) {
    auto statement = database_.prepare(sql);
    if (!statement) return statement.error();
    if (auto done = statement->run(before_ms); !done) return done;
  }
  return {};
}

Result<void> MetaStore::checkpoint() {
  if (sqlite3_wal_checkpoint_v2(database_.handle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr) !=
      SQLITE_OK) {
    return aggregator::sqlite_error(database_.handle(), "checkpoint of meta.db");
  }
  return {};
}

}  // namespace vigil::alerts
