// The data folder: made with mode 0700, held by one process at a time.
#pragma once

#include "common/error.h"

#include <filesystem>

namespace vigil::aggregator {

/// Holds a folder until it dies, by flock(2) on the file "lock" in it; the kernel lets go when the process
/// ends, however it ends.
class FolderLock {
 public:
  /// Errc::conflict names the process that holds it.
  static Result<FolderLock> take(const std::filesystem::path& folder);
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&& other) noexcept;
  ~FolderLock();

 private:
  explicit FolderLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

/// Makes the folder and its parents when absent; the folder gets mode 0700.
Result<void> make_private_folder(const std::filesystem::path& folder);

/// Makes an empty file with mode 0600 when absent, durably: the folder is synced too. SQLite gives -wal and
/// -shm the same mode. To be called before SQLite opens the file, never after.
Result<void> make_private_file(const std::filesystem::path& path);

}  // namespace vigil::aggregator
