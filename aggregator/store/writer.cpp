#include "aggregator/store/writer.h"

#include "aggregator/store/encoding.h"
#include "aggregator/store/files.h"
#include "common/log/log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <future>

namespace vigil::aggregator {
namespace {

constexpr auto kRetryWhenFull = std::chrono::seconds(1);
constexpr std::size_t kEntryOverhead = 64;                 // of an entry in the queue, beside its bytes
constexpr std::size_t kBlockBytes = std::size_t{1} << 20;  // of sealed blocks that wait to be written
constexpr auto kBlockPatience = std::chrono::seconds(10);

double seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

int remember_wal_pages(void* pages, sqlite3* /*database*/, const char* /*name*/, int count) {
  *static_cast<int*>(pages) = count;
  return SQLITE_OK;
}

}  // namespace

Writer::Writer(Tables tables, WriterSurroundings surroundings)
    : tables_(std::move(tables)),
      surroundings_(surroundings),
      journal_(surroundings.options.directory, surroundings.options.vfs) {
  sqlite3_wal_hook(tables_.database().handle(), remember_wal_pages, &index_wal_pages_);
  worker_.every(surroundings_.options.commit_interval, [this] { tick(); });
}

void Writer::start(HistoryCallbacks callbacks) {
  callbacks_ = std::move(callbacks);
  upkeep_at_ = Clock::now();
  begin_run();
  push(run_);
  {
    const std::lock_guard lock(mutex_);
    count_journal();
  }
  started_ = true;
  worker_.start();
}

void Writer::begin_run() {
  run_.start_ms = run_.alive_ms = surroundings_.options.now_ms();
  run_noted_ = Clock::now();
  start_ms_ = run_.start_ms;
}

void Writer::push(Operation operation) {
  const std::lock_guard lock(mutex_);
  if (stats_.health.state == HistoryState::failed) return;  // nothing will ever be written again
  if (auto* seal = std::get_if<SealBlocks>(&operation)) seal->after = incoming_entries_.size();
  incoming_operations_.push_back(std::move(operation));
}

bool Writer::push_entry(JournalEntry entry) {
  const std::size_t size = entry.bytes.size() + kEntryOverhead;
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    const bool unusable =
        stats_.health.state == HistoryState::failed || entry.seq >= (std::uint64_t{1} << 63);
    if (unusable || queued_bytes_ + size > surroundings_.options.queue_bytes) {
      ++stats_.refused_entries;
      return false;
    }
    incoming_entries_.push_back(std::move(entry));
    incoming_bytes_ += size;
    queued_bytes_ += size;
    wake = started_ && !wake_posted_ && incoming_bytes_ >= surroundings_.options.commit_bytes;
    if (wake) wake_posted_ = true;
  }
  if (wake) worker_.post([this] { commit(Attempt::when_due); });
  return true;
}

// Runs `work` on the history thread and tells how the history is afterwards.
Result<void> Writer::on_thread(const std::function<void()>& work) {
  std::promise<HistoryHealth> done;
  const bool posted = started_ && worker_.post([&] {
    work();
    done.set_value(health());
  });
  if (!posted) return fail(Errc::unavailable, "history is not running");
  const HistoryHealth after = done.get_future().get();
  if (after.state == HistoryState::full) return fail(Errc::limit, "{}", after.message);
  if (after.state == HistoryState::failed) return fail(Errc::io, "{}", after.message);
  return {};
}

Result<void> Writer::sync() {
  return on_thread([this] { commit(Attempt::now); });
}

Result<void> Writer::settle() {
  return on_thread([this] {
    commit(Attempt::now);
    if (health().state == HistoryState::ok) upkeep(SQLITE_CHECKPOINT_PASSIVE);
  });
}

// Not while the history is full or failed: what the keeper does can wait.
Result<void> Writer::call(const std::function<Result<void>()>& work) {
  Result<void> result;
  auto done = on_thread([&] {
    commit(Attempt::now);  // no block waits for a file that is to go
    if (health().state == HistoryState::ok) result = work();
  });
  return done ? result : done;
}

Result<void> Writer::transact(const std::function<Result<void>()>& work) {
  auto done = tables_.database().execute("BEGIN IMMEDIATE");
  if (done) done = work();
  if (done) done = tables_.database().execute("COMMIT");
  if (!done) (void)tables_.database().execute("ROLLBACK");
  return done;
}

