// A database as one connection sees it, written into another file.
#pragma once

#include "aggregator/store/sqlite.h"

#include <filesystem>
#include <functional>

namespace vigil::aggregator {

/// Copies what `from` shows (in a read transaction: what it showed at its beginning) into a new file that
/// nobody else knows. It is not synced. `progress` is told the bytes copied so far, every megabyte; false
/// ends it with Errc::unavailable.
Result<void> copy_database(Database& from, const std::filesystem::path& to,
                           const std::function<bool(std::uint64_t)>& progress);

}  // namespace vigil::aggregator
