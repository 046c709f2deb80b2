// What a sync makes durable of a simulated disk, and what a power cut leaves of the rest.
#pragma once

#include "tests/aggregator/store/simulated_disk.h"

#include <array>
#include <string_view>

namespace vigil::aggregator::testing {

inline constexpr std::uint64_t kSectorBytes = 512;  // written whole or not at all

/// What became of the changes that were not synced. Disks write in any order: each file, each name and, in
/// the torn patterns, each sector is decided by itself.
enum class Damage : std::uint8_t {
  kept,          // all happened: what kill -9 leaves
  lost,          // none happened
  cut_off,       // the first ones happened, up to some point
  reordered,     // the later half happened, the earlier half did not
  whole_writes,  // some happened, each of them whole
  torn_sectors,  // of each change some sectors happened
  newest_torn,   // all but the last one of each file happened; of that one some sectors
};
inline constexpr std::array kDamages = {Damage::kept,       Damage::lost,         Damage::cut_off,
                                        Damage::reordered,  Damage::whole_writes, Damage::torn_sectors,
                                        Damage::newest_torn};
std::string_view to_string(Damage damage);

/// The same seed gives the same image.
DiskImage after_power_cut(const DiskState& state, Damage damage, std::uint64_t seed);

/// A sync went well: all is durable but what an earlier, failed one was about and was not written since.
void sync_changes(Inode& inode);
/// A sync failed: the kernel takes the pages for written all the same.
void abandon_changes(Inode& inode);

void apply_change(const Change& change, std::string& content);

}  // namespace vigil::aggregator::testing
