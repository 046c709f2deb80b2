#include "agent/delivery/spool_folder.h"

#include "agent/spool/background_disk.h"
#include "common/log/log.h"

#include <algorithm>
#include <mutex>
#include <utility>

namespace vigil::agent {

/// What the disk's thread found when it had opened the folder.
struct SpoolFolder::Found {
  std::mutex mutex;  // protects what follows
  std::optional<Leftovers> leftovers;
};

SpoolFolder::SpoolFolder(SpoolOptions options, std::shared_ptr<Disk> disk, Leftovers found)
    : options_(std::move(options)), disk_(std::move(disk)) {
  adopt(std::move(found));
}

void SpoolFolder::open(std::function<void()> wake) {
  if (options_.folder.empty() || disk_) return;
  found_ = std::make_shared<Found>();
  BackgroundDiskOptions background;
  background.open = [folder = options_.folder] { return open_disk(folder); };
  background.opened = [found = found_](Disk& disk) {
    auto leftovers = Spool::find_leftovers(disk);
    const std::lock_guard lock(found->mutex);
    found->leftovers = std::move(leftovers);
  };
  background.wake = std::move(wake);
  disk_ = std::make_shared<BackgroundDisk>(std::move(background));
}

bool SpoolFolder::became_usable() {
  if (found_) {
    std::unique_lock lock(found_->mutex);
    if (found_->leftovers) {
      auto leftovers = std::move(*found_->leftovers);
      lock.unlock();
      found_.reset();
      adopt(std::move(leftovers));
    }
  }
  return std::exchange(news_, false);
}

void SpoolFolder::adopt(Leftovers found) {
  if (!found) return complain(found.error());
  usable_ = news_ = true;
  leftovers_ = std::move(*found);
  for (const auto& spool : leftovers_.spools) {
    spool->bind(disk_);
    log::info("spool", "samples of an earlier run wait for the aggregator",
              {{"first_time_ms", spool->first_time_ms()}, {"bytes", spool->bytes()}});
  }
  if (leftovers_.newer.empty()) return;
  log::warn("spool",
            "samples of a newer vigil-agent are left where they are: start that version again to have them "
            "sent, or remove these files",
            {{"folder", options_.folder},
             {"first_file", leftovers_.newer.front()},
             {"files", leftovers_.newer.size()}});
}

void SpoolFolder::forget_damaged() {
  for (const std::string& name : std::exchange(leftovers_.unusable, {})) {
    if (auto removed = disk_->remove(name); !removed)
      log::warn("spool", "cannot remove a damaged segment", {{"error", removed.error()}});
  }
}

std::unique_ptr<Spool> SpoolFolder::make(const SpoolStream& stream) const {
  return usable_ ? std::make_unique<Spool>(disk_, stream) : nullptr;
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

void SpoolFolder::works() {
  if (!std::exchange(complained_, false)) return;
  log::info("spool", "the disk takes samples again");
}

}  // namespace vigil::agent
