// What the history thread does between commits: it brings sealed blocks to the disk, saves the cursors that
// this settles, and lets go of the journal's files nobody needs any more.
#include "aggregator/store/writer.h"
#include "common/log/log.h"

#include <algorithm>

namespace vigil::aggregator {
namespace {

constexpr auto kUpkeepEvery = std::chrono::seconds(60);
constexpr int kUpkeepPages = 16384;  // 64 MB of WAL
constexpr std::uint64_t kJournalBytes = std::uint64_t{4} << 20;
constexpr std::int64_t kClockSetMs = 120'000;
constexpr auto kJournalAge = std::chrono::minutes(10);

}  // namespace

void Writer::upkeep_when_due() {
  const auto now = Clock::now();
  int pages = index_wal_pages_;
  for (const auto& [number, raw] : raw_) pages += raw.partition.wal_pages();
  if (now < upkeep_at_ + kUpkeepEvery && pages < kUpkeepPages) return;
  upkeep_at_ = now;
  commit(Attempt::now);
  if (health().state == HistoryState::ok) upkeep(SQLITE_CHECKPOINT_PASSIVE);
}

void Writer::upkeep(int mode) {
  remove_unneeded();
  auto done = [&]() -> Result<void> {
    const auto settled = settle_blocks(mode);
    if (!settled) return settled.error();
    if (*settled && unwritten_.empty()) {
      if (auto saved = save_progress(); !saved) return saved;
      if (auto dropped = drop_journals(); !dropped) return dropped;
    }
    return checkpoint_index(mode);
  }();
  if (done || done.error().code == Errc::conflict)
    return;  // a reader is in the way: the next one tries again
  if (done.error().code != Errc::limit) failed(done.error());
  // No room: everything is in a log still, and the next commit will tell.
}

/// True: all blocks that were committed are synced.
Result<bool> Writer::settle_blocks(int mode) {
  bool all = true;
  for (auto& [number, raw] : raw_) {
    if (!raw.dirty && mode == SQLITE_CHECKPOINT_PASSIVE) continue;
    const auto complete = raw.partition.checkpoint(mode);
    if (!complete) return complete.error();
    all = all && *complete;
    if (*complete) raw.dirty = false;
  }
  const std::lock_guard lock(mutex_);
  ++stats_.checkpoints;
  return all;
}

/// Cursors say what need not be replayed: from then on the files that hold it must be there.
std::vector<std::int64_t> Writer::newly_filled() const {
  std::vector<std::int64_t> files;
  if (journal_.current_bytes() > 0) files.push_back(journal_.current());
  for (const auto& [number, raw] : raw_) {
    if (raw.holds) files.push_back(number);
  }
  for (const Tier tier : {Tier::minute, Tier::hour}) {
    for (const PartitionInfo& file : surroundings_.catalogue.all(tier))
      if (!file.empty()) files.push_back(file.file.number);
  }
  std::erase_if(files, [this](std::int64_t file) { return filled_.contains(file); });
  return files;
}

/// A clock that was set, or a machine that slept, ends a run: the time in between is none in which we were
/// there.
void Writer::note_life() {
  if (run_.start_ms == 0) return;
  const std::int64_t now_ms = surroundings_.options.now_ms();
  const auto lived = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - run_noted_);
  if (std::abs(now_ms - run_.alive_ms - lived.count()) > kClockSetMs) return begin_run();
  run_.alive_ms = std::max(run_.alive_ms, now_ms);
  run_noted_ = Clock::now();
}

Result<void> Writer::save_progress() {
  note_life();
  const std::vector<std::int64_t> filled = newly_filled();
  auto saved = transact([&]() -> Result<void> {
    if (auto alive = run_.start_ms != 0 ? tables_.put_run(run_) : Result<void>(); !alive) return alive;
    for (const std::int64_t file : filled) {
      if (auto marked = tables_.set_filled(file); !marked) return marked;
    }
    for (const auto& [key, cursor] : cursors_) {
      const std::uint64_t durable = std::max(index_.durable_seq(key), cursor.sealed_seq);
      auto put = tables_.put_cursor({key.host, {key.stream, durable, cursor.sealed_seq}, cursor.needed_seq});
      if (put) put = tables_.drop_schemas(key.host, cursor);
      if (!put) return put;
    }
    return {};
  });
  if (!saved) return saved;
  filled_.insert(filled.begin(), filled.end());
  for (const auto& [key, cursor] : cursors_) index_.settle(key, cursor.needed_seq);
  cursors_.clear();
  index_.forget_settled_streams();
  return {};
}

Result<void> Writer::drop_journals() {
  // A new file from time to time: one goes only as a whole.
  const bool old = journal_.current_bytes() > 0 && Clock::now() >= journal_since_ + kJournalAge;
  if (old || journal_.current_bytes() >= kJournalBytes) journal_.close();
  auto files = index_.settled_files();
  std::erase(files, journal_.current());
  if (files.empty()) return {};
  auto doomed = transact([&]() -> Result<void> {
    for (const std::int64_t file : files) {
      if (auto formed = tables_.set_form(file, FileForm::doomed); !formed) return formed;
    }
    return {};
  });
  for (const std::int64_t file : files) {
    if (doomed) doomed = journal_.remove(file);
    if (doomed) doomed = tables_.forget_file(file);
    if (!doomed) return doomed;
    index_.forget_file(file);
  }
  const std::lock_guard lock(mutex_);
  count_journal();
  return {};
}

Result<void> Writer::checkpoint_index(int mode) {
  sqlite3* handle = tables_.database().handle();
  if (sqlite3_wal_checkpoint_v2(handle, "main", mode, nullptr, nullptr) != SQLITE_OK)
    return sqlite_error(handle, "checkpoint");
  index_wal_pages_ = 0;
  return {};
}

}  // namespace vigil::aggregator
