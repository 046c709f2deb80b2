// The write-ahead log of an SQLite file, read without SQLite: https://sqlite.org/fileformat2.html section 4.
//
// SQLite takes the first frame that fails its checksum for the end of the log, since a power cut leaves it
// like that, and says nothing of what lies behind. But each frame's checksum goes on from the one before it,
// and nothing is written behind a commit before its sync has returned. So a commit that the frame behind it
// goes on from was on disk, and when such a one lies behind a frame that fails, that frame was damaged later.
#pragma once

#include "common/error.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace vigil::aggregator {

struct WalDamage {
  std::uint64_t offset = 0;   // of the first damaged frame, or 0: the header
  std::uint64_t commits = 0;  // behind it, known to have been on disk: SQLite leaves them out
};

/// "12 commits lie behind damage at byte 4152"
std::string to_text(const WalDamage& damage);

/// What is damaged in the log of the database `path`; nothing: it is whole, or there is none, or its end is
/// torn. The file may be in use. Errc::io.
Result<std::optional<WalDamage>> find_wal_damage(const std::filesystem::path& path, const std::string& vfs);

/// Makes SQLite read the log to its end, damaged frames included: only where what is stored has checksums of
/// its own. Nobody may have the file open. What was damaged; nothing: nothing was changed.
Result<std::optional<WalDamage>> mend_wal(const std::filesystem::path& path, const std::string& vfs);

/// Looks at all logs of a data folder that nobody has open, tells what is damaged, and mends those of the
/// journal: their groups have checksums. What was committed behind damage in another one is lost; of
/// partitions the journal has it, of the index agents send again what they still have. How many were damaged.
Result<std::uint64_t> look_at_logs(const std::filesystem::path& directory, const std::string& vfs);

}  // namespace vigil::aggregator
