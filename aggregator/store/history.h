// The durable memory of the aggregator: a journal of what agents sent since the last seal, sealed blocks in
// partitions by day, rows by minute and hour made from them, the index of hosts and series, cursors, gaps,
// and retention. docs/storage.md describes the files; callers see only what stands here.
//
// Order of use: open(), recover(), replay(), start(), then everything else; close() or the destructor ends
// it. Writing calls before start() are queued (a replay may seal). One thread, "history", makes every commit
// an acknowledgement waits for: calls that write hand over values and return at once; they are applied in the
// order in which they were called, group by group; sealed blocks wait for others. Another, "keeper", compacts
// and rolls up what is older than a day and removes what is too old. Any thread may call anything after
// start().
//
// A group is committed every commit_interval or once commit_bytes wait. After COMMIT returned with
// synchronous=FULL the entries are on disk (as far as fsync is honest), on_durable is called and only then
// may a batch be acknowledged.
//
// Failure. No room, on the disk or for another open file: the transaction is rolled back and everything stays
// queued; it is tried again each second; health() says `full`, nothing is acknowledged, reading goes on; it
// recovers alone. Any other error of a commit or an fsync: never retried (the kernel may have dropped the
// pages); health() says `failed`, on_fatal is called once, and the process must exit non-zero: replay at the
// next start makes good. A damaged block or journal group loses itself only, is logged and counted in
// stats().
#pragma once

#include "aggregator/blocks/block.h"
#include "aggregator/store/check.h"
#include "aggregator/store/records.h"
#include "aggregator/store/snapshot.h"
#include "aggregator/store/tier.h"
#include "common/error.h"
#include "common/threads/worker.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::aggregator {

/// The longest time one block may span; the index relies on it.
inline constexpr std::int64_t kMaxBlockSpanMs = std::int64_t{2} * 3600 * 1000;

struct HistoryOptions {
  std::filesystem::path directory;  // made with mode 0700 when absent
  std::chrono::milliseconds commit_interval{250};
  std::size_t commit_bytes = std::size_t{1} << 20;  // commit earlier when this much waits
  std::size_t queue_bytes = std::size_t{64} << 20;  // journal() refuses when this much waits
  std::array<TierKeep, 3> keep{};                   // by Tier: raw, minute, hour. Gaps live as long as hours
  std::chrono::milliseconds brief{0};  // series that lived shorter leave with their samples, see Rollup
  std::size_t cache_bytes = std::size_t{32} << 20;  // of opened blocks
  std::function<std::int64_t()> now_ms;             // for retention; default: the system clock
  std::string vfs;  // SQLite VFS by name; "" is the default. Tests inject faults here
};

enum class HistoryState : std::uint8_t { ok, full, failed };
std::string_view to_string(HistoryState state);

struct HistoryHealth {
  HistoryState state = HistoryState::ok;
  std::string message;  // what failed, and what helps; empty when ok
};

struct RecoveredHost {
  HostRecord host;
  std::vector<SeriesRecord> series;  // by id; where others have left there are holes
  SeriesId next_series = 0;          // the id of the next new one
  std::vector<Cursor> cursors;       // by last use: back() is the stream used last
};

/// An answer that comes when it is ready; asked and read by one thread, given by another.
struct UnusedSeries {
  struct OfHost {
    HostId host = 0;
    std::vector<SeriesId> series;  // ascending
  };
  std::atomic<bool> answered = false;  // before that nothing else may be looked at
  bool failed = false;                 // a file could not be read: nothing is known
  std::vector<OfHost> hosts;
};

struct Recovered {
  std::vector<RecoveredHost> hosts;  // by id: hosts[i].host.id == i
};

struct Replayed {
  std::uint64_t entries = 0;
  std::uint64_t damaged_groups = 0;  // their entries are lost; the streams have holes in their seq
};

/// A batch that may now be acknowledged.
struct DurableBatch {
  HostId host = 0;
  StreamId stream{};
  std::uint64_t seq = 0;
};

/// Both are called on the history thread and must not block: post to whoever owns the state.
struct HistoryCallbacks {
  std::function<void(std::span<const DurableBatch>)>
      on_durable;  // in the order in which they were journalled
  std::function<void(const Error&)> on_fatal;
};

