// The history thread: it alone commits and checkpoints history.db, the journal and the raw partitions. Others
// push operations; it writes them group by group: first what the index must know (hosts, series, schemas,
// files), then the journal, whose commit is what an acknowledgement waits for. Sealed blocks wait for others:
// the pages of a partition that lead to a block are written once for all that come together. Each of the
// three can be done twice: what failed on a full disk is tried again.
//
// Blocks are on disk only after a checkpoint of their partition. Cursors are saved after it, when no block
// waits, and only then may files of the journal go (upkeep.cpp).
#pragma once

#include "aggregator/store/catalogue.h"
#include "aggregator/store/history.h"
#include "aggregator/store/journal.h"
#include "aggregator/store/journal_index.h"
#include "aggregator/store/pending_blocks.h"
#include "aggregator/store/tables.h"
#include "common/threads/worker.h"

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>
#include <variant>
#include <vector>

namespace vigil::aggregator {

struct PutSeries {
  HostId host = 0;
  SourceId source = 0;
  SeriesRecord series;
};

struct SealBlocks {
  HostId host = 0;
  std::vector<FoundBlock> blocks;
  std::vector<SealCursor> cursors;
  std::size_t after = 0;  // so many entries of its group were journalled before it
};

struct ForgetHost {
  HostRecord host;
};

struct DropSeries {
  HostId host = 0;
  SeriesSet series;
  SeriesId next_id = 0;
};

using Operation = std::variant<HostRecord, StoredSource, PutSeries, SealBlocks, GapRecord, RunRecord,
                               ForgetHost, DropSeries>;

/// What the writer shares with the rest of the history.
struct WriterSurroundings {
  const HistoryOptions& options;
  BlockCache& cache;
  PendingBlocks& pending;
  Catalogue& catalogue;
  ReadConnections& connections;
};

class Writer {
 public:
  Writer(Tables tables, WriterSurroundings surroundings);

  // Before start(), on the opening thread.
  Tables& tables() { return tables_; }
  Journal& journal() { return journal_; }
  JournalIndex& index() { return index_; }
  /// Opens what the index lists, and removes what a crash left half done.
  Result<void> open_files();
  const std::vector<StoredFile>& journals() const { return journals_; }
  /// Hosts that files of the day and the journal hold, whether the index knows them or not, with the last
  /// series of each; -1: none is known.
  const std::map<HostId, std::int64_t>& used_ids() const { return used_ids_; }
  void note_used(HostId host, std::int64_t last_series);
  void note_missing(const StoredFile& file);
  /// One of journals() that cannot be read: it stays where it is, and is no part of the journal any more.
  Result<void> set_journal_aside(const StoredFile& file, const Error& why);
  void start(HistoryCallbacks callbacks);

  // From any thread.
  void push(Operation operation);
  /// Of this run; 0 before it.
  std::int64_t start_ms() const { return start_ms_; }
  /// As Tables::folder_id().
  const std::string& folder_id() const { return folder_id_; }
  bool push_entry(JournalEntry entry);
  Result<void> sync();
  /// sync(), then checkpoints and settles all there is.
  Result<void> settle();
  HistoryHealth health() const;
  HistoryStats stats() const;
  /// Names of the files that somebody had removed, found at start.
  std::vector<std::string> missing_files() const;
  const Worker& worker() const { return worker_; }
  void count_retired(std::uint64_t blocks);

  // For the keeper; they wait for the history thread.
  /// A new file the index knows. A crash removes one that is `building`.
  Result<PartitionInfo> make_file(Tier tier, FileForm form, std::int64_t period_ms);
  /// Nothing is added to this raw partition any more, and all of it is on disk. False: a reader is in the
  /// way, try later.
  Result<bool> finish(std::int64_t number);
  /// From now on `by` is read instead of `files`, which are removed.
  Result<void> replace(const std::vector<std::int64_t>& files, const PartitionInfo& by);
  struct Retirement {
    Tier tier = Tier::raw;
    std::vector<std::int64_t> files;
    std::int64_t complete_from_ms = 0;
  };
  Result<void> retire(const Retirement& retirement);
  Result<void> retire_gaps(std::int64_t before_ms);
  /// Later, while a snapshot holds the files.
  Result<void> remove_file(std::int64_t number);
  /// A sync failed: nothing written lately can be relied on, and it must not be tried again.
  void give_up(const Error& error);

  // For a snapshot (hold.cpp); they wait for the history thread.
  struct FileOnDisk {
    StoredFile file;
    std::string path;
  };
  Result<std::vector<FileOnDisk>> list_files();
  /// Runs `look` on the history thread, between two commits. From then on no partition is removed until
  /// release(). Errc::conflict: they are held already.
  Result<void> hold(const std::function<Result<void>(const std::vector<FileOnDisk>&)>& look);
  void release();
  /// Any thread, at once.
  std::vector<std::string> journal_paths() const;

  /// Commits what is queued, ends the thread, checkpoints.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;
  enum class Attempt : std::uint8_t { when_due, now };
  struct Group {
    std::size_t bytes = 0;
    std::size_t first_entry = 0;  // into entries_
    std::size_t end_entry = 0;
  };
  struct OpenRaw {
    Partition partition;
    std::int64_t day_ms = 0;
    bool in_transaction = false;
    bool dirty = false;  // has blocks that no checkpoint has covered
    bool holds = false;  // has blocks at all
    BlockTotals added;   // by the transaction
    BlockTotals replaced;
    std::int64_t first_ms = 0;
    std::int64_t last_ms = 0;
  };

