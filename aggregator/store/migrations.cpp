#include "aggregator/store/migrations.h"

#include <array>

namespace vigil::aggregator {
namespace {

// Never change a step that has been released: add one.
constexpr std::array kSteps = {
    R"sql(
CREATE TABLE host(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, machine_id BLOB NOT NULL, boot_id TEXT NOT NULL, agent_version TEXT NOT NULL,
  labels BLOB NOT NULL, first_seen_ms INTEGER NOT NULL, last_seen_ms INTEGER NOT NULL, interval_ms INTEGER NOT NULL,
  has_left INTEGER NOT NULL, removed INTEGER NOT NULL) STRICT;
CREATE TABLE source(id INTEGER PRIMARY KEY, job TEXT NOT NULL, interval_ms INTEGER NOT NULL, UNIQUE(job, interval_ms)) STRICT;
CREATE TABLE series(
  host INTEGER NOT NULL, id INTEGER NOT NULL, source INTEGER NOT NULL, name TEXT NOT NULL, labels BLOB NOT NULL,
  type INTEGER NOT NULL, encoding INTEGER NOT NULL, scale INTEGER NOT NULL, PRIMARY KEY(host, id)) STRICT, WITHOUT ROWID;
CREATE TABLE cursor(
  host INTEGER NOT NULL, stream BLOB NOT NULL, durable_seq INTEGER NOT NULL, sealed_seq INTEGER NOT NULL,
  needed_seq INTEGER NOT NULL, used INTEGER NOT NULL, PRIMARY KEY(host, stream)) STRICT, WITHOUT ROWID;
CREATE TABLE journal(id INTEGER PRIMARY KEY, entries BLOB NOT NULL) STRICT;
CREATE TABLE schema(
  id INTEGER PRIMARY KEY AUTOINCREMENT, host INTEGER NOT NULL, stream BLOB NOT NULL, source_id INTEGER NOT NULL, seq INTEGER NOT NULL,
  plain_size INTEGER NOT NULL, data BLOB NOT NULL) STRICT;
CREATE INDEX schema_by_stream ON schema(host, stream, source_id);
CREATE TABLE block(id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE block_index(
  host INTEGER NOT NULL, source INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
  first_series INTEGER NOT NULL, last_series INTEGER NOT NULL, samples INTEGER NOT NULL, bytes INTEGER NOT NULL,
  block INTEGER NOT NULL, PRIMARY KEY(host, source, first_ms)) STRICT, WITHOUT ROWID;
CREATE INDEX block_by_time ON block_index(host, last_ms);
CREATE INDEX block_by_age ON block_index(last_ms);
CREATE TABLE gap(
  host INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY(host, first_ms, last_ms, reason)) STRICT, WITHOUT ROWID;
)sql",
};

Result<void> step_to(Database& database, std::size_t version) {
  if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) return begun;
  if (auto made = database.execute(kSteps[version - 1]); !made) return made;
  const std::string stamp =
      fmt::format("PRAGMA user_version={}; PRAGMA application_id={};", version, kApplicationId);
  if (auto stamped = database.execute(stamp.c_str()); !stamped) return stamped;
  return database.execute("COMMIT");
}

}  // namespace

std::int64_t newest_version() {
  return static_cast<std::int64_t>(kSteps.size());
}

Result<void> migrate(Database& database, const std::string& path) {
  const auto version = database.integer("PRAGMA user_version");
  if (!version) return version.error();
  const auto application = database.integer("PRAGMA application_id");
  if (!application) return application.error();
  const auto objects = database.integer("SELECT count(*) FROM sqlite_schema");
  if (!objects) return objects.error();
  if (*objects > 0 && *application != kApplicationId) {
    return fail(Errc::unsupported, "{} is not a vigil history: it belongs to another program", path);
  }
  if (*version > newest_version()) {
    return fail(Errc::unsupported,
                "{} has format {}, this program knows formats up to {}: start the newer vigil-aggregator "
                "that wrote it, "
                "or restore a backup",
                path, *version, newest_version());
  }
  for (std::int64_t next = *version + 1; next <= newest_version(); ++next) {
    if (auto stepped = step_to(database, static_cast<std::size_t>(next)); !stepped) return stepped;
  }
  return {};
}

}  // namespace vigil::aggregator
