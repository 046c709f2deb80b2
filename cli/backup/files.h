// Files of a backup, written so that they are there whole or not at all.
#pragma once

#include "cli/backup/digest.h"
#include "common/error.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace vigil::cli {

/// A file in the making: NAME.partial, mode 0600, until finish() gives it its name. One that is not finished
/// goes with this.
class NewFile {
 public:
  static Result<NewFile> create(const std::filesystem::path& path);
  ~NewFile();
  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&& other) = delete;

  Result<void> write(std::string_view bytes);
  std::uint64_t bytes() const { return bytes_; }
  /// Of what was written.
  const Digest& digest() const { return digest_; }
  /// As stat(2) will tell it; Unix nanoseconds.
  Result<void> set_modified(std::int64_t modified_ns);
  /// Mode 0644.
  Result<void> let_all_read();
  /// Syncs it and renames it; the folder is to be synced afterwards.
  Result<void> finish(const std::filesystem::path& path);

 private:
  NewFile(std::filesystem::path partial, int descriptor)
      : partial_(std::move(partial)), descriptor_(descriptor) {}
  std::filesystem::path partial_;
  int descriptor_ = -1;
  std::uint64_t bytes_ = 0;
  Digest digest_;
};

/// Makes the folder and its parents when absent; one it made has mode 0700.
Result<void> make_folder(const std::filesystem::path& folder);
Result<void> sync_folder(const std::filesystem::path& folder);
Result<std::string> read_file(const std::filesystem::path& path);
/// Hands over a file piece by piece. Errc::not_found when it is not there.
Result<void> read_pieces(const std::filesystem::path& path,
                         const std::function<Result<void>(std::string_view)>& take);
struct FileFacts {
  std::uint64_t bytes = 0;
  std::int64_t modified_ns = 0;
};
Result<FileFacts> facts_of(const std::filesystem::path& path);

/// An flock(2) on a file; the kernel lets go with the process.
class Lock {
 public:
  /// Errc::conflict: somebody else holds it. Makes the file.
  static Result<Lock> take(const std::filesystem::path& path);
  ~Lock();
  Lock(Lock&& other) noexcept;
  Lock& operator=(Lock&& other) = delete;

 private:
  explicit Lock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

}  // namespace vigil::cli