HistoryHealth Writer::health() const {
  const std::lock_guard lock(mutex_);
  return stats_.health;
}

HistoryStats Writer::stats() const {
  const std::lock_guard lock(mutex_);
  HistoryStats stats = stats_;
  stats.queued_bytes = queued_bytes_;
  for (const std::int64_t file : stats_journals_)
    stats.journal_disk_bytes += database_bytes(journal_.path(file));
  stats.journal_files = stats_journals_.size();
  stats.missing_files = missing_.size();
  return stats;
}

std::vector<std::string> Writer::missing_files() const {
  const std::lock_guard lock(mutex_);
  return missing_;
}

void Writer::count_retired(std::uint64_t blocks) {
  const std::lock_guard lock(mutex_);
  stats_.retired_blocks += blocks;
}

void Writer::stop() {
  const auto last = [this] { commit(Attempt::now); };
  if (!started_ || !worker_.post(last)) last();
  worker_.stop();
  if (health().state != HistoryState::failed) upkeep(SQLITE_CHECKPOINT_TRUNCATE);
  journal_.close();
}

/// Whoever starts after us sees until when we lived, to the second: nothing is written for it but an inode.
void Writer::touch_lock() {
  const auto now = Clock::now();
  if (now < touched_ + std::chrono::seconds(1)) return;
  touched_ = now;
  (void)::utimensat(AT_FDCWD, (surroundings_.options.directory / "lock").c_str(), nullptr, 0);
}

void Writer::tick() {
  touch_lock();
  commit(Attempt::when_due);
  if (health().state == HistoryState::ok) upkeep_when_due();
}

// Takes what was pushed since. False when there is nothing to write at all.
bool Writer::collect() {
  const std::lock_guard lock(mutex_);
  wake_posted_ = false;
  for (Operation& operation : incoming_operations_) {
    if (auto* seal = std::get_if<SealBlocks>(&operation)) seal->after += entries_.size();
  }
  std::move(incoming_operations_.begin(), incoming_operations_.end(), std::back_inserter(operations_));
  std::move(incoming_entries_.begin(), incoming_entries_.end(), std::back_inserter(entries_));
  incoming_operations_.clear();
  incoming_entries_.clear();
  group_bytes_ += incoming_bytes_;
  incoming_bytes_ = 0;
  return !operations_.empty() || !entries_.empty();
}

// When there is no room each attempt tries everything.
bool Writer::blocks_are_due(Attempt attempt) const {
  if (unwritten_.empty()) return false;
  return attempt == Attempt::now || health().state == HistoryState::full || unwritten_bytes_ >= kBlockBytes ||
         Clock::now() >= unwritten_since_ + kBlockPatience;
}

void Writer::commit(Attempt attempt) {
  const HistoryState state = health().state;
  if (state == HistoryState::failed) return;
  if (!collect() && !blocks_are_due(attempt)) return;
  const auto start = Clock::now();
  if (state == HistoryState::full && attempt == Attempt::when_due && start < retry_at_) return;
  const auto written = write_group(attempt);
  if (!written) {
    failed(written.error());
    return;
  }
  const double took = seconds(Clock::now() - start);
  {
    const std::lock_guard lock(mutex_);
    ++stats_.commits;
    stats_.commit_seconds_last = took;
    stats_.commit_seconds_max = std::max(stats_.commit_seconds_max, took);
  }
  if (state == HistoryState::full) {
    set_health(HistoryState::ok, "");
    log::info("history", "there is room again: acknowledging goes on");
  }
}

Result<void> Writer::write_group(Attempt attempt) {
  groups_.clear();
  new_blocks_.clear();
  if (auto indexed = write_index(); !indexed) return indexed;
  if (auto made = make_planned_files(); !made) return made;
  // The journal first: acknowledgements need not wait for blocks.
  if (auto journalled = write_entries(); !journalled) return journalled;
  entries_committed();
  take_seals();
  if (!blocks_are_due(attempt)) return {};
  if (auto stored = write_blocks(); !stored) return stored;
  blocks_committed();
  return {};
}

/// Whether a stream comes back in the very group whose seal says that nothing of it is needed.
bool Writer::comes_after(const SealBlocks& seal, const JournalIndex::StreamKey& key) const {
  const auto begin = entries_.begin() + static_cast<std::ptrdiff_t>(std::min(seal.after, entries_.size()));
  return std::any_of(begin, entries_.end(), [&](const JournalEntry& entry) {
    return entry.host == key.host && entry.stream == key.stream;
  });
}

