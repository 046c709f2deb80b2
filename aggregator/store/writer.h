// The history thread: it alone commits and checkpoints. Others push operations; it applies them group by
// group, one transaction each.
#pragma once

#include "aggregator/store/history.h"
#include "aggregator/store/journal_index.h"
#include "aggregator/store/pending_blocks.h"
#include "aggregator/store/tables.h"
#include "common/threads/worker.h"

#include <atomic>
#include <mutex>
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

using Operation = std::variant<HostRecord, StoredSource, PutSeries, SealBlocks, GapRecord, ForgetHost>;

/// What the writer shares with the rest of the history.
struct WriterSurroundings {
  const HistoryOptions& options;
  BlockCache& cache;
  PendingBlocks& pending;
};

class Writer {
 public:
  Writer(Tables tables, WriterSurroundings surroundings);

  // Before start(), on the opening thread.
  Tables& tables() { return tables_; }
  JournalIndex& index() { return index_; }
  Result<void> count_blocks();
  void start(HistoryCallbacks callbacks);

  // From any thread.
  void push(Operation operation);
  bool push_entry(JournalEntry entry);
  Result<void> sync();
  Result<void> tidy();
  HistoryHealth health() const;
  HistoryStats stats() const;
  const Worker& worker() const { return worker_; }

  /// Commits what is queued, ends the thread, checkpoints.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;
  enum class Attempt : std::uint8_t { when_due, now };
  struct NewRow {
    std::int64_t row = 0;
    std::size_t bytes = 0;
    std::size_t first_entry = 0;  // into entries_
    std::size_t end_entry = 0;
  };

  Result<void> on_thread(const std::function<void()>& work);
  void tick();
  void commit(Attempt attempt);
  bool collect();
  Result<void> write_group();
  Result<void> reopen_streams();
  Result<void> write_entries();
  Result<void> append(const JournalEntry& entry, std::string& plain);
  Result<void> write_row(std::string_view plain, std::size_t first_entry, std::size_t end_entry);
  Result<void> apply(const HostRecord& host) { return tables_.put_host(host); }
  Result<void> apply(const StoredSource& source) { return tables_.put_source(source); }
  Result<void> apply(const PutSeries& put) { return tables_.put_series(put.host, put.source, put.series); }
  Result<void> apply(const GapRecord& gap) { return tables_.put_gap(gap); }
  Result<void> apply(const SealBlocks& seal);
  Result<void> apply(const ForgetHost& forget);
  bool comes_after(const SealBlocks& seal, const JournalIndex::StreamKey& key) const;
  Result<void> drop_settled_rows();
  void committed();
  void publish(const std::vector<DurableBatch>& durable);
  void failed(const Error& error);
  void set_health(HistoryState state, const std::string& message);

  void retire();
  Result<BlockTotals> retire_step();
  Result<std::int64_t> retire_before();
  void checkpoint_when_due();
  void checkpoint(int mode);

  Tables tables_;
  const WriterSurroundings surroundings_;
  HistoryCallbacks callbacks_;

  // Owned by the history thread.
  JournalIndex index_;
  std::vector<Operation>
      operations_;  // of the group that is being written; kept for another try when the disk is full
  std::vector<JournalEntry> entries_;
  std::vector<JournalIndex::StreamKey> reopened_;
  std::size_t group_bytes_ = 0;
  std::vector<NewRow> new_rows_;
  std::vector<std::int64_t> dropped_rows_;
  std::vector<std::pair<std::int64_t, std::shared_ptr<const SealedBlock>>> new_blocks_;
  BlockTotals added_;
  BlockTotals replaced_;
  std::int64_t next_block_ = 1;
  Clock::time_point retry_at_{};
  Clock::time_point retire_at_{};
  Clock::time_point checkpoint_at_{};
  int wal_pages_ = 0;  // set by SQLite's hook after each commit

  mutable std::mutex mutex_;  // protects what follows
  std::vector<Operation> incoming_operations_;
  std::vector<JournalEntry> incoming_entries_;
  std::size_t incoming_bytes_ = 0;
  std::size_t queued_bytes_ = 0;  // incoming and being written
  bool wake_posted_ = false;
  HistoryStats stats_;

  bool started_ = false;
  Worker worker_{"history"};  // last: it ends before what it works on
};

}  // namespace vigil::aggregator
