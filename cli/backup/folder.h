// The folder backups are kept in:
//   files/NAME.SHA256            files of all sets, by name and content; never changed once they are there
//   set-YYYYmmddTHHMMSSZ.json    what belongs to a set (manifest.h); written last
//   lock                         held while a backup is made
// A backup that breaks off leaves the sets before it whole, and what arrived is there for the next one.
#pragma once

#include "cli/backup/files.h"
#include "cli/backup/manifest.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace vigil::cli {

class BackupFolder {
 public:
  /// For adding a set. Makes the folder; Errc::conflict: another backup is being made into it, or it is a
  /// data folder.
  static Result<BackupFolder> open(const std::filesystem::path& path);

  /// Errc::conflict: there are sets of another data folder. Sets without an id count for nothing.
  Result<void> belongs_to(const std::string& folder_id) const;
  /// Files that are there; modified_ns is 0 where it cannot be told.
  Result<std::vector<BackedUp>> files() const;

  using OnBytes = std::function<void(std::uint64_t)>;
  /// Gives a file that an older program named by its CRC-32C a second name, by its SHA-256. Its old sets keep
  /// theirs. Fails where the file is damaged, and in file systems without hard links.
  Result<void> rename_by_content(const BackedUp& file, const OnBytes& progress) const;

  /// Begins a file; its bytes, then its end. It is kept by the checksum of what was written.
  Result<NewFile> begin_file(const std::string& name) const;
  Result<BackedUp> finish_file(NewFile file, const std::string& name, std::int64_t modified_ns) const;
  /// Makes a set of files that are all there. Gives its name.
  Result<std::string> add_set(const Manifest& manifest) const;
  /// Removes older sets than the last `keep` (all stay when it is absent; `newest`, the one just made,
  /// always), files no set has, and what was never finished. How many sets went.
  Result<std::size_t> prune(std::optional<std::size_t> keep, const std::string& newest) const;

 private:
  BackupFolder(std::filesystem::path path, Lock lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::filesystem::path path_;
  Lock lock_;
};

/// Names of the sets of a backup's folder, the oldest first.
Result<std::vector<std::string>> list_sets(const std::filesystem::path& folder);
/// Errors name the file.
Result<Manifest> read_set(const std::filesystem::path& folder, const std::string& set);
std::filesystem::path path_of(const std::filesystem::path& folder, const BackedUp& file);

}  // namespace vigil::cli
