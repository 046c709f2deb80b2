// The tables of history.db, the index of everything, and the connection that alone writes them. Every call
// belongs inside a transaction of the caller.
#pragma once

#include "aggregator/store/partition.h"
#include "aggregator/store/records.h"
#include "aggregator/store/sqlite.h"

#include <functional>
#include <unordered_map>
#include <vector>

namespace vigil::aggregator {

struct StoredSource {
  SourceId id = 0;
  SourceKey key;
};

/// Of a host: series that left, and the id that came next when the last of them did.
struct SeriesGone {
  std::size_t gone = 0;
  SeriesId next_id = 0;
};

/// A cursor with where replay starts.
struct StoredCursor {
  HostId host = 0;
  Cursor cursor;
  std::uint64_t needed_seq = 0;
};

/// A schema as it came.
struct StoredSchema {
  std::int64_t row = 0;  // grows; see Tables::next_schema_row()
  HostId host = 0;
  StreamId stream{};
  std::uint32_t source_id = 0;
  std::uint64_t seq = 0;
  std::string bytes;
};

class Tables {
 public:
  /// Makes or migrates the file. Errc::unsupported: it is newer than this program, or not a history.
  static Result<Tables> open(const std::filesystem::path& path, const std::string& vfs);
  /// Gives the pages checksums when they have none (page_checksums.h); where there is no room, another time.
  Result<void> keep_checksums(const std::filesystem::path& path);

  Database& database() { return database_; }

  Result<void> put_host(const HostRecord& host);
  /// Keeps the host's number and what it was called; its series, cursors, schemas and gaps go.
  Result<void> forget_host(const HostRecord& host);
  Result<void> put_source(const StoredSource& source);
  Result<void> put_series(HostId host, SourceId source, const SeriesRecord& series);
  /// They left; new ones get ids from `next_id` on all the same. Doing it twice does no harm.
  Result<void> drop_series(HostId host, const SeriesSet& series, SeriesId next_id);
  Result<void> put_cursor(const StoredCursor& cursor);
  /// The stream's entries from here on are needed.
  Result<void> reopen_cursor(HostId host, const StreamId& stream);
  Result<void> put_gap(const GapRecord& gap);
  /// Under its own row; 0 gives the next one. Doing it twice does no harm.
  Result<void> put_schema(const StoredSchema& schema);
  std::int64_t next_schema_row() { return ++schema_rows_; }
  /// Drops the schemas of a stream that no batch from needed_seq on can refer to.
  Result<void> drop_schemas(HostId host, const SealCursor& cursor);

  /// Files and their forms; the number of a new one was never used before.
  Result<std::int64_t> add_file(const StoredFile& file);
  /// New files get higher ones.
  Result<void> reserve_file_numbers(std::int64_t highest);
  Result<void> set_form(std::int64_t number, FileForm form);
  Result<void> set_filled(std::int64_t number);
  Result<void> forget_file(std::int64_t number);
  Result<std::vector<StoredFile>> files();
  /// From when on a tier has everything; grows as its files are retired.
  Result<void> put_complete_from(Tier tier, std::int64_t time_ms);
  Result<std::int64_t> complete_from(Tier tier);
  /// Gaps and runs that ended before.
  Result<void> retire_gaps(std::int64_t before_ms);
  Result<void> put_run(const RunRecord& run);
  Result<std::vector<RunRecord>> runs();  // by start
  /// 16 random bytes, made with the file, in hexadecimal.
  Result<std::string> folder_id();
  Result<std::uint64_t> used_bytes();

  // What a start reads back.
  Result<std::vector<HostRecord>> hosts();
  Result<std::vector<StoredSource>> sources();
  Result<void> each_series(const std::function<void(HostId, SourceId, SeriesRecord)>& visit);
  Result<void> each_series_gone(const std::function<void(HostId, const SeriesGone&)>& visit);
  Result<std::vector<StoredCursor>> cursors();  // by last use
  Result<std::vector<StoredSchema>> schemas();  // in the order in which they came

 private:
  Result<Statement*> statement(const char* sql);
  template <class... Values>
  Result<void> run(const char* sql, const Values&... values) {
    auto prepared = statement(sql);
    if (!prepared) return prepared.error();
    return (*prepared)->run(values...);
  }
  /// Calls `visit(statement)` for each row.
  template <class Visit>
  Result<void> each(const char* sql, Visit visit) {
    auto prepared = statement(sql);
    if (!prepared) return prepared.error();
    auto more = (*prepared)->step();
    for (; more && *more; more = (*prepared)->step()) visit(**prepared);
    if (!more) return more.error();
    return {};
  }

  Database database_;
  std::unordered_map<const void*, Statement>
      statements_;                // prepared on first use, by the address of their text
  std::int64_t schema_rows_ = 0;  // the highest given
  std::int64_t cursor_uses_ = 0;  // a clock of its own: which stream was used last
};

}  // namespace vigil::aggregator
