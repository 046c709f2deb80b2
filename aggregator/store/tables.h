// The tables of history.db and the connection that alone writes them. Every call belongs inside a transaction
// of the caller.
#pragma once

#include "aggregator/store/records.h"
#include "aggregator/store/sqlite.h"

#include <functional>
#include <unordered_map>
#include <vector>

namespace vigil::aggregator {

using SourceId = std::int64_t;  // row of the table `source`

/// What a block's row in the index says.
struct BlockInfo {
  std::int64_t id = 0;
  std::uint64_t samples = 0;
  std::uint64_t bytes = 0;
};

struct BlockTotals {
  std::uint64_t blocks = 0;
  std::uint64_t bytes = 0;
  std::uint64_t samples = 0;
};

struct StoredSource {
  SourceId id = 0;
  SourceKey key;
};

/// A block about to be stored.
struct NewBlock {
  std::int64_t id = 0;
  HostId host = 0;
  SourceId source = 0;
  const SealedBlock* block = nullptr;
};

/// A cursor with where replay starts.
struct StoredCursor {
  HostId host = 0;
  Cursor cursor;
  std::uint64_t needed_seq = 0;
};

/// A schema as it came.
struct StoredSchema {
  std::int64_t row = 0;  // given when it is put; grows
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

  Database& database() { return database_; }

  Result<void> put_host(const HostRecord& host);
  /// Keeps the host's number and what it was called; its series, cursors, schemas and gaps go.
  Result<void> forget_host(const HostRecord& host);
  Result<void> put_source(const StoredSource& source);
  Result<void> put_series(HostId host, SourceId source, const SeriesRecord& series);
  Result<void> put_cursor(const StoredCursor& cursor);
  /// The stream's entries from here on are needed.
  Result<void> reopen_cursor(HostId host, const StreamId& stream);
  Result<void> put_gap(const GapRecord& gap);
  Result<std::int64_t> put_schema(const StoredSchema& schema);  // its row
  /// Drops the schemas of a stream that no batch from needed_seq on can refer to.
  Result<void> drop_schemas(HostId host, const SealCursor& cursor);
  Result<void> put_group(std::int64_t row, std::string_view group);
  Result<void> drop_group(std::int64_t row);

  /// Returns what the block replaced; id 0 when nothing.
  Result<BlockInfo> put_block(const NewBlock& block);
  /// Deletes up to `count` blocks whose last row is older than `before_ms`, the oldest first.
  Result<BlockTotals> retire(std::int64_t before_ms, int count);
  Result<void> retire_gaps(std::int64_t before_ms);
  Result<std::int64_t> newest_ms();  // of all blocks; 0 when there are none
  Result<std::int64_t> oldest_ms();
  Result<std::uint64_t> used_bytes();

  // What a start reads back.
  Result<std::vector<HostRecord>> hosts();
  Result<std::vector<StoredSource>> sources();
  Result<void> each_series(const std::function<void(HostId, SourceId, SeriesRecord)>& visit);
  Result<std::vector<StoredCursor>> cursors();  // by last use
  Result<std::vector<StoredSchema>> schemas();  // in the order in which they came
  Result<void> each_group(const std::function<void(std::int64_t row, std::string_view group)>& visit);
  Result<BlockTotals> block_totals();
  Result<std::int64_t> last_block_id();

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
  Result<BlockInfo> find_block(const NewBlock& block);

  Database database_;
  std::unordered_map<const void*, Statement>
      statements_;                // prepared on first use, by the address of their text
  std::int64_t cursor_uses_ = 0;  // a clock of its own: which stream was used last
};

}  // namespace vigil::aggregator
