// One file of sealed blocks: raw samples of a day, or rows of a tier. A partition belongs to the thread that
// opened it, which makes all its commits and checkpoints; others read it through connections of their own
// (reader.h).
//
// A growing partition is in WAL mode with synchronous=NORMAL: a commit costs no sync, and what was committed
// is on disk once checkpoint() said so; until then the journal has it. A built one (compaction) is written
// without a log and synced once, by finish().
#pragma once

#include "aggregator/store/catalogue.h"
#include "aggregator/store/records.h"
#include "aggregator/store/series_set.h"
#include "aggregator/store/sqlite.h"

#include <filesystem>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace vigil::aggregator {

using SourceId = std::int64_t;  // row of the table `source` of history.db

struct TimeRange {
  std::int64_t start_ms = 0;  // inclusive
  std::int64_t end_ms = 0;    // inclusive
};

/// A block about to be stored.
struct NewBlock {
  HostId host = 0;
  SourceId source = 0;
  const SealedBlock* block = nullptr;
  SeriesId columns_per_series = 1;    // ids of the block's columns are so many times those of its series
  std::span<const SeriesId> brief{};  // of these, ascending; they do not count as held
};

struct StoredBlock {
  std::int64_t id = 0;   // given to the new block
  BlockTotals replaced;  // blocks that it replaced
};

/// Sums and times of all blocks of a file.
struct PartitionContents {
  BlockTotals totals;
  std::int64_t first_ms = 0;
  std::int64_t last_ms = -1;  // before first_ms when there are none
};

class Partition {
 public:
  /// Makes the file when it is empty. Errc::unsupported: it is newer than this program. Errc::corrupt: it
  /// cannot be read.
  static Result<Partition> open(const std::filesystem::path& path, const std::string& vfs);
  /// A file that nobody reads before finish().
  static Result<Partition> build(const std::filesystem::path& path, const std::string& vfs);

  /// What is in a file; nothing in one that is empty. An older format becomes today's.
  static Result<PartitionContents> look(const std::filesystem::path& path, const std::string& vfs);

  Result<void> begin() { return database_.execute("BEGIN IMMEDIATE"); }
  /// With the blocks, which series the file holds: nobody sees one without the other.
  Result<void> commit();
  void rollback();

  /// Stores a block. One that begins at the same time, has the same series and ends no later is replaced: a
  /// replay seals the same rows again. Others stay beside it, and whoever reads takes each time once.
  Result<StoredBlock> put_block(const NewBlock& block);
  /// Removes the blocks of a source that lie within the range.
  Result<BlockTotals> remove(HostId host, SourceId source, TimeRange range);
  Result<PartitionContents> contents();
  /// Each host that has a block, with the last of its series.
  Result<void> each_host(const std::function<void(HostId, std::int64_t last_series)>& visit);

  /// True: everything committed before is in the file and synced.
  Result<bool> checkpoint(int mode);
  /// Of a built one: all of it is synced, and it is ready to be read.
  Result<void> finish();
  /// Pages in the write-ahead log since the last complete checkpoint.
  int wal_pages() const { return *wal_pages_; }

 private:
  static Result<Partition> make(const std::filesystem::path& path, const std::string& vfs, const char* modes);
  Result<Statement*> statement(const char* sql);
  Result<std::vector<std::pair<std::int64_t, BlockTotals>>> replaced_by(const NewBlock& block);
  Result<void> load_held();
  void hold(const NewBlock& block);
  Result<void> put_held(HostId host, const SeriesSet& before, const SeriesSet& after);

  Database database_;
  std::unordered_map<const void*, Statement> statements_;  // by the address of their text
  std::unique_ptr<int> wal_pages_;                         // set by SQLite's hook after each commit
  std::int64_t next_id_ = 1;
  std::map<HostId, SeriesSet> held_;     // as committed
  std::map<HostId, SeriesSet> growing_;  // of hosts that get series by this transaction
};

}  // namespace vigil::aggregator
