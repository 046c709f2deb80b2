#include "tests/aggregator/store/simulated_disk.h"

#include "tests/aggregator/store/power_cut.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace vigil::aggregator::testing {
namespace {

namespace fs = std::filesystem;

std::mutex disks_mutex;
std::map<std::string, SimulatedDisk*> disks;  // by folder

fs::path folder_of(const std::string& name) {
  return fs::path(name).parent_path();
}

}  // namespace

SimulatedDisk::SimulatedDisk(const DiskImage& image) {
  for (const auto& [name, content] : image) {
    const InodeId inode = add_file(content);
    state_.synced_entries[name] = inode;
    entries_[name] = inode;
    mirror(name, inode);
  }
  const std::lock_guard lock(disks_mutex);
  disks[folder().string()] = this;
}

SimulatedDisk::~SimulatedDisk() {
  const std::lock_guard lock(disks_mutex);
  disks.erase(folder().string());
}

SimulatedDisk* SimulatedDisk::find(const std::string& path) {
  const std::lock_guard lock(disks_mutex);
  for (fs::path folder = folder_of(path); folder.has_relative_path(); folder = folder.parent_path()) {
    const auto found = disks.find(folder.string());
    if (found != disks.end()) return found->second;
  }
  return nullptr;
}

DiskState SimulatedDisk::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void SimulatedDisk::observe(std::function<void(const DiskState&)> observer) {
  const std::lock_guard lock(mutex_);
  observer_ = std::move(observer);
}

void SimulatedDisk::set_fault(const DiskFault& fault) {
  const std::lock_guard lock(mutex_);
  fault_ = fault;
  calls_until_fault_ = fault.at;
  fault_happened_ = false;
}

void SimulatedDisk::clear_fault() {
  const std::lock_guard lock(mutex_);
  calls_until_fault_ = 0;
}

bool SimulatedDisk::fault_happened() const {
  const std::lock_guard lock(mutex_);
  return fault_happened_;
}

std::string SimulatedDisk::name_of(const std::string& path) const {
  return path.substr(folder().string().size() + 1);
}

// The mutex is held from here on to the end of each call.

int SimulatedDisk::begin(DiskCall call) {
  if (calls_until_fault_ > 0 && fault_.call == call && --calls_until_fault_ == 0) {
    if (fault_.lasting == Lasting::for_ever) calls_until_fault_ = 1;
    fault_happened_ = true;
    return fault_.error;
  }
  return 0;
}

InodeId SimulatedDisk::add_file(std::string content) {
  const InodeId inode = next_inode_++;
  state_.inodes[inode].synced = std::make_shared<const std::string>(content);
  contents_[inode] = std::move(content);
  return inode;
}

// A file that was made, durably, without SQLite.
bool SimulatedDisk::take_over(const std::string& name) {
  std::error_code error;
  if (!fs::exists(folder() / name, error)) return false;
  const InodeId inode = add_file("");
  state_.synced_entries[name] = inode;
  entries_[name] = inode;
  return true;
}

int SimulatedDisk::open(const std::string& name, InodeId& inode) {
  const std::lock_guard lock(mutex_);
  if (const int error = begin(DiskCall::open); error != 0) return error;
  if (!entries_.contains(name) && !take_over(name)) return ENOENT;
  inode = entries_[name];
  return 0;
}

int SimulatedDisk::create(const std::string& name, InodeId& inode) {
  const std::lock_guard lock(mutex_);
  if (const int error = begin(DiskCall::open); error != 0) return error;
  if (!entries_.contains(name) && !take_over(name)) {
    if (observer_) observer_(state_);
    const InodeId fresh = add_file("");
    entries_[name] = fresh;
    state_.pending_entries.push_back({name, fresh});
    mirror(name, fresh);
  }
  inode = entries_[name];
  return 0;
}

int SimulatedDisk::map_memory() {
  const std::lock_guard lock(mutex_);
  return begin(DiskCall::open);
}

