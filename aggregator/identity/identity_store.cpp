#include "aggregator/identity/identity_store.h"

#include "common/tls/kept_file.h"

#include <filesystem>

namespace vigil::aggregator::identity {
namespace {

constexpr std::int64_t kApplicationId = 0x56474C49;  // "VGLI"
constexpr std::int64_t kFormat = 3;

/// Since format 3.
constexpr const char* kTablesOf3 = R"(
CREATE TABLE readmitted(host TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT;
CREATE TABLE answer(
  token_hash TEXT NOT NULL,
  key_hash TEXT NOT NULL,
  serial TEXT NOT NULL,
  certificate TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY(token_hash, key_hash)) STRICT;)";

constexpr const char* kTables = R"(
CREATE TABLE invite(
  token_hash TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  used_ms INTEGER NOT NULL DEFAULT 0,
  replaces INTEGER NOT NULL,
  made_by TEXT NOT NULL DEFAULT '',
  for_many INTEGER NOT NULL DEFAULT 0,
  uses INTEGER NOT NULL DEFAULT 1,
  used INTEGER NOT NULL DEFAULT 0,
  ended INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE certificate(
  serial TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  not_before_ms INTEGER NOT NULL,
  not_after_ms INTEGER NOT NULL,
  revoked_ms INTEGER NOT NULL DEFAULT 0) STRICT;)";

constexpr const char* kInviteColumns =
    "token_hash,name,expires_ms,used_ms,replaces,made_by,for_many,uses,used,ended,created_ms";

InviteRow invite_of(const Statement& row) {
  return {std::string(row.bytes(0)),
          std::string(row.bytes(1)),
          row.integer(2),
          row.integer(3),
          row.integer(4) != 0,
          std::string(row.bytes(5)),
          row.integer(6) != 0,
          static_cast<std::int32_t>(row.integer(7)),
          static_cast<std::int32_t>(row.integer(8)),
          static_cast<Ended>(row.integer(9)),
          row.integer(10)};
}

/// Format 1 did not say who made an invitation.
constexpr const char* kTo2 = "ALTER TABLE invite ADD COLUMN made_by TEXT NOT NULL DEFAULT '';";
/// Format 2 knew no invitations for many, none that ended before its time but by its time, and no answers.
constexpr const char* kTo3 = R"(
ALTER TABLE invite ADD COLUMN for_many INTEGER NOT NULL DEFAULT 0;
ALTER TABLE invite ADD COLUMN uses INTEGER NOT NULL DEFAULT 1;
ALTER TABLE invite ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
ALTER TABLE invite ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;
UPDATE invite SET used=1 WHERE used_ms<>0;)";

/// An aggregator of an older format goes on beside it, should `init` of this one be the first to come: it
/// names the columns that it writes.
Result<void> migrate(Database& database) {
  if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) return begun;
  const auto format = database.integer("PRAGMA user_version");  // `init` may have come first
  Result<void> done = format ? Result<void>() : Result<void>(format.error());
  if (done && *format < 2) done = database.execute(kTo2);
  if (done && *format < 3) done = database.execute((std::string(kTo3) + kTablesOf3).c_str());
  if (done) done = database.execute(fmt::format("PRAGMA user_version={}; COMMIT", kFormat).c_str());
  if (!done) static_cast<void>(database.execute("ROLLBACK"));
  return done;
}

Result<void> make_tables(Database& database) {
  const auto application = database.integer("PRAGMA application_id");
  if (!application) return application.error();
  const auto format = database.integer("PRAGMA user_version");
  if (!format) return format.error();
  const auto tables = database.integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  if (*tables == 0) {
    return database.execute(
        fmt::format("BEGIN IMMEDIATE;{}{}PRAGMA user_version={}; PRAGMA application_id={}; COMMIT", kTables,
                    kTablesOf3, kFormat, kApplicationId)
            .c_str());
  }
  if (*application != kApplicationId)
    return fail(Errc::unsupported, "is not what vigil keeps its certificates in: move it away");
  if (*format > kFormat) {
    return fail(Errc::unsupported,
                "has format {}, this program knows formats up to {}: start the newer vigil-aggregator that "
                "wrote it",
                *format, kFormat);
  }
  return *format < kFormat ? migrate(database) : Result<void>();
}

}  // namespace