struct TierStats {
  std::uint64_t files = 0;
  std::uint64_t disk_bytes = 0;  // of its files, with -wal and -shm
  std::uint64_t blocks = 0;
  std::uint64_t block_bytes = 0;
  std::uint64_t samples = 0;   // values in all blocks; absent cells are not counted
  std::int64_t oldest_ms = 0;  // of all blocks; 0 when there are none
  std::int64_t newest_ms = 0;
  std::int64_t complete_from_ms = 0;  // older ones were retired; 0: none was
};

struct HistoryStats {
  HistoryHealth health;
  std::array<TierStats, 3> tiers;  // by Tier
  std::uint64_t disk_bytes = 0;    // of all files, journal and index included
  std::uint64_t index_bytes = 0;   // history.db with -wal and -shm
  std::uint64_t blocks = 0;        // of the raw tier, as the following four
  std::uint64_t block_bytes = 0;
  std::uint64_t samples = 0;
  double bytes_per_sample = 0;  // of its files; 0 when there are no samples
  std::int64_t oldest_ms = 0;
  std::uint64_t journal_files = 0;
  std::uint64_t journal_groups = 0;
  std::uint64_t journal_bytes = 0;       // of its groups
  std::uint64_t journal_disk_bytes = 0;  // of its files
  std::uint64_t queued_bytes = 0;        // waiting for a commit
  std::uint64_t commits = 0;
  std::uint64_t commit_failures = 0;
  std::uint64_t refused_entries = 0;  // journal() said false
  std::uint64_t damaged_blocks = 0;   // found while reading, since start
  std::uint64_t damaged_files = 0;    // set aside at start
  std::uint64_t missing_files = 0;    // somebody removed them; found at start
  std::uint64_t damaged_logs = 0;     // write-ahead logs, at start
  std::uint64_t damaged_groups = 0;   // of the journal, at start
  std::uint64_t lost_names = 0;      // hosts and series that files hold and the index does not know, at start
  std::uint64_t retired_blocks = 0;  // by retention, since start
  std::uint64_t too_old_blocks = 0;  // came when their day had been retired already, since start
  std::uint64_t checkpoints = 0;
  double commit_seconds_last = 0;
  double commit_seconds_max = 0;  // since start
};

/// A file of the data folder.
struct FileStats {
  std::string name;
  std::string_view kind;         // raw, minute, hour, journal, index
  std::string_view form;         // open, finished, compacted
  std::uint64_t disk_bytes = 0;  // with -wal and -shm
  std::uint64_t blocks = 0;      // of a partition, as samples and times
  std::uint64_t samples = 0;
  std::int64_t first_ms = 0;  // both 0: there is nothing in it
  std::int64_t last_ms = 0;
};

class History {
 public:
  /// Errc::conflict: another process holds the folder. Errc::unsupported: a file is newer than this program,
  /// or another program's; then nothing was changed. Errc::corrupt, Errc::io, Errc::permission: as they say.
  static Result<std::unique_ptr<History>> open(HistoryOptions options);
  /// close()s.
  ~History();
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  /// Hosts, series and cursors. Once, right after open().
  Result<Recovered> recover();
  /// Hands over the journal in the order in which it was written: batches as they came, each after the
  /// schemas it can refer to. Once, after recover(). Batches up to a cursor's sealed_seq are there so that
  /// later ones can be decoded: their rows are in blocks already. What a reconnected agent sent again comes
  /// again: a schema whose seq is not above the last batch's begins a new connection.
  Result<Replayed> replay(const std::function<void(const JournalEntry&)>& visit);
  void start(HistoryCallbacks callbacks);
  /// Commits what is queued, checkpoints and closes. Not from a callback.
  void close();

