#include "aggregator/store/migrations.h"

#include "aggregator/store/block_index.h"
#include "aggregator/store/rollup.h"

#include <string>

namespace vigil::aggregator {
namespace {

// Never change a step that has been released: add one, and its tables to what a fresh file gets.
const std::string kIndexTables = R"sql(
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
CREATE TABLE schema(
  id INTEGER PRIMARY KEY AUTOINCREMENT, host INTEGER NOT NULL, stream BLOB NOT NULL, source_id INTEGER NOT NULL, seq INTEGER NOT NULL,
  plain_size INTEGER NOT NULL, data BLOB NOT NULL) STRICT;
CREATE INDEX schema_by_stream ON schema(host, stream, source_id);
CREATE TABLE gap(
  host INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY(host, first_ms, last_ms, reason)) STRICT, WITHOUT ROWID;
)sql";

// Of the first form, in which one file held everything. legacy.cpp moves what is in them and drops them.
const std::string kFirstForm = R"sql(
CREATE TABLE journal(id INTEGER PRIMARY KEY, entries BLOB NOT NULL) STRICT;
CREATE TABLE block(id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE block_index(
  host INTEGER NOT NULL, source INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
  first_series INTEGER NOT NULL, last_series INTEGER NOT NULL, samples INTEGER NOT NULL, bytes INTEGER NOT NULL,
  block INTEGER NOT NULL, PRIMARY KEY(host, source, first_ms)) STRICT, WITHOUT ROWID;
CREATE INDEX block_by_time ON block_index(host, last_ms);
CREATE INDEX block_by_age ON block_index(last_ms);
)sql";

const std::string kFileTables = R"sql(
CREATE TABLE file(
  number INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, form INTEGER NOT NULL, period_ms INTEGER NOT NULL) STRICT;
CREATE TABLE tier(tier INTEGER PRIMARY KEY, complete_from_ms INTEGER NOT NULL) STRICT;
)sql";

// When an aggregator ran; which files have something in them that nothing else has; which folder this is.
const std::string kRunTables = R"sql(
CREATE TABLE run(start_ms INTEGER PRIMARY KEY, alive_ms INTEGER NOT NULL) STRICT;
ALTER TABLE file ADD COLUMN filled INTEGER NOT NULL DEFAULT 0;
CREATE TABLE folder(id BLOB NOT NULL) STRICT;
INSERT INTO folder VALUES(randomblob(16));
)sql";

// Of hosts of which series left: how many did, and the id that came next after them. Ids are not given twice.
const std::string kSeriesGone = R"sql(
CREATE TABLE series_gone(host INTEGER PRIMARY KEY, gone INTEGER NOT NULL, next_id INTEGER NOT NULL) STRICT;
)sql";

const std::string kBlockTable = "CREATE TABLE block(id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;";

const std::string kBlocksByHost = R"sql(
CREATE TABLE block_index(
  host INTEGER NOT NULL, source INTEGER NOT NULL, first_ms INTEGER NOT NULL, block INTEGER NOT NULL, last_ms INTEGER NOT NULL,
  first_series INTEGER NOT NULL, last_series INTEGER NOT NULL, samples INTEGER NOT NULL, bytes INTEGER NOT NULL,
  PRIMARY KEY(host, source, first_ms, block)) STRICT, WITHOUT ROWID;
CREATE INDEX block_by_time ON block_index(host, last_ms);
)sql";

// The bucket is bucket_of(first_ms).
static_assert(kBucketMs == 600'000, "the step of the migration divides by it");
const std::string kBlocksByBucket = R"sql(
CREATE TABLE block_index(
  bucket INTEGER NOT NULL, host INTEGER NOT NULL, source INTEGER NOT NULL, first_ms INTEGER NOT NULL, block INTEGER NOT NULL,
  last_ms INTEGER NOT NULL, first_series INTEGER NOT NULL, last_series INTEGER NOT NULL, samples INTEGER NOT NULL,
  bytes INTEGER NOT NULL, PRIMARY KEY(bucket, host, source, first_ms, block)) STRICT, WITHOUT ROWID;
)sql";

const std::string kFromHostToBucket =
    "DROP INDEX block_by_time; ALTER TABLE block_index RENAME TO block_by_host;" + kBlocksByBucket +
    "INSERT INTO block_index SELECT first_ms/600000, * FROM block_by_host ORDER BY 1, 2, 3, 4, 5; "
    "DROP TABLE block_by_host;";