std::string_view to_string(Kind kind) {
  return kind == Kind::host ? "host" : "person";
}

std::optional<Kind> parse_kind(std::string_view text) {
  for (const Kind kind : {Kind::host, Kind::person}) {
    if (text == to_string(kind)) return kind;
  }
  return std::nullopt;
}

Result<void> end_invites_of_copy(const std::string& path) {
  auto database = Database::open(path, Access::read_write, "");
  if (!database) return database.error();
  auto change = database->prepare("UPDATE invite SET ended=? WHERE used_ms=0 AND ended=0");
  if (!change) return fail(change.error().code, "{}: {}", path, change.error().message);
  return change->run(static_cast<std::int64_t>(Ended::in_backup));
}

Result<IdentityStore> IdentityStore::open(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    if (auto made = tls::keep_file(path, "", tls::Readable::by_owner); !made) return made.error();
  }
  auto database = Database::open(path, Access::read_write, "");
  if (!database) return database.error();
  if (auto set = database->execute("PRAGMA synchronous=FULL;"); !set)
    return fail(set.error().code, "{}: {}", path, set.error().message);
  if (auto made = make_tables(*database); !made)
    return fail(made.error().code, "{}: {}", path, made.error().message);
  IdentityStore store(std::move(*database));
  if (auto loaded = store.refresh(); !loaded)
    return fail(loaded.error().code, "{}: {}", path, loaded.error().message);
  return store;
}

Result<void> IdentityStore::refresh() {
  const auto version = database_.integer("PRAGMA data_version");
  if (!version) return version.error();
  if (*version == seen_version_) return {};
  if (auto loaded = load(); !loaded) return loaded;
  seen_version_ = *version;
  return {};
}

Result<void> IdentityStore::load() {
  auto rows =
      database_.prepare("SELECT serial,kind,name,not_before_ms,not_after_ms,revoked_ms FROM certificate");
  if (!rows) return rows.error();
  auto more = rows->step();
  for (; more && *more; more = rows->step()) {
    const auto kind = parse_kind(rows->bytes(1));
    if (!kind) return fail(Errc::corrupt, "a certificate is of the kind '{}'", rows->bytes(1));
    std::string serial(rows->bytes(0));
    by_serial_[serial] = {serial,           *kind,           std::string(rows->bytes(2)), rows->integer(3),
                          rows->integer(4), rows->integer(5)};
  }
  if (!more) return more.error();
  return {};
}

template <class Work>
Result<void> IdentityStore::in_transaction(Work work) {
  if (auto begun = database_.execute("BEGIN IMMEDIATE"); !begun) return begun;
  Result<void> done = work();
  if (done) done = database_.execute("COMMIT");
  if (!done) static_cast<void>(database_.execute("ROLLBACK"));
  return done;
}

Result<void> IdentityStore::add_invite(const InviteRow& invite, std::int64_t now_ms) {
  auto put = database_.prepare(
      "INSERT INTO invite(token_hash,name,created_ms,expires_ms,replaces,made_by,for_many,uses) "
      "VALUES(?,?,?,?,?,?,?,?)");
  if (!put) return put.error();
  return put->run(std::string_view(invite.token_hash), std::string_view(invite.name), now_ms,
                  invite.expires_ms, static_cast<std::int64_t>(invite.replace),
                  std::string_view(invite.made_by), static_cast<std::int64_t>(invite.for_many),
                  static_cast<std::int64_t>(invite.uses));
}

Result<std::optional<InviteRow>> IdentityStore::invite(const std::string& token_hash) {
  auto find = database_.prepare(fmt::format("SELECT {} FROM invite WHERE token_hash=?", kInviteColumns));
  if (!find) return find.error();
  find->bind(std::string_view(token_hash));
  const auto found = find->step();
  if (!found) return found.error();
  if (!*found) return std::optional<InviteRow>();
  return std::optional<InviteRow>(invite_of(*find));
}

