// What a set of a backup consists of: set-YYYYmmddTHHMMSSZ.json in the backup's folder. docs/storage.md
// describes it. Pure.
#pragma once

#include "common/error.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::cli {

/// A file as it was at the set's instant.
struct BackedUp {
  std::string name;  // in the data folder
  std::uint64_t bytes = 0;
  std::string checksum;          // SHA-256; of a file that an older program fetched, CRC-32C
  std::int64_t modified_ns = 0;  // 0: it was being written to
  friend bool operator==(const BackedUp&, const BackedUp&) = default;
};

struct Manifest {
  std::int64_t time_ms = 0;
  std::string version;    // of the aggregator
  std::string folder_id;  // of its data folder; empty: made before there were ids
  std::vector<BackedUp> files;
  std::uint64_t bytes() const;
};

std::string to_json(const Manifest& manifest);
/// Errc::corrupt: it is none. Errc::unsupported: a newer program made it.
Result<Manifest> parse_manifest(std::string_view json);

/// "set-20261122T031500Z"
std::string set_name(std::int64_t time_ms);
/// Whether it may be a file of a data folder, or of a folder in it: nothing that leads out of it, or hides
/// in it.
bool is_file_name(std::string_view path);
/// "identity+ca.key" for "identity/ca.key": files of all sets lie in one folder.
std::string flat_name(std::string name);
/// Name and content: "raw-20261122-7.db.9f86d081…", all of its checksum. A name alone is not enough: tiers
/// grow, and numbers are given again after an older state was restored.
std::string stored_name(const BackedUp& file);
/// Name and checksum of such a name; the other fields stay 0. Errc::parse: it is none.
Result<BackedUp> parse_stored_name(std::string_view stored);

}  // namespace vigil::cli
