// Removing an SQLite file with what belongs to it, durably, through the VFS it lives in.
#pragma once

#include "common/error.h"

#include <cstdint>
#include <filesystem>
#include <string>

namespace vigil::aggregator {

/// The index of everything; its tables are those of tables.h.
inline constexpr const char* kIndexFile = "history.db";

/// Unlinks the file, its -wal, its -shm and its -journal, and syncs the folder. What is not there is fine.
/// Nobody may write it any more; readers that have it open read on.
Result<void> remove_database(const std::filesystem::path& path, const std::string& vfs);

bool database_exists(const std::filesystem::path& path, const std::string& vfs);

/// Bytes of the file, its -wal and its -shm, by stat(2): opening it here would drop SQLite's locks.
std::uint64_t database_bytes(const std::filesystem::path& path);

}  // namespace vigil::aggregator