Result<std::vector<InviteRow>> IdentityStore::open_invites(std::int64_t now_ms) {
  auto rows =
      database_.prepare(fmt::format("SELECT {} FROM invite WHERE used_ms=0 AND ended=0 AND expires_ms>? "
                                    "ORDER BY name, expires_ms",
                                    kInviteColumns));
  if (!rows) return rows.error();
  rows->bind(now_ms);
  std::vector<InviteRow> out;
  auto more = rows->step();
  for (; more && *more; more = rows->step()) out.push_back(invite_of(*rows));
  if (!more) return more.error();
  return out;
}

Result<std::uint32_t> IdentityStore::end_invites(std::string_view sql, const std::string& which,
                                                 std::int64_t now_ms) {
  auto change = database_.prepare(sql);
  if (!change) return change.error();
  if (auto done = change->run(static_cast<std::int64_t>(Ended::revoked), now_ms, std::string_view(which));
      !done)
    return done.error();
  return static_cast<std::uint32_t>(::sqlite3_changes(database_.handle()));
}

Result<std::uint32_t> IdentityStore::withdraw_invites(const std::string& name, std::int64_t now_ms) {
  return end_invites(
      "UPDATE invite SET ended=?1 WHERE for_many=0 AND name=?3 AND used_ms=0 AND ended=0 AND expires_ms>?2",
      name, now_ms);
}

Result<std::uint32_t> IdentityStore::withdraw_invite(const std::string& id, std::int64_t now_ms) {
  return end_invites(
      fmt::format("UPDATE invite SET ended=?1 WHERE substr(token_hash,1,{})=?3 AND used_ms=0 AND ended=0 "
                  "AND expires_ms>?2",
                  kInviteIdDigits),
      id, now_ms);
}

Result<std::uint32_t> IdentityStore::say_restored(std::int64_t now_ms) {
  auto change = database_.prepare("UPDATE invite SET ended=?1 WHERE ended=?2 AND expires_ms>?3");
  if (!change) return change.error();
  if (auto done = change->run(static_cast<std::int64_t>(Ended::restored),
                              static_cast<std::int64_t>(Ended::in_backup), now_ms);
      !done)
    return done.error();
  return static_cast<std::uint32_t>(::sqlite3_changes(database_.handle()));
}

Result<void> IdentityStore::forget(std::int64_t ended_before_ms) {
  for (const std::string_view sql :
       {"DELETE FROM invite WHERE expires_ms<?",
        "DELETE FROM certificate WHERE not_after_ms<? AND revoked_ms=0",
        "DELETE FROM readmitted WHERE at_ms<? AND host NOT IN (SELECT name FROM certificate)"}) {
    auto forget = database_.prepare(sql);
    if (!forget) return forget.error();
    if (auto done = forget->run(ended_before_ms); !done) return done;
  }
  std::erase_if(by_serial_, [&](const auto& entry) {
    return entry.second.not_after_ms < ended_before_ms && entry.second.revoked_ms == 0;
  });
  return {};
}

Result<void> IdentityStore::note(const CertificateRow& issued) {
  auto put = database_.prepare("INSERT INTO certificate VALUES(?,?,?,?,?,?)");
  if (!put) return put.error();
  return put->run(std::string_view(issued.serial), to_string(issued.kind), std::string_view(issued.name),
                  issued.not_before_ms, issued.not_after_ms, issued.revoked_ms);
}

Result<void> IdentityStore::mark_revoked(const std::vector<std::string>& serials, std::int64_t now_ms) {
  auto change = database_.prepare("UPDATE certificate SET revoked_ms=? WHERE serial=? AND revoked_ms=0");
  if (!change) return change.error();
  for (const std::string& serial : serials) {
    if (auto done = change->run(now_ms, std::string_view(serial)); !done) return done;
  }
  return {};
}

void IdentityStore::remember_revoked(const std::vector<std::string>& serials, std::int64_t now_ms) {
  for (const std::string& serial : serials) {
    const auto found = by_serial_.find(serial);
    if (found != by_serial_.end() && found->second.revoked_ms == 0) found->second.revoked_ms = now_ms;
  }
}

