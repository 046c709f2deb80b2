// The disk of one simulated machine, in memory: it knows what was synced and what was not, so that the power
// can be cut at any point. SQLite reaches it through simulated_vfs.h.
//
// What it promises is what POSIX promises and not more. A write or truncation is durable once its file was
// synced. A new or removed name is durable once its folder was synced; syncing the file itself does not help
// (ext4 is kinder). A sync that fails is never made good by a later one: the changes it was about may be lost
// for ever although they can be read (https://lwn.net/Articles/752063).
//
// A history also looks at its folder without SQLite: the lock, new empty files, sizes by stat(2). So each
// disk has a real folder, in which a file of the same name and size, full of holes, stands for each simulated
// one; a file that appears there by other hands is taken over, empty and durable, when it is opened.
#pragma once

#include "tests/aggregator/store/file_locks.h"
#include "tests/aggregator/store/temporary_folder.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace vigil::aggregator::testing {

using InodeId = std::uint64_t;

/// One change of a file: bytes written at an offset, or, without data, a truncation to `offset` bytes.
struct Change {
  std::uint64_t offset = 0;
  std::shared_ptr<const std::string> data;
  bool abandoned = false;  // by a sync that failed
};

struct Inode {
  std::shared_ptr<const std::string> synced;
  std::vector<Change> pending;  // not synced, in order
};

/// A name that came (or, with inode 0, went) and whose folder was not synced since.
struct EntryChange {
  std::string name;
  InodeId inode = 0;
};

/// All that decides what a power cut can leave. Cheap to copy: contents are shared.
struct DiskState {
  std::map<InodeId, Inode> inodes;
  std::map<std::string, InodeId> synced_entries;
  std::vector<EntryChange> pending_entries;
};

/// Files and their contents, all of it durable.
using DiskImage = std::map<std::string, std::string>;

enum class DiskCall : std::uint8_t { open, write, sync, truncate, remove };
enum class Lasting : std::uint8_t { once, for_ever };

/// The `at`-th such call from now on fails with `error`, an errno; for_ever: all later ones too. ENOSPC: the
/// first half of what is written still fits.
struct DiskFault {
  DiskCall call = DiskCall::write;
  int error = 0;
  int at = 1;
  Lasting lasting = Lasting::once;
};

class SimulatedDisk {
 public:
  explicit SimulatedDisk(const DiskImage& image = {});
  ~SimulatedDisk();
  SimulatedDisk(const SimulatedDisk&) = delete;
  SimulatedDisk& operator=(const SimulatedDisk&) = delete;

  const std::filesystem::path& folder() const { return folder_.path(); }
  DiskState state() const;
  /// Called before each change or sync, with the state before it, while the caller of SQLite waits.
  void observe(std::function<void(const DiskState&)> observer);
  void set_fault(const DiskFault& fault);
  void clear_fault();
  bool fault_happened() const;

  /// The disk whose folder holds `path`; null: none.
  static SimulatedDisk* find(const std::string& path);

  // What follows is for the VFS. Names are relative to the folder; results are an errno, 0 when all is well.
  std::string name_of(const std::string& path) const;
  int open(const std::string& name, InodeId& inode);                        // ENOENT: there is no such file
  int create(const std::string& name, InodeId& inode);                      // opens a present one
  int read(InodeId inode, std::uint64_t offset, std::string& bytes) const;  // shortens it at the file's end
  int write(InodeId inode, std::uint64_t offset, std::string bytes);
  int truncate(InodeId inode, std::uint64_t size);
  int sync(InodeId inode);
  int remove(const std::string& name);
  int sync_folder_of(const std::string& name);
  /// Of a file that is there.
  std::optional<std::uint64_t> size_of(const std::string& name) const;
  std::uint64_t size(InodeId inode) const;
  int map_memory();  // counts as opening a file, as it is on a real system
  FileLocks& locks(InodeId inode);

 private:
  bool take_over(const std::string& name);
  int begin(DiskCall call);
  void apply(InodeId inode, Change change);
  InodeId add_file(std::string content);
  void mirror(const std::string& name, InodeId inode) const;
  void mirror_size(InodeId inode) const;

  const TemporaryFolder folder_;
  mutable std::mutex mutex_;  // protects what follows
  DiskState state_;
  std::map<std::string, InodeId> entries_;   // as a process sees them
  std::map<InodeId, std::string> contents_;  // likewise
  std::map<InodeId, FileLocks> locks_;
  InodeId next_inode_ = 1;
  std::function<void(const DiskState&)> observer_;
  DiskFault fault_;
  int calls_until_fault_ = 0;  // 0: no fault is set
  bool fault_happened_ = false;
};

}  // namespace vigil::aggregator::testing
