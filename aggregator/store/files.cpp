#include "aggregator/store/files.h"

#include <sqlite3.h>

#include <array>

namespace vigil::aggregator {

Result<void> remove_database(const std::filesystem::path& path, const std::string& vfs) {
  sqlite3_vfs* files = sqlite3_vfs_find(vfs.empty() ? nullptr : vfs.c_str());
  if (files == nullptr) return fail(Errc::internal, "no SQLite VFS is called '{}'", vfs);
  // The main file last: as long as it is there, a start finds the rest and removes it, too.
  for (const char* suffix : {"-wal", "-shm", "-journal", ""}) {
    const std::string name = path.string() + suffix;
    const int code = files->xDelete(files, name.c_str(), *suffix == '\0' ? 1 : 0);
    if (code != SQLITE_OK && code != SQLITE_IOERR_DELETE_NOENT)
      return fail(Errc::io, "unlink {}: SQLite error {}", name, code);
  }
  return {};
}

bool database_exists(const std::filesystem::path& path, const std::string& vfs) {
  sqlite3_vfs* files = sqlite3_vfs_find(vfs.empty() ? nullptr : vfs.c_str());
  int exists = 0;
  return files != nullptr &&
         files->xAccess(files, path.c_str(), SQLITE_ACCESS_EXISTS, &exists) == SQLITE_OK && exists != 0;
}

std::uint64_t database_bytes(const std::filesystem::path& path) {
  std::uint64_t sum = 0;
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path.string() + suffix, error);
    if (!error) sum += size;
  }
  return sum;
}

}  // namespace vigil::aggregator
