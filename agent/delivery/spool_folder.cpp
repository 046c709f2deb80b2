#include "agent/delivery/spool_folder.h"

#include "common/log/log.h"

#include <algorithm>

namespace vigil::agent {

SpoolFolder::SpoolFolder(SpoolOptions options) : options_(std::move(options)) {
  if (options_.folder.empty()) return;
  auto disk = open_disk(options_.folder);
  if (disk) {
    disk_ = std::move(*disk);
    find_leftovers();
  } else {
    complain(disk.error());
  }
}

SpoolFolder::SpoolFolder(SpoolOptions options, std::shared_ptr<Disk> disk)
    : options_(std::move(options)), disk_(std::move(disk)) {
  find_leftovers();
}

void SpoolFolder::find_leftovers() {
  auto found = Spool::leftovers(disk_);
  if (!found) {
    disk_.reset();
    return complain(found.error());
  }
  leftovers_ = std::move(*found);
  for (const auto& spool : leftovers_)
    log::info("spool", "samples of an earlier run wait for the aggregator",
              {{"first_time_ms", spool->first_time_ms()}, {"bytes", spool->bytes()}});
}

std::unique_ptr<Spool> SpoolFolder::make(const SpoolStream& stream) const {
  return disk_ ? std::make_unique<Spool>(disk_, stream) : nullptr;
}

std::uint64_t SpoolFolder::cap() const {
  const auto space = disk_->space();
  return space ? std::min(options_.max_bytes, space->total / kDiskShare) : options_.max_bytes;
}

void SpoolFolder::complain(const Error& error) {
  if (complained_) return;
  complained_ = true;
  log::warn("spool", "samples wait in memory only: the disk does not take them", {{"error", error}});
}

}  // namespace vigil::agent
