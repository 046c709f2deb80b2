#include "aggregator/store/writer.h"

#include "aggregator/store/encoding.h"
#include "common/log/log.h"

#include <algorithm>
#include <future>

namespace vigil::aggregator {
namespace {

constexpr auto kRetryWhenFull = std::chrono::seconds(1);
constexpr std::size_t kEntryOverhead = 64;  // of an entry in the queue, beside its bytes
constexpr std::size_t kRowBytes = std::size_t{1}
                                  << 20;  // collected before they are compressed into one row of the journal

double seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

int remember_wal_pages(void* pages, sqlite3* /*database*/, const char* /*name*/, int count) {
  *static_cast<int*>(pages) = count;
  return SQLITE_OK;
}

}  // namespace

Writer::Writer(Tables tables, WriterSurroundings surroundings)
    : tables_(std::move(tables)), surroundings_(surroundings) {
  sqlite3_wal_hook(tables_.database().handle(), remember_wal_pages, &wal_pages_);
  worker_.every(surroundings_.options.commit_interval, [this] { tick(); });
}

Result<void> Writer::count_blocks() {
  const auto totals = tables_.block_totals();
  if (!totals) return totals.error();
  const auto last = tables_.last_block_id();
  if (!last) return last.error();
  const auto used = tables_.used_bytes();
  if (!used) return used.error();
  const auto oldest = tables_.oldest_ms();
  if (!oldest) return oldest.error();
  next_block_ = *last + 1;
  const std::lock_guard lock(mutex_);
  stats_.blocks = totals->blocks;
  stats_.block_bytes = totals->bytes;
  stats_.samples = totals->samples;
  stats_.used_bytes = *used;
  stats_.oldest_ms = *oldest;
  stats_.journal_groups = index_.rows();
  stats_.journal_bytes = index_.bytes();
  return {};
}

void Writer::start(HistoryCallbacks callbacks) {
  callbacks_ = std::move(callbacks);
  checkpoint_at_ = Clock::now();
  started_ = true;
  worker_.start();
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

Result<void> Writer::tidy() {
  return on_thread([this] {
    commit(Attempt::now);
    retire_at_ = {};
    while (health().state == HistoryState::ok && retire_at_ <= Clock::now()) retire();
    if (health().state == HistoryState::ok) checkpoint(SQLITE_CHECKPOINT_PASSIVE);
  });
}

HistoryHealth Writer::health() const {
  const std::lock_guard lock(mutex_);
  return stats_.health;
}

HistoryStats Writer::stats() const {
  const std::lock_guard lock(mutex_);
  HistoryStats stats = stats_;
  stats.queued_bytes = queued_bytes_;
  if (stats.samples > 0)
    stats.bytes_per_sample = static_cast<double>(stats.used_bytes) / static_cast<double>(stats.samples);
  return stats;
}

void Writer::stop() {
  const auto last = [this] { commit(Attempt::now); };
  if (!started_ || !worker_.post(last)) last();
  worker_.stop();
  if (health().state != HistoryState::failed) checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
}

void Writer::tick() {
  commit(Attempt::when_due);
  if (health().state != HistoryState::ok) return;
  retire();
  checkpoint_when_due();
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

void Writer::commit(Attempt attempt) {
  const HistoryState state = health().state;
  if (state == HistoryState::failed || !collect()) return;
  const auto start = Clock::now();
  if (state == HistoryState::full && attempt == Attempt::when_due && start < retry_at_) return;
  const auto written = write_group();
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
    log::info("history", "there is space again: acknowledging goes on");
  }
  committed();
}

Result<void> Writer::write_group() {
  new_rows_.clear();
  new_blocks_.clear();
  added_ = {};
  replaced_ = {};
  if (auto begun = tables_.database().execute("BEGIN IMMEDIATE"); !begun) return begun;
  if (auto reopened = reopen_streams(); !reopened) return reopened;
  if (auto written = write_entries(); !written) return written;
  for (const Operation& operation : operations_) {
    auto applied = std::visit([this](const auto& each) { return apply(each); }, operation);
    if (!applied) return applied;
  }
  if (auto dropped = drop_settled_rows(); !dropped) return dropped;
  return tables_.database().execute("COMMIT");
}

// A stream that another one had replaced may come back (two agents that claim one name, by turns): its cursor
// says that nothing of it is needed, and what it is told to be durable would be dropped and never replayed.
Result<void> Writer::reopen_streams() {
  for (const JournalEntry& entry : entries_) {
    const JournalIndex::StreamKey key{entry.host, entry.stream};
    if (index_.knows(key) && index_.needed_seq(key) != kNothingNeeded) continue;
    index_.reopen(key);
    reopened_.push_back(key);  // until it is committed: this transaction may have to be tried again
  }
  for (const auto& [host, stream] : reopened_) {
    if (auto reopened = tables_.reopen_cursor(host, stream); !reopened) return reopened;
  }
  return {};
}

Result<void> Writer::write_entries() {
  std::string plain;
  std::size_t first = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const JournalEntry& entry = entries_[i];
    if (auto appended = append(entry, plain); !appended) return appended;
    if (plain.size() < kRowBytes) continue;
    if (auto written = write_row(plain, first, i + 1); !written) return written;
    plain.clear();
    first = i + 1;
  }
  if (plain.empty()) return {};
  return write_row(plain, first, entries_.size());
}

Result<void> Writer::append(const JournalEntry& entry, std::string& plain) {
  if (entry.kind == EntryKind::batch) {
    // Within the transaction already: cursors written further on cover this entry.
    index_.raise_durable({entry.host, entry.stream}, entry.seq);
    append_batch(entry, plain);
    return {};
  }
  const auto row = tables_.put_schema({0, entry.host, entry.stream, entry.source_id, entry.seq, entry.bytes});
  if (!row) return row.error();
  append_schema_mark(entry, *row, plain);
  return {};
}

Result<void> Writer::write_row(std::string_view plain, std::size_t first_entry, std::size_t end_entry) {
  const std::string group = seal_group(plain);
  const std::int64_t row = (new_rows_.empty() ? index_.last_row() : new_rows_.back().row) + 1;
  new_rows_.push_back({row, group.size(), first_entry, end_entry});
  return tables_.put_group(row, group);
}

/// Whether a stream comes back in the very group whose seal says that nothing of it is needed.
bool Writer::comes_after(const SealBlocks& seal, const JournalIndex::StreamKey& key) const {
  const auto begin = entries_.begin() + static_cast<std::ptrdiff_t>(std::min(seal.after, entries_.size()));
  return std::any_of(begin, entries_.end(), [&](const JournalEntry& entry) {
    return entry.host == key.host && entry.stream == key.stream;
  });
}

Result<void> Writer::apply(const ForgetHost& forget) {
  index_.settle_host(forget.host.id);
  return tables_.forget_host(forget.host);
}

Result<void> Writer::apply(const SealBlocks& seal) {
  for (const FoundBlock& part : seal.blocks) {
    const std::int64_t id = next_block_++;  // an id that a failed transaction used is left unused
    const auto replaced = tables_.put_block({id, seal.host, part.source, part.block.get()});
    if (!replaced) return replaced.error();
    new_blocks_.emplace_back(id, part.block);
    ++added_.blocks;
    added_.bytes += part.block->bytes().size();
    added_.samples += part.block->samples();
    if (replaced->id != 0) ++replaced_.blocks;
    replaced_.bytes += replaced->bytes;
    replaced_.samples += replaced->samples;
  }
  for (SealCursor cursor : seal.cursors) {
    const JournalIndex::StreamKey key{seal.host, cursor.stream};
    // Its journal stays for now, the next seal will say it again. But what is in blocks from here on must not
    // be replayed as new.
    if (cursor.needed_seq == kNothingNeeded && comes_after(seal, key))
      cursor.needed_seq = index_.needed_seq(key);
    index_.settle(
        key, cursor.needed_seq);  // only memory, and harmless when this transaction has to be tried again
    const std::uint64_t durable = std::max(index_.durable_seq(key), cursor.sealed_seq);
    auto put =
        tables_.put_cursor({seal.host, {cursor.stream, durable, cursor.sealed_seq}, cursor.needed_seq});
    if (!put) return put;
    if (auto dropped = tables_.drop_schemas(seal.host, cursor); !dropped) return dropped;
  }
  return {};
}

Result<void> Writer::drop_settled_rows() {
  dropped_rows_ = index_.settled_rows();
  for (const std::int64_t row : dropped_rows_) {
    if (auto dropped = tables_.drop_group(row); !dropped) return dropped;
  }
  return {};
}

// What memory says follows what the disk says, never the other way round.
void Writer::committed() {
  index_.forget(dropped_rows_);
  std::vector<DurableBatch> durable;
  durable.reserve(entries_.size());
  for (const NewRow& row : new_rows_) {
    index_.add_row(row.row, row.bytes);
    for (std::size_t i = row.first_entry; i < row.end_entry; ++i) {
      const JournalEntry& entry = entries_[i];
      const JournalIndex::StreamKey key{entry.host, entry.stream};
      if (entry.kind == EntryKind::schema) {
        index_.add_mark(row.row, key, entry.seq);
        continue;
      }
      index_.add_entry(row.row, key, entry.seq);
      durable.push_back({entry.host, entry.stream, entry.seq});
    }
  }
  for (auto& [id, block] : new_blocks_) surroundings_.cache.put(id, block);
  for (const Operation& operation : operations_) {
    if (const auto* seal = std::get_if<SealBlocks>(&operation))
      surroundings_.pending.remove(seal->host, seal->blocks);
  }
  operations_.clear();
  entries_.clear();
  reopened_.clear();
  index_.forget_settled_streams();
  publish(durable);
}

void Writer::publish(const std::vector<DurableBatch>& durable) {
  const auto used = tables_.used_bytes();
  const auto oldest = tables_.oldest_ms();
  {
    const std::lock_guard lock(mutex_);
    queued_bytes_ -= group_bytes_;
    stats_.blocks += added_.blocks - replaced_.blocks;
    stats_.block_bytes += added_.bytes - replaced_.bytes;
    stats_.samples += added_.samples - replaced_.samples;
    stats_.journal_groups = index_.rows();
    stats_.journal_bytes = index_.bytes();
    if (used) stats_.used_bytes = *used;
    if (oldest) stats_.oldest_ms = *oldest;
  }
  group_bytes_ = 0;
  if (!durable.empty() && callbacks_.on_durable) callbacks_.on_durable(durable);
}

void Writer::failed(const Error& error) {
  // Fails when SQLite has rolled back by itself; either way no transaction is open after it.
  (void)tables_.database().execute("ROLLBACK");
  const HistoryState before = health().state;
  {
    const std::lock_guard lock(mutex_);
    ++stats_.commit_failures;
  }
  if (error.code == Errc::limit) {
    retry_at_ = Clock::now() + kRetryWhenFull;
    set_health(HistoryState::full, error.message);
    if (before == HistoryState::full) return;
    log::error("history", "no space left: nothing is acknowledged until there is some; trying each second",
               {{"error", error}});
    return;
  }
  set_health(HistoryState::failed, error.message);
  log::error("history", "cannot write: nothing is acknowledged any more; restart replays the journal",
             {{"error", error}});
  if (callbacks_.on_fatal) callbacks_.on_fatal(error);
}

void Writer::set_health(HistoryState state, const std::string& message) {
  const std::lock_guard lock(mutex_);
  stats_.health = {state, message};
}

}  // namespace vigil::aggregator
