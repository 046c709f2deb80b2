// All files of the history as they were at one instant, for a backup of the running system.
//
// The instant lies between two commits of the history thread, which then begins a read transaction on each
// file that is written to; nothing else happens there. What those transactions show is copied in the
// background into the folder "backup.tmp" of the data folder, so that a slow client holds up neither
// checkpoints nor anything else. Compacted files never change: they are handed out as they are, and stay
// until the snapshot goes.
#pragma once

#include "aggregator/store/sqlite.h"
#include "common/error.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vigil::aggregator {

class Writer;
struct HistoryOptions;

/// A file somebody has from before.
struct KnownFile {
  std::string name;
  std::uint64_t bytes = 0;
  std::int64_t modified_ns = 0;
  friend auto operator<=>(const KnownFile&, const KnownFile&) = default;  // NOLINT(modernize-use-nullptr)
};

struct SnapshotRequest {
  std::vector<std::string> also;  // other databases of the data folder; absent ones are left out
  std::vector<KnownFile> known;   // need not be copied when they are still the same
  /// Copies what is no file of the history into a folder, and names it as in the data folder,
  /// "identity/ca.key". Empty: there is nothing else.
  std::function<Result<std::vector<std::string>>(const std::filesystem::path& folder)> copy_more;
  /// Of the copying, in bytes; false ends it.
  std::function<bool(std::uint64_t done, std::uint64_t total, const std::string& file)> progress;
};

struct SnapshotFile {
  std::string name;            // in the data folder
  std::filesystem::path path;  // where its bytes are; it may be opened and closed as any file
  std::uint64_t bytes = 0;
  /// When it was last written: a name is used again after an older backup was restored. 0: it is being
  /// written to.
  std::int64_t modified_ns = 0;
  bool known = false;  // `path` is empty
};

class Snapshot {
 public:
  /// Errc::conflict: there is another one. Errc::limit: no room for the copies. Errc::unavailable: ended by
  /// `progress`, or the history does not run.
  static Result<std::unique_ptr<Snapshot>> take(Writer& writer, const HistoryOptions& options,
                                                SnapshotRequest request);
  /// Removes the copies, and lets go of files that are no longer needed. `writer` must be there still.
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  /// What no longer changes comes first.
  const std::vector<SnapshotFile>& files() const { return files_; }
  std::int64_t time_ms() const { return time_ms_; }
  /// Of the data folder: as Tables::folder_id().
  const std::string& folder_id() const;
  /// Removes what a crash left behind.
  static void clean(const std::filesystem::path& directory);

 private:
  struct Held {
    SnapshotFile file;
    Database database;  // in a read transaction
  };
  Snapshot(Writer& writer, const HistoryOptions& options, SnapshotRequest request);
  Result<void> hold();
  Result<void> begin(const std::filesystem::path& path, Database database);
  Result<void> copy_all();
  Result<void> copy_more();
  Result<void> copy(Held& held, std::uint64_t total_bytes);
  bool is_known(const SnapshotFile& file) const;

  Writer& writer_;
  const HistoryOptions& options_;
  const SnapshotRequest request_;
  const std::filesystem::path folder_;
  bool holding_ = false;
  std::int64_t time_ms_ = 0;
  std::uint64_t copied_bytes_ = 0;
  std::vector<Held> held_;
  std::vector<SnapshotFile> files_;
};

}  // namespace vigil::aggregator
