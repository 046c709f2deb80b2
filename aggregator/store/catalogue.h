// Which files the history has and what is in them, as readers and the keeper see it. The history thread
// changes it after its commits; everybody else takes a snapshot. Thread-safe.
#pragma once

#include "aggregator/store/tier.h"

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace vigil::aggregator {

/// What a file is for. The values stand in history.db.
enum class FileKind : std::uint8_t { raw = 0, minute = 1, hour = 2, journal = 3 };

/// The life of a file: a journal is open until it is doomed; a raw partition is open, then finished (nothing
/// is added), then doomed in favour of a compacted one, which was building; tiers stay open.
enum class FileForm : std::uint8_t {
  open = 0,       // blocks are added
  finished = 1,   // nothing is added any more, blocks are as they were sealed
  compacted = 2,  // long blocks in the order of hosts; immutable
  building = 3,   // not complete: removed at a start
  doomed = 4,     // no longer needed: removed now, or at a start
  damaged = 5,    // SQLite cannot read it: kept aside for people
};

/// A row of history.db's table `file`.
struct StoredFile {
  std::int64_t number = 0;  // never given twice
  FileKind kind = FileKind::raw;
  FileForm form = FileForm::open;
  std::int64_t period_ms = 0;  // start of its day, month or year; of a journal 0
  bool filled = false;         // what it holds may be nowhere else: it must be there
};

/// Sums over blocks.
struct BlockTotals {
  std::uint64_t blocks = 0;
  std::uint64_t bytes = 0;
  std::uint64_t samples = 0;

  BlockTotals& operator+=(const BlockTotals& more) {
    blocks += more.blocks;
    bytes += more.bytes;
    samples += more.samples;
    return *this;
  }
  BlockTotals& operator-=(const BlockTotals& less) {
    blocks -= less.blocks;
    bytes -= less.bytes;
    samples -= less.samples;
    return *this;
  }
};

/// A partition. Times are those of its blocks: first_ms > last_ms while it is empty.
struct PartitionInfo {
  StoredFile file;
  Tier tier = Tier::raw;
  std::string path;
  BlockTotals totals;
  std::int64_t first_ms = std::numeric_limits<std::int64_t>::max();
  std::int64_t last_ms = std::numeric_limits<std::int64_t>::min();

  bool empty() const { return first_ms > last_ms; }
  void cover(std::int64_t from_ms, std::int64_t to_ms) {
    first_ms = std::min(first_ms, from_ms);
    last_ms = std::max(last_ms, to_ms);
  }
};

class Catalogue {
 public:
  void put(const PartitionInfo& partition);
  void remove(std::int64_t number);
  /// At once: nobody sees both, or neither.
  void replace(const std::vector<std::int64_t>& numbers, const PartitionInfo& by);
  void set_form(std::int64_t number, FileForm form);
  /// Blocks were added, and others replaced.
  void add(std::int64_t number, const BlockTotals& added, const BlockTotals& replaced);
  void cover(std::int64_t number, std::int64_t first_ms, std::int64_t last_ms);

  /// Readable partitions of a tier that overlap [start_ms, end_ms], by period, then number.
  std::vector<PartitionInfo> overlapping(Tier tier, std::int64_t start_ms, std::int64_t end_ms) const;
  std::vector<PartitionInfo> all(Tier tier) const;
  std::optional<PartitionInfo> find(std::int64_t number) const;
  BlockTotals totals(Tier tier) const;
  /// Of all raw partitions; 0 when there is nothing.
  std::int64_t oldest_ms() const;
  std::int64_t newest_ms() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::int64_t, PartitionInfo> partitions_;
};

}  // namespace vigil::aggregator