  Result<void> on_thread(const std::function<void()>& work);
  /// A transaction on history.db, on its thread; rolled back when `work` fails.
  Result<void> transact(const std::function<Result<void>()>& work);
  Result<void> call(const std::function<Result<void>()>& work);
  void touch_lock();
  void tick();
  void commit(Attempt attempt);
  bool collect();
  Result<void> write_group(Attempt attempt);
  bool blocks_are_due(Attempt attempt) const;

  // write_index.cpp
  Result<void> write_index();
  bool index_changes() const;
  void cancel_given_up();
  void drop_cursors(HostId host);
  Result<void> plan_files();
  Result<void> put_schemas();
  Result<void> apply(const HostRecord& host) { return tables_.put_host(host); }
  Result<void> apply(const StoredSource& source) { return tables_.put_source(source); }
  Result<void> apply(const PutSeries& put) { return tables_.put_series(put.host, put.source, put.series); }
  Result<void> apply(const GapRecord& gap) { return tables_.put_gap(gap); }
  Result<void> apply(const RunRecord& run) { return tables_.put_run(run); }
  Result<void> apply(const SealBlocks& /*seal*/) { return {}; }
  Result<void> apply(const ForgetHost& forget);
  Result<void> apply(const DropSeries& drop) {
    return tables_.drop_series(drop.host, drop.series, drop.next_id);
  }

  Result<void> make_planned_files();

  // writing.cpp
  Result<void> write_blocks();
  Result<void> write_block(HostId host, const FoundBlock& part);
  Result<void> commit_blocks();
  bool too_old(const SealedBlock& block) const;

  Result<void> write_entries();
  Result<void> write_journal_group(std::string_view plain, std::size_t first_entry, std::size_t end_entry);

  // writer.cpp
  bool comes_after(const SealBlocks& seal, const JournalIndex::StreamKey& key) const;
  void keep_cursors(const SealBlocks& seal);
  void entries_committed();
  void take_seals();
  void blocks_committed();
  void count_journal();
  void publish(const std::vector<DurableBatch>& durable);
  void roll_back();
  void failed(const Error& error);
  void set_health(HistoryState state, const std::string& message);
  void begin_run();

  // open_files.cpp
  Result<void> reserve_numbers();
  Result<void> open_file(const StoredFile& file);
  Result<void> open_raw(const StoredFile& file);
  Result<void> remove_and_forget(const StoredFile& file);
  Result<void> look_at(const StoredFile& file);
  Result<void> set_aside(const StoredFile& file, const Error& why);
  // hold.cpp
  Result<std::vector<FileOnDisk>> describe_files();
  void remove_unneeded();
  Result<void> unlink_file(std::int64_t number);
  // upkeep.cpp
  void upkeep_when_due();
  void upkeep(int mode);
  Result<bool> settle_blocks(int mode);
  Result<void> save_progress();
  void note_life();
  std::vector<std::int64_t> newly_filled() const;
  Result<void> drop_journals();
  Result<void> checkpoint_index(int mode);
  std::string path_of(const StoredFile& file) const;

  Tables tables_;
  const WriterSurroundings surroundings_;
  HistoryCallbacks callbacks_;

  // Owned by the history thread.
  Journal journal_;
  JournalIndex index_;
  std::vector<StoredFile> journals_;             // of earlier runs, as found at start
  std::map<HostId, std::int64_t> used_ids_;      // at start
  std::map<std::int64_t, OpenRaw> raw_;          // by number
  std::map<std::int64_t, std::int64_t> by_day_;  // day -> number of the file blocks are added to
  std::map<std::int64_t, std::int64_t>
      planned_days_;  // day -> number of a file the index knows and that is to be made
  std::int64_t planned_journal_ = 0;
  std::set<std::int64_t> filled_;  // files the index knows to have something in them
  std::vector<Operation>
      operations_;  // of the group that is being written; kept for another try when the disk is full
  std::vector<JournalEntry> entries_;
  std::unordered_map<std::size_t, std::int64_t> schema_rows_;  // by index into entries_
  std::vector<JournalIndex::StreamKey> reopened_;
  std::size_t group_bytes_ = 0;
  std::vector<Group> groups_;
  std::vector<SealBlocks> unwritten_;  // their rows are in the journal: they wait for others, or for room
  std::size_t unwritten_bytes_ = 0;
  Clock::time_point unwritten_since_{};
  std::vector<std::pair<BlockKey, std::shared_ptr<const SealedBlock>>> new_blocks_;
  std::unordered_map<JournalIndex::StreamKey, SealCursor, JournalIndex::StreamKeyHash>
      cursors_;  // of blocks that no checkpoint has covered
  Clock::time_point retry_at_{};
  Clock::time_point upkeep_at_{};
  Clock::time_point journal_since_{};
  std::string folder_id_;  // set by open_files()
  RunRecord run_;          // this one
  Clock::time_point touched_{};
  Clock::time_point run_noted_{};        // when its life was noted
  int index_wal_pages_ = 0;              // set by SQLite's hook after each commit
  bool held_ = false;                    // by a snapshot
  std::vector<std::int64_t> to_remove_;  // once it lets go

  mutable std::mutex mutex_;  // protects what follows
  std::vector<Operation> incoming_operations_;
  std::vector<JournalEntry> incoming_entries_;
  std::size_t incoming_bytes_ = 0;
  std::size_t queued_bytes_ = 0;  // incoming and being written
  bool wake_posted_ = false;
  HistoryStats stats_;
  std::vector<std::int64_t> stats_journals_;
  std::vector<std::string> missing_;

  std::atomic<std::int64_t> start_ms_ = 0;
  std::atomic<std::int64_t> complete_from_ms_ = std::numeric_limits<std::int64_t>::min();  // of the raw tier
  bool started_ = false;
  Worker worker_{"history"};  // last: it ends before what it works on
};

}  // namespace vigil::aggregator