int SimulatedDisk::read(InodeId inode, std::uint64_t offset, std::string& bytes) const {
  const std::lock_guard lock(mutex_);
  const std::string& content = contents_.at(inode);
  const std::size_t wanted = bytes.size();
  bytes = offset < content.size() ? content.substr(offset, wanted) : std::string();
  return 0;
}

void SimulatedDisk::apply(InodeId inode, Change change) {
  std::string& content = contents_.at(inode);
  const std::size_t before = content.size();
  apply_change(change, content);
  state_.inodes.at(inode).pending.push_back(std::move(change));
  if (content.size() != before) mirror_size(inode);
}

int SimulatedDisk::write(InodeId inode, std::uint64_t offset, std::string bytes) {
  const std::lock_guard lock(mutex_);
  const int error = begin(DiskCall::write);
  if (error == ENOSPC) bytes.resize(bytes.size() / 2);
  if (error != 0 && error != ENOSPC) return error;
  if (observer_) observer_(state_);
  apply(inode, {offset, std::make_shared<const std::string>(std::move(bytes))});
  return error;
}

int SimulatedDisk::truncate(InodeId inode, std::uint64_t size) {
  const std::lock_guard lock(mutex_);
  if (const int error = begin(DiskCall::truncate); error != 0) return error;
  if (observer_) observer_(state_);
  apply(inode, {size, nullptr});
  return 0;
}

int SimulatedDisk::sync(InodeId inode) {
  const std::lock_guard lock(mutex_);
  Inode& file = state_.inodes.at(inode);
  if (const int error = begin(DiskCall::sync); error != 0) {
    abandon_changes(file);
    return error;
  }
  if (observer_) observer_(state_);
  sync_changes(file);
  return 0;
}

int SimulatedDisk::remove(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (const int error = begin(DiskCall::remove); error != 0) return error;
  if (!entries_.contains(name) && !take_over(name)) return ENOENT;
  if (observer_) observer_(state_);
  entries_.erase(name);
  state_.pending_entries.push_back({name, 0});
  std::error_code ignored;
  fs::remove(folder() / name, ignored);
  return 0;
}

int SimulatedDisk::sync_folder_of(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (const int error = begin(DiskCall::sync); error != 0) return error;
  if (observer_) observer_(state_);
  std::vector<EntryChange> left;
  for (EntryChange& change : state_.pending_entries) {
    if (folder_of(change.name) != folder_of(name)) {
      left.push_back(std::move(change));
    } else if (change.inode == 0) {
      state_.synced_entries.erase(change.name);
    } else {
      state_.synced_entries[change.name] = change.inode;
    }
  }
  state_.pending_entries = std::move(left);
  return 0;
}

std::optional<std::uint64_t> SimulatedDisk::size_of(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  if (found != entries_.end()) return contents_.at(found->second).size();
  std::error_code error;
  if (fs::exists(folder() / name, error)) return 0;
  return std::nullopt;
}

std::uint64_t SimulatedDisk::size(InodeId inode) const {
  const std::lock_guard lock(mutex_);
  return contents_.at(inode).size();
}

FileLocks& SimulatedDisk::locks(InodeId inode) {
  const std::lock_guard lock(mutex_);
  return locks_[inode];
}

void SimulatedDisk::mirror(const std::string& name, InodeId inode) const {
  std::error_code ignored;
  fs::create_directories((folder() / name).parent_path(), ignored);
  const int file = ::open((folder() / name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return;
  (void)!ftruncate(file, static_cast<off_t>(contents_.at(inode).size()));
  ::close(file);
}

void SimulatedDisk::mirror_size(InodeId inode) const {
  for (const auto& [name, each] : entries_) {
    if (each == inode)
      (void)!::truncate((folder() / name).c_str(), static_cast<off_t>(contents_.at(inode).size()));
  }
}

}  // namespace vigil::aggregator::testing
