// history.db: does it make sense, beyond what SQLite can tell?
#include "aggregator/blocks/compress.h"
#include "aggregator/store/check_parts.h"
#include "aggregator/store/encoding.h"
#include "aggregator/store/files.h"

namespace vigil::aggregator::checks {
namespace {

constexpr std::int64_t kNothing = -1;  // kNothingNeeded as it is stored

std::string name_of(const StoredFile& file) {
  if (file.kind == FileKind::journal) return fmt::format("journal-{}.db", file.number);
  return partition_name(static_cast<Tier>(file.kind), file.period_ms, file.number);
}

/// Calls `visit(statement)` for each row; what SQLite cannot read is an error.
template <class Visit>
Result<void> each(Database& database, const char* sql, Visit visit) {
  auto read = database.prepare(sql);
  if (!read) return read.error();
  auto more = read->step();
  for (; more && *more; more = read->step()) visit(*read);
  if (!more) return more.error();
  return {};
}

/// As each(); what SQLite cannot read is a finding.
template <class Visit>
void check_each(Check& check, Database& database, const char* sql, Visit visit) {
  if (auto read = each(database, sql, visit); !read) check.found(read.error().message);
}

void check_hosts(Check& check, Database& database) {
  std::int64_t next = 0;
  check_each(check, database, "SELECT id, name, labels FROM host ORDER BY id", [&](const Statement& row) {
    const std::string name(row.bytes(1));
    if (row.integer(0) != next)
      check.found({{},
                   name,
                   {},
                   0,
                   0,
                   fmt::format("host {} comes where {} should: a start would refuse", row.integer(0), next)});
    next = row.integer(0) + 1;
    if (!decode_labels(row.bytes(2)))
      check.found({{}, name, {}, 0, 0, "the labels of the host cannot be decoded"});
  });
}

/// Every id that was given belongs to a series that is there, or to one that left.
void check_numbers(Check& check, Database& database) {
  check_each(
      check, database,
      "SELECT name, given, there, gone FROM (SELECT name, max(coalesce(last+1, 0), coalesce(next_id, 0)) AS "
      "given, coalesce(there, 0) AS there, coalesce(gone, 0) AS gone FROM (SELECT id AS host, name FROM "
      "host) "
      "LEFT JOIN (SELECT host, max(id) AS last, count(*) AS there FROM series GROUP BY host) USING(host) "
      "LEFT JOIN series_gone USING(host)) WHERE there+gone<>given",
      [&](const Statement& row) {
        check.found({{},
                     std::string(row.bytes(0)),
                     {},
                     0,
                     0,
                     fmt::format("of its {} series {} are there and {} have left: a start would refuse",
                                 row.integer(1), row.integer(2), row.integer(3))});
      });
}

void check_series(Check& check, Database& database) {
  const auto look = [&](const Statement& row) {
    const std::int64_t host = row.integer(0);
    const std::string name =
        row.bytes(3).empty() ? fmt::format("number {}", host) : std::string(row.bytes(3));
    const auto tell = [&](std::string_view what) {
      check.found(
          {{}, name, std::string(row.bytes(4)), 0, 0, fmt::format("series {}: {}", row.integer(1), what)});
    };
    if (row.bytes(3).empty()) tell("its host is not known");
    if (row.bytes(4).empty()) tell("its source is not known");
    if (!decode_labels(row.bytes(2))) tell("its labels cannot be decoded");
  };
  check_each(
      check, database,
      "SELECT series.host, series.id, series.labels, host.name, source.job FROM series LEFT JOIN host ON "
      "host.id=series.host LEFT JOIN source ON source.id=series.source ORDER BY series.host, series.id",
      look);
}

void check_cursors(Check& check, Database& database) {
  const auto look = [&](const Statement& row) {
    const std::string name(row.bytes(1));
    const std::int64_t durable = row.integer(3);
    const std::int64_t sealed = row.integer(4);
    const std::int64_t needed = row.integer(5);
    const auto tell = [&](std::string_view what) {
      check.found(
          {{},
           name,
           {},
           0,
           0,
           fmt::format("a cursor says durable {}, sealed {}, needed {}: {}", durable, sealed, needed, what)});
    };
    if (name.empty()) tell(fmt::format("its host {} is not known", row.integer(0)));
    if (row.bytes(2).size() != StreamId{}.size()) tell("its stream's id has a wrong length");
    if (sealed < 0 || durable < sealed) tell("what is sealed was durable before");
    if (needed != kNothing && (needed < 0 || needed > sealed + 1))
      tell("batches between sealed and needed would be lost");
  };
  check_each(check, database,
             "SELECT cursor.host, host.name, stream, durable_seq, sealed_seq, needed_seq FROM cursor LEFT "
             "JOIN host ON "
             "host.id=cursor.host",
             look);
}

void check_schemas(Check& check, Database& database) {
  const auto look = [&](const Statement& row) {
    std::string plain;
    if (decompress(row.bytes(2), static_cast<std::size_t>(row.integer(1)), plain)) return;
    check.found(
        {{}, std::string(row.bytes(0)), {}, 0, 0, "a schema cannot be decompressed: a start would refuse"});
  };
  check_each(check, database,
             "SELECT host.name, plain_size, data FROM schema LEFT JOIN host ON host.id=schema.host", look);
}

}  // namespace

Result<Index> read_index(const CheckScope& scope) {
  auto database = begin_reading(scope.directory / kIndexFile, scope.vfs);
  if (!database) return database.error();
  Index index;
  auto read = each(*database, "SELECT id, name FROM host",
                   [&](const Statement& row) { index.hosts[row.integer(0)] = row.bytes(1); });
  if (read) {
    read = each(*database, "SELECT id, job FROM source",
                [&](const Statement& row) { index.sources[row.integer(0)] = row.bytes(1); });
  }
  if (read) {
    read =
        each(*database, "SELECT number, kind, form, period_ms, filled FROM file", [&](const Statement& row) {
          const StoredFile file{row.integer(0), static_cast<FileKind>(row.integer(1)),
                                static_cast<FileForm>(row.integer(2)), row.integer(3), row.integer(4) != 0};
          index.files[name_of(file)] = file;
        });
  }
  if (!read) return read.error();
  return index;
}

void check_index(Check& check, Database& database) {
  check_hosts(check, database);
  check_series(check, database);
  check_numbers(check, database);
  check_cursors(check, database);
  check_schemas(check, database);
}

}  // namespace vigil::aggregator::checks
