#include "tests/aggregator/store/power_cut.h"

#include <algorithm>
#include <limits>

namespace vigil::aggregator::testing {
namespace {

// splitmix64: a coin for each (file, change, sector) that does not depend on the others.
std::uint64_t mix(std::uint64_t value) {
  value += 0x9E3779B97F4A7C15ULL;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
  return value ^ (value >> 31);
}

/// Decides for the changes of one file, or of one name.
class Fate {
 public:
  Fate(Damage damage, std::uint64_t seed, std::size_t changes)
      : damage_(damage), seed_(seed), changes_(changes), cut_(mix(seed) % (changes + 1)) {}

  bool happened(std::size_t change, std::uint64_t sector) const {
    switch (damage_) {
      case Damage::kept:
        return true;
      case Damage::lost:
        return false;
      case Damage::cut_off:
        return change < cut_;
      case Damage::reordered:
        return change >= changes_ / 2;
      case Damage::whole_writes:
        return coin(change, 0);
      case Damage::torn_sectors:
        return coin(change, sector + 1);
      case Damage::newest_torn:
        return change + 1 < changes_ || coin(change, sector + 1);
    }
    return false;
  }

 private:
  bool coin(std::uint64_t change, std::uint64_t sector) const {
    return (mix(mix(seed_ + change) + sector) & 1U) != 0;
  }
  Damage damage_;
  std::uint64_t seed_;
  std::size_t changes_;
  std::size_t cut_;
};

struct Sectors {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
};

Sectors sectors_of(const Change& change) {
  const std::uint64_t first = change.offset / kSectorBytes;
  if (change.data == nullptr) return {first, std::numeric_limits<std::uint64_t>::max()};
  return {first, (change.offset + change.data->size() + kSectorBytes - 1) / kSectorBytes};
}

bool overlap(const Change& left, const Change& right) {
  const Sectors a = sectors_of(left);
  const Sectors b = sectors_of(right);
  return a.first < b.end && b.first < a.end;
}

/// A file between the page cache and the disk. A sector reaches the disk as the cache has it when it is
/// written, so with all earlier changes of that sector; a size, with all earlier changes of the size.
class WriteBack {
 public:
  explicit WriteBack(const std::string& synced) : cache_(synced), disk_(synced), least_(synced.size()) {}

  /// `happened(sector)` says what of it reaches the disk.
  template <class Happened>
  void apply(const Change& change, Happened happened) {
    apply_change(change, cache_);
    least_ = std::min<std::uint64_t>(least_, cache_.size());
    if (change.data == nullptr) {
      if (happened(0)) take_size();
      return;
    }
    const Sectors sectors = sectors_of(change);
    for (std::uint64_t sector = sectors.first; sector < sectors.end; ++sector) {
      if (!happened(sector)) continue;
      take_size();
      const std::uint64_t begin = sector * kSectorBytes;
      const std::uint64_t size = std::min<std::uint64_t>(kSectorBytes, cache_.size() - begin);
      disk_.replace(begin, size, cache_, begin, size);
    }
  }
  std::string disk() && { return std::move(disk_); }

 private:
  void take_size() {
    if (disk_.size() > least_) disk_.resize(least_);  // what was cut off meanwhile reads as zeros
    disk_.resize(cache_.size());
    least_ = cache_.size();
  }
  std::string cache_;
  std::string disk_;
  std::uint64_t least_;  // size of the cache since the disk's size was last written
};

std::string content_after(const Inode& inode, Damage damage, std::uint64_t seed) {
  WriteBack file(*inode.synced);
  const Fate fate(damage, seed, inode.pending.size());
  for (std::size_t i = 0; i < inode.pending.size(); ++i)
    file.apply(inode.pending[i], [&](std::uint64_t sector) { return fate.happened(i, sector); });
  return std::move(file).disk();
}

// Of one name the changes happen in order; different names do not wait for each other.
std::map<std::string, InodeId> entries_after(const DiskState& state, Damage damage, std::uint64_t seed) {
  std::map<std::string, std::vector<InodeId>> changes;
  for (const EntryChange& change : state.pending_entries) changes[change.name].push_back(change.inode);
  auto entries = state.synced_entries;
  for (const auto& [name, inodes] : changes) {
    const Fate fate(damage, seed + std::hash<std::string>()(name), inodes.size());
    for (std::size_t i = 0; i < inodes.size(); ++i) {
      if (fate.happened(i, 0)) entries[name] = inodes[i];
    }
  }
  std::erase_if(entries, [](const auto& entry) { return entry.second == 0; });
  return entries;
}

}  // namespace

std::string_view to_string(Damage damage) {
  constexpr std::array<std::string_view, kDamages.size()> kNames = {
      "kept", "lost", "cut off", "reordered", "whole writes", "torn sectors", "newest torn"};
  return kNames.at(static_cast<std::size_t>(damage));
}

void apply_change(const Change& change, std::string& content) {
  if (change.data == nullptr) {
    content.resize(change.offset);
    return;
  }
  const std::size_t end = change.offset + change.data->size();
  if (content.size() < end) content.resize(end);
  content.replace(change.offset, change.data->size(), *change.data);
}

void sync_changes(Inode& inode) {
  WriteBack file(*inode.synced);
  for (const Change& change : inode.pending)
    file.apply(change, [&](std::uint64_t /*sector*/) { return !change.abandoned; });
  std::vector<Change> left;
  for (auto change = inode.pending.begin(); change != inode.pending.end(); ++change) {
    const bool written_again = std::any_of(change + 1, inode.pending.end(), [&](const Change& later) {
      return !later.abandoned && overlap(later, *change);
    });
    if (change->abandoned && !written_again) left.push_back(*change);
  }
  inode.synced = std::make_shared<const std::string>(std::move(file).disk());
  inode.pending = std::move(left);
}

void abandon_changes(Inode& inode) {
  std::vector<Change> pieces;
  for (const Change& change : inode.pending) {
    if (change.data == nullptr) {
      pieces.push_back(change);  // a size is metadata, and survives
      continue;
    }
    for (std::uint64_t done = 0; done < change.data->size();) {
      const std::uint64_t offset = change.offset + done;
      const std::uint64_t size = std::min(kSectorBytes - offset % kSectorBytes, change.data->size() - done);
      pieces.push_back({offset, std::make_shared<const std::string>(*change.data, done, size), true});
      done += size;
    }
  }
  inode.pending = std::move(pieces);
}

DiskImage after_power_cut(const DiskState& state, Damage damage, std::uint64_t seed) {
  DiskImage image;
  for (const auto& [name, inode] : entries_after(state, damage, mix(seed))) {
    image[name] = content_after(state.inodes.at(inode), damage, mix(seed ^ inode));
  }
  return image;
}

}  // namespace vigil::aggregator::testing
