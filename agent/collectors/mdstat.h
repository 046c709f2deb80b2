// /proc/mdstat: what the kernel says of its software RAID arrays (md(4)).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace vigil::agent {

struct MdArray {
  std::string_view name;  // a view into the parsed text
  enum class Activity : std::uint8_t {
    active,
    inactive,
    recovering,
    resync,
    check
  } activity = Activity::active;
  std::int64_t disks_required = 0;  // 0 while inactive: the kernel does not say
  std::int64_t disks_active = 0;
  std::int64_t disks_failed = 0;  // marked (F)
  std::int64_t disks_spare = 0;   // marked (S)
  std::int64_t blocks = 0;        // of 1 KiB
  std::int64_t blocks_synced =
      0;  // all of them unless a recovery, resync or check is under way; 0 while one waits for its turn
};

/// The arrays of the file. One whose description is cut or of unknown form is passed over.
std::vector<MdArray> parse_mdstat(std::string_view text);

}  // namespace vigil::agent
