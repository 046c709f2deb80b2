// What the history thread does between commits: retention in small steps, and checkpoints.
#include "aggregator/store/writer.h"
#include "common/log/log.h"

#include <algorithm>

namespace vigil::aggregator {
namespace {

constexpr auto kRetireEvery = std::chrono::seconds(10);
constexpr int kRetireStep = 512;  // blocks per transaction: some 10 MB of pages given back
constexpr auto kCheckpointEvery = std::chrono::seconds(60);
constexpr int kCheckpointPages =
    16384;  // 64 MB of WAL: rows of the journal that went meanwhile are never copied

}  // namespace

// Blocks that end before this time go. The newest block bounds what is believed about now: a clock that jumps
// ahead by a year must not empty the history.
Result<std::int64_t> Writer::retire_before() {
  const auto newest = tables_.newest_ms();
  if (!newest) return newest.error();
  const auto keep = std::chrono::milliseconds(surroundings_.options.retention).count();
  if (keep == 0) return std::numeric_limits<std::int64_t>::min();
  return std::min(surroundings_.options.now_ms(), *newest) - keep;
}

Result<BlockTotals> Writer::retire_step() {
  const auto before = retire_before();
  if (!before) return before.error();
  if (auto begun = tables_.database().execute("BEGIN IMMEDIATE"); !begun) return begun.error();
  auto gone = tables_.retire(*before, kRetireStep);
  if (!gone) return gone;
  const auto used = tables_.used_bytes();
  if (!used) return used.error();
  const std::uint64_t most = surroundings_.options.max_bytes;
  if (gone->blocks == 0 && most != 0 && *used > most) {
    // By size: as many of the oldest as the excess is worth, but no more than one step.
    const HistoryStats now = stats();
    const std::uint64_t mean = now.blocks > 0 ? now.block_bytes / now.blocks + 1 : 1;
    const auto count = static_cast<int>(std::min<std::uint64_t>((*used - most) / mean + 1, kRetireStep));
    gone = tables_.retire(std::numeric_limits<std::int64_t>::max(), count);
    if (!gone) return gone;
  }
  if (auto gaps = tables_.retire_gaps(*before); !gaps) return gaps.error();
  if (auto done = tables_.database().execute("COMMIT"); !done) return done.error();
  return gone;
}

void Writer::retire() {
  const auto now = Clock::now();
  if (now < retire_at_) return;
  const auto gone = retire_step();
  if (!gone && gone.error().code == Errc::limit) {
    (void)tables_.database().execute(
        "ROLLBACK");  // deleting needs room in the WAL: the next commit will tell
    retire_at_ = now + kRetireEvery;
    return;
  }
  if (!gone) {
    failed(gone.error());
    return;
  }
  if (gone->blocks == 0)
    retire_at_ = now + kRetireEvery;  // otherwise there may be more: again at the next beat
  const auto used = tables_.used_bytes();
  const std::lock_guard lock(mutex_);
  stats_.blocks -= gone->blocks;
  stats_.block_bytes -= gone->bytes;
  stats_.samples -= gone->samples;
  stats_.retired_blocks += gone->blocks;
  if (used) stats_.used_bytes = *used;
}

void Writer::checkpoint_when_due() {
  const auto now = Clock::now();
  if (wal_pages_ == 0 || (wal_pages_ < kCheckpointPages && now < checkpoint_at_ + kCheckpointEvery)) return;
  checkpoint_at_ = now;
  checkpoint(SQLITE_CHECKPOINT_PASSIVE);
}

void Writer::checkpoint(int mode) {
  sqlite3* handle = tables_.database().handle();
  const int code = sqlite3_wal_checkpoint_v2(handle, "main", mode, nullptr, nullptr);
  if (code == SQLITE_OK) {
    wal_pages_ = 0;
    const std::lock_guard lock(mutex_);
    ++stats_.checkpoints;
    return;
  }
  const Error error = sqlite_error(handle, "checkpoint");
  // A reader in the way, or no room in the file: everything is still in the WAL, and the next one tries
  // again.
  if (error.code == Errc::conflict || error.code == Errc::limit) return;
  failed(error);
}

}  // namespace vigil::aggregator