  /// Inserts or replaces a host. Errc::invalid_argument unless its id is a known one or the next one.
  Result<void> put_host(HostRecord host);
  /// The host was removed (HostRecord::removed): its series, cursors, gaps and what of it is in the journal
  /// go; its blocks stay until retention. Errors as put_host.
  Result<void> forget_host(HostRecord host);
  /// Adds series, or replaces the specification of known ones (a changed type, for example). Ids as in
  /// put_host.
  Result<void> put_series(HostId host, std::vector<SeriesRecord> series);
  /// They leave, and their ids are not given again. Whoever calls has made sure that nothing of them is
  /// stored or waits to be: asked with ask_unused(), and used none of them since.
  Result<void> drop_series(HostId host, std::span<const SeriesId> series);
  /// How often retention removed files, from 1 on: then series may have become unused.
  std::uint64_t retirements() const;
  /// Has the keeper look which series of these hosts no kept file holds a block of, and no block that waits
  /// to be stored. What its caller seals after the call may be missed. Null: the history does not run.
  std::shared_ptr<const UnusedSeries> ask_unused(std::vector<HostId> hosts);
  /// False: more than queue_bytes wait, or health is `failed`. The caller then drops the batch and asks the
  /// agent to come back later. Hosts and series put before an entry become durable before it or with it.
  [[nodiscard]] bool journal(JournalEntry entry);
  /// Stores blocks, then moves cursors, then drops what the journal no longer needs. Doing it twice does no
  /// harm: whoever reads takes each time of a series once. Blocks of two days are divided. read() sees the
  /// blocks at once. Errc::invalid_argument: unknown host, no block, or a block that spans more than
  /// kMaxBlockSpanMs.
  Result<void> seal(HostId host, std::vector<SealedPart> parts, std::vector<SealCursor> cursors);
  Result<void> put_gap(GapRecord gap);

  /// Blocks of a host that overlap [start_ms, end_ms] and hold one of `series` (empty: any), by first time.
  /// Blocks come whole; blocks of different sources interleave. Damaged ones are left out and counted.
  Result<std::vector<std::shared_ptr<const SealedBlock>>> read(HostId host, std::span<const SeriesId> series,
                                                               std::int64_t start_ms,
                                                               std::int64_t end_ms) const;
  /// As read(), of a tier: blocks of rollup.h. Only days that are over have them.
  Result<std::vector<std::shared_ptr<const SealedBlock>>> read_tier(Tier tier, HostId host,
                                                                    std::int64_t start_ms,
                                                                    std::int64_t end_ms) const;
  /// From when on a tier has everything that was stored: older files of it were retired. The least int64 when
  /// none was.
  std::int64_t complete_from_ms(Tier tier) const;
  /// Until when every day is over, compacted and rolled up: before it the tiers have what the samples have.
  std::int64_t rolled_up_until_ms() const;
  /// Committed gaps of a host that overlap [start_ms, end_ms], by first time.
  Result<std::vector<GapRecord>> gaps(HostId host, std::int64_t start_ms, std::int64_t end_ms) const;
  /// When an aggregator ran on these data, by start; the last one is now. Empty before the first start().
  Result<std::vector<RunRecord>> runs() const;

  /// Time of the newest stored row of a host, sources of the job `except` left out; 0: none.
  Result<std::int64_t> newest_ms(HostId host, std::string_view except) const;

  /// Waits until all that was queued before is committed. Errc::limit when the disk is full, Errc::io after a
  /// failure.
  Result<void> sync();
  /// Does now, and completely, what else happens by itself in small steps: checkpoint, cursors, days that are
  /// over, retention.
  /// Errors as sync().
  Result<void> tidy();
  HistoryHealth health() const;
  HistoryStats stats() const;
  /// Partitions by tier and time, then journals, then the index.
  std::vector<FileStats> files() const;
  const HistoryOptions& options() const;

  /// For a backup of the running system; it must not outlive the history. Errors as Snapshot::take().
  Result<std::unique_ptr<Snapshot>> snapshot(SnapshotRequest request);
  /// Reads all files to their end, on the calling thread, while everything goes on. As check_files(), with
  /// other databases of the data folder.
  Result<CheckTotals> check(std::vector<std::string> also, const CheckCallbacks& callbacks) const;
  /// Its thread, for whoever watches over it.
  const Worker& worker() const;

 private:
  struct Parts;
  explicit History(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace vigil::aggregator