void Writer::keep_cursors(const SealBlocks& seal) {
  for (const SealCursor& cursor : seal.cursors) {
    const JournalIndex::StreamKey key{seal.host, cursor.stream};
    SealCursor& kept = cursors_[key];
    // Later seals cover earlier ones, but for what a crash made the replay seal again.
    if (cursor.sealed_seq >= kept.sealed_seq) kept = cursor;
  }
}

// What memory says follows what the disk says, never the other way round.
void Writer::entries_committed() {
  for (Operation& operation : operations_) {
    auto* seal = std::get_if<SealBlocks>(&operation);
    if (seal == nullptr) continue;
    std::erase_if(seal->cursors, [&](const SealCursor& cursor) {
      return cursor.needed_seq == kNothingNeeded && comes_after(*seal, {seal->host, cursor.stream});
    });
    seal->after = 0;
  }
  std::vector<DurableBatch> durable;
  durable.reserve(entries_.size());
  for (const Group& group : groups_) {
    index_.add_group(journal_.current(), group.bytes);
    for (std::size_t i = group.first_entry; i < group.end_entry; ++i) {
      const JournalEntry& entry = entries_[i];
      const JournalIndex::StreamKey key{entry.host, entry.stream};
      if (entry.kind == EntryKind::schema) {
        index_.add_mark(journal_.current(), key, entry.seq);
        continue;
      }
      index_.add_entry(journal_.current(), key, entry.seq);
      durable.push_back({entry.host, entry.stream, entry.seq});
    }
  }
  entries_.clear();
  schema_rows_.clear();
  reopened_.clear();
  publish(durable);
}

void Writer::take_seals() {
  for (Operation& operation : operations_) {
    if (const auto* forget = std::get_if<ForgetHost>(&operation)) drop_cursors(forget->host.id);
    auto* seal = std::get_if<SealBlocks>(&operation);
    if (seal == nullptr) continue;
    keep_cursors(*seal);
    if (unwritten_.empty()) unwritten_since_ = Clock::now();
    for (const FoundBlock& part : seal->blocks) unwritten_bytes_ += part.block->bytes().size();
    unwritten_.push_back(std::move(*seal));
  }
  operations_.clear();
}

void Writer::blocks_committed() {
  for (auto& [key, block] : new_blocks_) surroundings_.cache.put(key, block);
  for (const SealBlocks& seal : unwritten_) surroundings_.pending.remove(seal.host, seal.blocks);
  unwritten_.clear();
  unwritten_bytes_ = 0;
}

void Writer::publish(const std::vector<DurableBatch>& durable) {
  {
    const std::lock_guard lock(mutex_);
    queued_bytes_ -= group_bytes_;
    count_journal();
  }
  group_bytes_ = 0;
  if (!durable.empty() && callbacks_.on_durable) callbacks_.on_durable(durable);
}

// The mutex must be locked.
void Writer::count_journal() {
  stats_.journal_groups = index_.groups();
  stats_.journal_bytes = index_.bytes();
  stats_journals_ = index_.file_numbers();
}

// Fails where SQLite has rolled back by itself; either way no transaction is open after it.
void Writer::roll_back() {
  for (auto& [number, raw] : raw_) {
    if (raw.in_transaction) raw.partition.rollback();
    raw.in_transaction = false;
  }
  journal_.rollback();
}

void Writer::failed(const Error& error) {
  roll_back();
  const HistoryState before = health().state;
  {
    const std::lock_guard lock(mutex_);
    ++stats_.commit_failures;
  }
  if (error.code == Errc::limit) {
    retry_at_ = Clock::now() + kRetryWhenFull;
    set_health(HistoryState::full, error.message);
    if (before == HistoryState::full) return;
    log::error("history", "no room: nothing is acknowledged until there is some; trying each second",
               {{"error", error}});
    return;
  }
  set_health(HistoryState::failed, error.message);
  log::error("history", "cannot write: nothing is acknowledged any more; restart replays the journal",
             {{"error", error}});
  if (callbacks_.on_fatal) callbacks_.on_fatal(error);
}

void Writer::give_up(const Error& error) {
  (void)on_thread([&] { failed(error); });
}

void Writer::set_health(HistoryState state, const std::string& message) {
  const std::lock_guard lock(mutex_);
  stats_.health = {state, message};
}

}  // namespace vigil::aggregator
