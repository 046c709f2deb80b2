#include "aggregator/store/tables.h"

#include "aggregator/blocks/compress.h"
#include "aggregator/store/encoding.h"
#include "aggregator/store/migrations.h"
#include "aggregator/store/page_checksums.h"
#include "common/log/log.h"

#include <algorithm>
#include <limits>

namespace vigil::aggregator {
namespace {

// SQLite's integers are signed; sequence numbers stay below 2^63, and kNothingNeeded becomes -1 and comes
// back whole.
std::int64_t stored(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}
std::uint64_t loaded(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}

Result<void> set_up(Database& database) {
  // page_size counts only before the first table; larger pages waste more with blobs of 16 to 64 KB.
  auto set = database.execute(
      "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16000;");
  if (!set) return set;
  // Free pages of one with checksums are written, too; what a first form is rid of need not be.
  const bool written = has_page_checksums(database.handle());
  set = database.execute(written ? "PRAGMA secure_delete=ON" : "PRAGMA secure_delete=OFF");
  if (!set) return set;
  const auto synchronous = database.integer("PRAGMA synchronous");
  if (!synchronous) return synchronous.error();
  constexpr std::int64_t kFull = 2;
  if (*synchronous != kFull) return fail(Errc::internal, "SQLite did not take synchronous=FULL");
  return {};
}

}  // namespace

Result<Tables> Tables::open(const std::filesystem::path& path, const std::string& vfs) {
  auto database = Database::open(path, Access::read_write, vfs);
  if (!database) return database.error();
  Tables tables;
  tables.database_ = std::move(*database);
  if (auto set = set_up(tables.database_); !set) {
    return fail(set.error().code, "{}: {}", path.string(), set.error().message);
  }
  if (auto migrated = migrate(tables.database_, index_format(), path.string()); !migrated)
    return migrated.error();
  const auto uses = tables.database_.integer("SELECT coalesce(max(used), 0) FROM cursor");
  if (!uses) return uses.error();
  tables.cursor_uses_ = *uses;
  // Not max(id): a row that was deleted may still stand in the journal.
  const auto rows =
      tables.database_.integer("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name='schema'");
  if (!rows) return rows.error();
  tables.schema_rows_ = *rows;
  return tables;
}

Result<void> Tables::keep_checksums(const std::filesystem::path& path) {
  auto kept = keep_page_checksums(database_.handle());
  if (kept || kept.error().code != Errc::limit) return kept;
  log::warn("history", "no room to give the index checksums: tried again at the next start",
            {{"file", path.string()}, {"error", kept.error()}});
  return {};
}

Result<Statement*> Tables::statement(const char* sql) {
  const auto found = statements_.find(sql);
  if (found != statements_.end()) return &found->second;
  auto prepared = database_.prepare(sql);
  if (!prepared) return prepared.error();
  return &statements_.emplace(sql, std::move(*prepared)).first->second;
}

Result<void> Tables::put_host(const HostRecord& host) {
  const std::string labels = encode_labels(host.labels);
  return run("REPLACE INTO host VALUES(?,?,?,?,?,?,?,?,?,?,?)", std::int64_t{host.id},
             std::string_view(host.name), Blob{host.machine_id}, std::string_view(host.boot_id),
             std::string_view(host.agent_version), Blob{labels}, host.first_seen_ms, host.last_seen_ms,
             std::int64_t{host.interval_ms}, std::int64_t{host.left}, std::int64_t{host.removed});
}

Result<void> Tables::forget_host(const HostRecord& host) {
  for (const char* sql : {"DELETE FROM series WHERE host=?", "DELETE FROM cursor WHERE host=?",
                          "DELETE FROM schema WHERE host=?", "DELETE FROM gap WHERE host=?",
                          "DELETE FROM series_gone WHERE host=?"}) {
    if (auto gone = run(sql, std::int64_t{host.id}); !gone) return gone;
  }
  return put_host(host);
}

Result<void> Tables::put_source(const StoredSource& source) {
  return run("REPLACE INTO source VALUES(?,?,?)", source.id, std::string_view(source.key.job),
             std::int64_t{source.key.interval_ms});
}

Result<void> Tables::put_series(HostId host, SourceId source, const SeriesRecord& series) {
  const std::string labels = encode_labels(series.spec.labels);
  return run("REPLACE INTO series VALUES(?,?,?,?,?,?,?,?)", std::int64_t{host}, std::int64_t{series.id},
             source, std::string_view(series.spec.name), Blob{labels},
             static_cast<std::int64_t>(series.spec.type), static_cast<std::int64_t>(series.spec.encoding),
             std::int64_t{series.spec.scale});
}

Result<void> Tables::drop_series(HostId host, const SeriesSet& series, SeriesId next_id) {
  std::int64_t gone = 0;
  for (const SeriesRun& run : series.runs()) {
    auto dropped = this->run("DELETE FROM series WHERE host=? AND id BETWEEN ? AND ?", std::int64_t{host},
                             std::int64_t{run.first}, std::int64_t{run.last});
    if (!dropped) return dropped;
    gone += sqlite3_changes(database_.handle());
  }
  return run(
      "INSERT INTO series_gone VALUES(?1,?2,?3) ON CONFLICT(host) DO UPDATE SET gone=gone+?2, "
      "next_id=max(next_id, ?3)",
      std::int64_t{host}, gone, std::int64_t{next_id});
}

Result<void> Tables::put_cursor(const StoredCursor& cursor) {
  const Blob stream{bytes_of(cursor.cursor.stream)};
  auto put = run("REPLACE INTO cursor VALUES(?,?,?,?,?,?)", std::int64_t{cursor.host}, stream,
                 stored(cursor.cursor.durable_seq), stored(cursor.cursor.sealed_seq),
                 stored(cursor.needed_seq), ++cursor_uses_);
  if (!put) return put;
  // A stream is given up for ever when an agent's buffer is made anew: the last four of a host are enough.
  return run(
      "DELETE FROM cursor WHERE host=?1 AND stream NOT IN "
      "(SELECT stream FROM cursor WHERE host=?1 ORDER BY used DESC LIMIT 4)",
      std::int64_t{cursor.host});
}

Result<void> Tables::reopen_cursor(HostId host, const StreamId& stream) {
  return run("UPDATE cursor SET needed_seq=0 WHERE host=?1 AND stream=?2", std::int64_t{host},
             Blob{bytes_of(stream)});
}

Result<void> Tables::put_gap(const GapRecord& gap) {
  return run("REPLACE INTO gap VALUES(?,?,?,?)", std::int64_t{gap.host}, gap.first_ms, gap.last_ms,
             std::string_view(gap.reason));
}

Result<void> Tables::put_schema(const StoredSchema& schema) {
  std::string data;
  append_compressed(schema.bytes, data);
  return run("REPLACE INTO schema VALUES(?,?,?,?,?,?,?)", schema.row, std::int64_t{schema.host},
             Blob{bytes_of(schema.stream)}, std::int64_t{schema.source_id}, stored(schema.seq),
             stored(schema.bytes.size()), Blob{data});
}

Result<void> Tables::drop_schemas(HostId host, const SealCursor& cursor) {
  const Blob stream{bytes_of(cursor.stream)};
  if (cursor.needed_seq == kNothingNeeded) {
    return run("DELETE FROM schema WHERE host=?1 AND stream=?2", std::int64_t{host}, stream);
  }
  // The last one that came before needed_seq stays, and with it those that came together with it: after a
  // reconnection an agent sends several versions at once, for batches of before and after a change.
  return run(
      "DELETE FROM schema WHERE host=?1 AND stream=?2 AND seq<?3 AND EXISTS (SELECT 1 FROM schema AS last "
      "WHERE "
      "last.id=("
      "SELECT max(before.id) FROM schema AS before WHERE before.host=?1 AND before.stream=?2 "
      "AND before.source_id=schema.source_id AND before.seq<?3) AND schema.id<last.id AND "
      "schema.seq<>last.seq)",
      std::int64_t{host}, stream, stored(cursor.needed_seq));
}

Result<std::int64_t> Tables::add_file(const StoredFile& file) {
  auto put = run("INSERT INTO file(kind, form, period_ms) VALUES(?,?,?)",
                 static_cast<std::int64_t>(file.kind), static_cast<std::int64_t>(file.form), file.period_ms);
  if (!put) return put.error();
  return sqlite3_last_insert_rowid(database_.handle());
}

Result<void> Tables::reserve_file_numbers(std::int64_t highest) {
  const auto given = database_.integer("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name='file'");
  if (!given) return given.error();
  if (*given >= highest) return {};
  auto added = run("INSERT INTO file VALUES(?,?,?,0,0)", highest,
                   static_cast<std::int64_t>(FileKind::journal), static_cast<std::int64_t>(FileForm::open));
  return added ? forget_file(highest) : added;
}

Result<void> Tables::set_form(std::int64_t number, FileForm form) {
  return run("UPDATE file SET form=?2 WHERE number=?1", number, static_cast<std::int64_t>(form));
}

Result<void> Tables::set_filled(std::int64_t number) {
  return run("UPDATE file SET filled=1 WHERE number=?1", number);
}

Result<void> Tables::forget_file(std::int64_t number) {
  return run("DELETE FROM file WHERE number=?", number);
}

Result<std::vector<StoredFile>> Tables::files() {
  std::vector<StoredFile> files;
  auto read = each(
      "SELECT number, kind, form, period_ms, filled FROM file ORDER BY number", [&](const Statement& row) {
        files.push_back({row.integer(0), static_cast<FileKind>(row.integer(1)),
                         static_cast<FileForm>(row.integer(2)), row.integer(3), row.integer(4) != 0});
      });
  if (!read) return read.error();
  return files;
}

Result<void> Tables::put_complete_from(Tier tier, std::int64_t time_ms) {
  return run("REPLACE INTO tier VALUES(?,?)", static_cast<std::int64_t>(tier), time_ms);
}

Result<std::int64_t> Tables::complete_from(Tier tier) {
  return database_.integer(fmt::format("SELECT coalesce(max(complete_from_ms), {}) FROM tier WHERE tier={}",
                                       std::numeric_limits<std::int64_t>::min(), static_cast<int>(tier)));
}

Result<void> Tables::retire_gaps(std::int64_t before_ms) {
  auto gone = run("DELETE FROM gap WHERE last_ms<?", before_ms);
  if (gone) gone = run("DELETE FROM run WHERE alive_ms<?", before_ms);
  return gone;
}

Result<void> Tables::put_run(const RunRecord& record) {
  return run("REPLACE INTO run VALUES(?,?)", record.start_ms, record.alive_ms);
}

Result<std::vector<RunRecord>> Tables::runs() {
  std::vector<RunRecord> runs;
  auto read = each("SELECT start_ms, alive_ms FROM run ORDER BY start_ms", [&](const Statement& row) {
    runs.push_back({row.integer(0), row.integer(1)});
  });
  if (!read) return read.error();
  return runs;
}

Result<std::string> Tables::folder_id() {
  std::string id;
  auto read = each("SELECT lower(hex(id)) FROM folder", [&](const Statement& row) { id = row.bytes(0); });
  if (!read) return read.error();
  return id;
}

Result<std::uint64_t> Tables::used_bytes() {
  const auto pages = database_.integer("PRAGMA page_count");
  if (!pages) return pages.error();
  const auto unused = database_.integer("PRAGMA freelist_count");
  if (!unused) return unused.error();
  const auto page_size = database_.integer("PRAGMA page_size");
  if (!page_size) return page_size.error();
  return loaded((*pages - *unused) * *page_size);
}

Result<std::vector<HostRecord>> Tables::hosts() {
  std::vector<HostRecord> hosts;
  Error damage;
  auto read = each("SELECT * FROM host ORDER BY id", [&](const Statement& row) {
    HostRecord host;
    host.id = static_cast<HostId>(row.integer(0));
    host.name = row.bytes(1);
    host.machine_id = row.bytes(2);
    host.boot_id = row.bytes(3);
    host.agent_version = row.bytes(4);
    auto labels = decode_labels(row.bytes(5));
    if (labels) host.labels = std::move(*labels);
    if (!labels) damage = labels.error();
    host.first_seen_ms = row.integer(6);
    host.last_seen_ms = row.integer(7);
    host.interval_ms = static_cast<std::uint32_t>(row.integer(8));
    host.left = row.integer(9) != 0;
    host.removed = row.integer(10) != 0;
    hosts.push_back(std::move(host));
  });
  if (!read) return read.error();
  if (!damage.message.empty()) return damage;
  return hosts;
}

Result<std::vector<StoredSource>> Tables::sources() {
  std::vector<StoredSource> sources;
  auto read = each("SELECT id, job, interval_ms FROM source ORDER BY id", [&](const Statement& row) {
    sources.push_back(
        {row.integer(0), {std::string(row.bytes(1)), static_cast<std::uint32_t>(row.integer(2))}});
  });
  if (!read) return read.error();
  return sources;
}

Result<void> Tables::each_series(const std::function<void(HostId, SourceId, SeriesRecord)>& visit) {
  Error damage;
  auto read =
      each("SELECT host, id, source, name, labels, type, encoding, scale FROM series ORDER BY host, id",
           [&](const Statement& row) {
             SeriesRecord series;
             series.id = static_cast<SeriesId>(row.integer(1));
             series.spec.name = row.bytes(3);
             auto labels = decode_labels(row.bytes(4));
             if (labels) series.spec.labels = std::move(*labels);
             if (!labels) damage = labels.error();
             series.spec.type = static_cast<SeriesType>(row.integer(5));
             series.spec.encoding = static_cast<Encoding>(row.integer(6));
             series.spec.scale = static_cast<std::uint8_t>(row.integer(7));
             visit(static_cast<HostId>(row.integer(0)), row.integer(2), std::move(series));
           });
  if (!read) return read.error();
  if (!damage.message.empty()) return damage;
  return {};
}

Result<void> Tables::each_series_gone(const std::function<void(HostId, const SeriesGone&)>& visit) {
  return each("SELECT host, gone, next_id FROM series_gone", [&](const Statement& row) {
    visit(static_cast<HostId>(row.integer(0)),
          {static_cast<std::size_t>(row.integer(1)), static_cast<SeriesId>(row.integer(2))});
  });
}

Result<std::vector<StoredCursor>> Tables::cursors() {
  std::vector<StoredCursor> cursors;
  auto read =
      each("SELECT host, stream, durable_seq, sealed_seq, needed_seq FROM cursor ORDER BY used",
           [&](const Statement& row) {
             StoredCursor cursor;
             cursor.host = static_cast<HostId>(row.integer(0));
             cursor.cursor = {to_stream(row.bytes(1)), loaded(row.integer(2)), loaded(row.integer(3))};
             cursor.needed_seq = loaded(row.integer(4));
             cursors.push_back(cursor);
           });
  if (!read) return read.error();
  return cursors;
}

Result<std::vector<StoredSchema>> Tables::schemas() {
  std::vector<StoredSchema> schemas;
  bool damaged = false;
  auto read =
      each("SELECT host, stream, source_id, seq, plain_size, data, id FROM schema ORDER BY id",
           [&](const Statement& row) {
             StoredSchema schema;
             schema.host = static_cast<HostId>(row.integer(0));
             schema.stream = to_stream(row.bytes(1));
             schema.source_id = static_cast<std::uint32_t>(row.integer(2));
             schema.seq = loaded(row.integer(3));
             schema.row = row.integer(6);
             damaged =
                 !decompress(row.bytes(5), static_cast<std::size_t>(row.integer(4)), schema.bytes) || damaged;
             schemas.push_back(std::move(schema));
           });
  if (!read) return read.error();
  if (damaged) return fail(Errc::corrupt, "history: a stored schema does not decompress");
  return schemas;
}

}  // namespace vigil::aggregator