Result<void> IdentityStore::keep_answer(const Answer& answer, std::int64_t now_ms) {
  auto forget = database_.prepare("DELETE FROM answer WHERE at_ms<=?");
  if (!forget) return forget.error();
  if (auto forgot = forget->run(now_ms - kAnswerAgainMs); !forgot) return forgot;
  auto put = database_.prepare("INSERT OR REPLACE INTO answer VALUES(?,?,?,?,?)");
  if (!put) return put.error();
  return put->run(std::string_view(answer.token_hash), std::string_view(answer.key_hash),
                  std::string_view(answer.serial), std::string_view(answer.certificate), now_ms);
}

Result<std::optional<Answer>> IdentityStore::answer(const std::string& token_hash,
                                                    const std::string& key_hash, std::int64_t now_ms) {
  auto find = database_.prepare(
      "SELECT serial,certificate FROM answer WHERE token_hash=? AND key_hash=? AND at_ms>?");
  if (!find) return find.error();
  find->bind(std::string_view(token_hash), std::string_view(key_hash), now_ms - kAnswerAgainMs);
  const auto found = find->step();
  if (!found) return found.error();
  if (!*found) return std::optional<Answer>();
  return std::optional<Answer>(
      Answer{token_hash, key_hash, std::string(find->bytes(0)), std::string(find->bytes(1))});
}

Result<void> IdentityStore::enrolled(const Answer& answer, const CertificateRow& issued,
                                     const std::vector<std::string>& revoked, std::int64_t now_ms) {
  auto done = in_transaction([&]() -> Result<void> {
    auto use = database_.prepare(
        "UPDATE invite SET used=used+1, used_ms=CASE WHEN uses>0 AND used+1>=uses THEN ?1 ELSE 0 END "
        "WHERE token_hash=?2 AND used_ms=0 AND ended=0");
    if (!use) return use.error();
    if (auto used = use->run(now_ms, std::string_view(answer.token_hash)); !used) return used;
    if (::sqlite3_changes(database_.handle()) != 1) return fail(Errc::conflict, "the token was used already");
    if (auto noted = note(issued); !noted) return noted;
    if (auto kept = keep_answer(answer, now_ms); !kept) return kept;
    return mark_revoked(revoked, now_ms);
  });
  if (!done) return done;
  by_serial_[issued.serial] = issued;
  remember_revoked(revoked, now_ms);
  return {};
}

Result<void> IdentityStore::add_certificate(const CertificateRow& issued) {
  if (auto noted = note(issued); !noted) return noted;
  by_serial_[issued.serial] = issued;
  return {};
}

Result<void> IdentityStore::revoke(const std::vector<std::string>& serials, std::int64_t now_ms) {
  auto done = in_transaction([&] { return mark_revoked(serials, now_ms); });
  if (done) remember_revoked(serials, now_ms);
  return done;
}

Result<void> IdentityStore::readmit(const std::string& host, const std::vector<std::string>& serials,
                                    std::int64_t now_ms) {
  auto done = in_transaction([&]() -> Result<void> {
    if (auto marked = mark_revoked(serials, now_ms); !marked) return marked;
    auto put = database_.prepare("INSERT OR REPLACE INTO readmitted VALUES(?,?)");
    if (!put) return put.error();
    return put->run(std::string_view(host), now_ms);
  });
  if (done) remember_revoked(serials, now_ms);
  return done;
}

Result<std::optional<std::int64_t>> IdentityStore::readmitted(const std::string& host) {
  auto find = database_.prepare("SELECT at_ms FROM readmitted WHERE host=?");
  if (!find) return find.error();
  find->bind(std::string_view(host));
  const auto found = find->step();
  if (!found) return found.error();
  return *found ? std::optional<std::int64_t>(find->integer(0)) : std::nullopt;
}

const CertificateRow* IdentityStore::certificate(const std::string& serial) const {
  const auto found = by_serial_.find(serial);
  return found == by_serial_.end() ? nullptr : &found->second;
}

}  // namespace vigil::aggregator::identity
