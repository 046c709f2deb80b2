// A set of a backup becomes a data folder.
#pragma once

#include "cli/backup/folder.h"

#include <functional>

namespace vigil::cli {

struct RestoreRequest {
  std::filesystem::path backup;
  std::string set;                    // empty: the latest
  std::filesystem::path data_folder;  // empty: the set is only verified
};

struct Restored {
  std::string set;
  Manifest manifest;
};

/// Verifies size and checksum of every file before it writes the first. Errc::conflict: the data folder is
/// not empty, or in use. Errc::corrupt names the damaged file. What fails half-way is removed again.
Result<Restored> restore(
    const RestoreRequest& request,
    const std::function<void(std::uint64_t done, std::uint64_t total, const std::string& what)>& progress);

}  // namespace vigil::cli
