// The write-ahead log of an SQLite file, read without SQLite: https://sqlite.org/fileformat2.html section 4.
//
// SQLite takes the first frame that fails its checksum for the end of the log, since a power cut leaves it
// like that, and says nothing of what lies behind. But each frame's checksum goes on from the one before it,
// and with synchronous=FULL nothing is written behind a commit before its sync has returned. So a commit that
// the frame behind it goes on from was on disk, and when such a one lies behind a frame that fails, or is it,
// that frame was damaged later. Damage in the very last commit cannot be told from a torn end.
#pragma once

#include "common/error.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace vigil::aggregator {

struct WalDamage {
  std::uint64_t offset = 0;   // of the first damaged frame, or 0: the header
  std::uint64_t commits = 0;  // from there on, known to have been on disk: SQLite leaves them out
};

/// "12 commits lie behind damage at byte 4152"
std::string to_text(const WalDamage& damage);

/// What is damaged in the log of the database `path`, of which commits are synced; nothing: it is whole, or
/// there is none, or its end is torn. The file may be in use. Errc::io, Errc::limit.
Result<std::optional<WalDamage>> find_wal_damage(const std::filesystem::path& path, const std::string& vfs);

/// The database as the whole log makes it: once with what damaged frames hold now, once without them. What is
/// wrong in either must be told by checksums of what is stored. Nothing: the log is not damaged. Nothing is
/// written.
Result<std::vector<std::string>> images_behind_damage(const std::filesystem::path& path,
                                                      const std::string& vfs);

/// Tells in the log what is damaged in the write-ahead logs of a data folder. How many are.
std::uint64_t look_at_logs(const std::filesystem::path& directory, const std::string& vfs);

}  // namespace vigil::aggregator
