// The versions of history.db's tables. user_version says which one a file has; opening it brings it to the
// newest, one numbered step and one transaction at a time.
#pragma once

#include "aggregator/store/sqlite.h"

namespace vigil::aggregator {

/// "VGLH": tells a history from any other SQLite file (PRAGMA application_id).
inline constexpr std::int64_t kApplicationId = 0x56474C48;

/// The version this program writes.
std::int64_t newest_version();

/// Brings the tables to newest_version(). Errc::unsupported: the file is newer, or belongs to another
/// program.
Result<void> migrate(Database& database, const std::string& path);

}  // namespace vigil::aggregator
