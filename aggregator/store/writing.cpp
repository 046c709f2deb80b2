// How the history thread writes what a group holds: sealed blocks into the partitions of their days, entries
// into the journal.
#include "aggregator/store/encoding.h"
#include "aggregator/store/writer.h"

#include <algorithm>
#include <limits>

namespace vigil::aggregator {
namespace {

constexpr std::size_t kGroupBytes = std::size_t{1} << 20;  // collected before they are compressed

}  // namespace

bool Writer::too_old(const SealedBlock& block) const {
  return block.last_ms() < complete_from_ms_;
}

Result<void> Writer::write_blocks() {
  // In the order of the index, by host: neighbours share its pages. Blocks of one host stay in their order.
  std::ranges::stable_sort(unwritten_, {}, &SealBlocks::host);
  for (const SealBlocks& seal : unwritten_) {
    for (const FoundBlock& part : seal.blocks) {
      if (too_old(*part.block)) {  // retention has been there already
        const std::lock_guard lock(mutex_);
        ++stats_.too_old_blocks;
        continue;
      }
      if (auto written = write_block(seal.host, part); !written) return written;
    }
  }
  return commit_blocks();
}

Result<void> Writer::write_block(HostId host, const FoundBlock& part) {
  const SealedBlock& block = *part.block;
  const std::int64_t number = by_day_.at(period_start_ms(Tier::raw, block.first_ms()));
  OpenRaw& raw = raw_.at(number);
  if (!raw.in_transaction) {
    if (auto begun = raw.partition.begin(); !begun) return begun;
    raw.in_transaction = true;
    raw.added = raw.replaced = {};
    raw.first_ms = std::numeric_limits<std::int64_t>::max();
    raw.last_ms = std::numeric_limits<std::int64_t>::min();
  }
  const auto stored = raw.partition.put_block({host, part.source, &block});
  if (!stored) return stored.error();
  new_blocks_.push_back({{number, stored->id}, part.block});
  raw.added += {1, block.bytes().size(), block.samples()};
  raw.replaced += stored->replaced;
  raw.first_ms = std::min(raw.first_ms, block.first_ms());
  raw.last_ms = std::max(raw.last_ms, block.last_ms());
  return {};
}

Result<void> Writer::commit_blocks() {
  for (auto& [number, raw] : raw_) {
    if (!raw.in_transaction) continue;
    if (auto done = raw.partition.commit(); !done) return done;
    raw.in_transaction = false;
    raw.dirty = raw.holds = true;
    // Now, file by file: where another one fails all are tried again, and then these blocks are replaced.
    surroundings_.catalogue.cover(number, raw.first_ms, raw.last_ms);
    surroundings_.catalogue.add(number, raw.added, raw.replaced);
  }
  return {};
}

Result<void> Writer::write_entries() {
  if (entries_.empty()) return {};
  if (auto begun = journal_.begin(); !begun) return begun;
  std::string plain;
  std::size_t first = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const JournalEntry& entry = entries_[i];
    if (entry.kind == EntryKind::schema)
      append_schema_mark(entry, schema_rows_.at(i), plain);
    else
      append_batch(entry, plain);
    if (plain.size() < kGroupBytes) continue;
    if (auto written = write_journal_group(plain, first, i + 1); !written) return written;
    plain.clear();
    first = i + 1;
  }
  if (!plain.empty()) {
    if (auto written = write_journal_group(plain, first, entries_.size()); !written) return written;
  }
  return journal_.commit();
}

Result<void> Writer::write_journal_group(std::string_view plain, std::size_t first_entry,
                                         std::size_t end_entry) {
  const std::string group = seal_group(plain);
  groups_.push_back({group.size(), first_entry, end_entry});
  return journal_.put_group(group);
}

}  // namespace vigil::aggregator