// Which series have blocks in the file, as runs of ids.
const std::string kHeld = R"sql(
CREATE TABLE held(
  host INTEGER NOT NULL, first_series INTEGER NOT NULL, last_series INTEGER NOT NULL, PRIMARY KEY(host, first_series))
  STRICT, WITHOUT ROWID;
)sql";

// Of a file of before only its blocks say it, and reading all of them would take hours: it counts as one that
// holds whatever lies between, so that some names stay until it goes. What a tier lists are columns, eight of
// a series; the name tells a tier.
static_assert(kAggregatesPerSeries == 8, "the step of the migration divides by it");
const std::string kHeldOfBefore =
    kHeld +
    "INSERT INTO held SELECT host, min(first_series)/per, max(last_series)/per FROM block_index, "
    "(SELECT iif(file GLOB '*raw-[0-9]*', 1, 8) AS per FROM pragma_database_list WHERE name='main') GROUP BY "
    "host;";

const std::string kJournalTables =
    "CREATE TABLE entry_group(id INTEGER PRIMARY KEY, entries BLOB NOT NULL) STRICT;";

constexpr std::int64_t kIndexId = 0x56474C48;
constexpr std::int64_t kPartitionId = 0x56474C50;
constexpr std::int64_t kJournalId = 0x56474C4A;

Result<void> bring_to(Database& database, const FileFormat& format, const std::string& sql,
                      std::size_t version) {
  if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) return begun;
  auto made = database.execute(sql.c_str());
  const std::string stamp =
      fmt::format("PRAGMA user_version={}; PRAGMA application_id={};", version, format.application_id);
  if (made) made = database.execute(stamp.c_str());
  if (made) made = database.execute("COMMIT");
  if (!made) (void)database.execute("ROLLBACK");
  return made;
}

}  // namespace

const FileFormat& index_format() {
  static const FileFormat format{"history",
                                 kIndexId,
                                 {kIndexTables + kFirstForm, kFileTables, kRunTables, kSeriesGone},
                                 kIndexTables + kFileTables + kRunTables + kSeriesGone};
  return format;
}

const FileFormat& partition_format() {
  static const FileFormat format{"history partition",
                                 kPartitionId,
                                 {kBlockTable + kBlocksByHost, kFromHostToBucket, kHeldOfBefore},
                                 kBlockTable + kBlocksByBucket + kHeld};
  return format;
}

const FileFormat& journal_format() {
  static const FileFormat format{"history journal", kJournalId, {kJournalTables}, kJournalTables};
  return format;
}

Result<void> check_format(Database& database, const FileFormat& format, const std::string& path) {
  const auto version = database.integer("PRAGMA user_version");
  if (!version) return fail(version.error().code, "{}: {}", path, version.error().message);
  const auto application = database.integer("PRAGMA application_id");
  if (!application) return application.error();
  const auto objects = database.integer("SELECT count(*) FROM sqlite_schema");
  if (!objects) return objects.error();
  const auto newest = static_cast<std::int64_t>(format.steps.size());
  if (*objects > 0 && *application != format.application_id) {
    return fail(
        Errc::unsupported,
        "{} is not a vigil {}, it belongs to another program: move it away, or restore a backup into another "
        "folder",
        path, format.what);
  }
  if (*version > newest) {
    return fail(Errc::unsupported,
                "{} has format {}, this program knows formats up to {}: start the newer vigil-aggregator "
                "that wrote it, or restore a backup of before into another folder",
                path, *version, newest);
  }
  return {};
}

Result<void> migrate(Database& database, const FileFormat& format, const std::string& path) {
  if (auto known = check_format(database, format, path); !known) return known;
  const auto version = database.integer("PRAGMA user_version");
  if (!version) return version.error();
  const std::size_t newest = format.steps.size();
  Result<void> done;
  if (*version == 0)
    done = bring_to(database, format, format.fresh, newest);
  else
    for (auto next = static_cast<std::size_t>(*version) + 1; done && next <= newest; ++next)
      done = bring_to(database, format, format.steps[next - 1], next);
  if (!done) return fail(done.error().code, "{}: {}", path, done.error().message);
  return {};
}

}  // namespace vigil::aggregator
