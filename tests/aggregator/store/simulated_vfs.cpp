#include "tests/aggregator/store/simulated_vfs.h"

#include "tests/aggregator/store/simulated_disk.h"

#include <sqlite3.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <new>

namespace vigil::aggregator::testing {
namespace {

thread_local int last_errno = 0;
std::mutex locks_mutex;  // of all FileLocks

struct File : sqlite3_file {
  SimulatedDisk* disk = nullptr;
  std::string name;
  InodeId inode = 0;
  bool folder_is_dirty = false;  // it may have been made just now
  bool remove_on_close = false;

  FileLocks& locks() const { return disk->locks(inode); }
};

File& of(sqlite3_file* file) {
  return *static_cast<File*>(file);
}

int failed(int error, int code) {
  if (error == 0) return SQLITE_OK;
  last_errno = error;
  return code;
}

int close_file(sqlite3_file* file) {
  File& self = of(file);
  {
    const std::lock_guard lock(locks_mutex);
    self.locks().unlock(file, SQLITE_LOCK_NONE);
  }
  if (self.remove_on_close) (void)self.disk->remove(self.name);
  self.~File();
  return SQLITE_OK;
}

int read_file(sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
  std::string bytes(static_cast<std::size_t>(size), '\0');
  (void)of(file).disk->read(of(file).inode, static_cast<std::uint64_t>(offset), bytes);
  const bool whole = bytes.size() == static_cast<std::size_t>(size);
  bytes.resize(static_cast<std::size_t>(size));  // SQLite wants zeros behind the end
  std::memcpy(data, bytes.data(), bytes.size());
  return whole ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

int write_file(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  std::string bytes(static_cast<const char*>(data), static_cast<std::size_t>(size));
  const int error =
      of(file).disk->write(of(file).inode, static_cast<std::uint64_t>(offset), std::move(bytes));
  return failed(error, error == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE);
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  const int error = of(file).disk->truncate(of(file).inode, static_cast<std::uint64_t>(size));
  return failed(error, SQLITE_IOERR_TRUNCATE);
}

int sync_file(sqlite3_file* file, int /*flags*/) {
  File& self = of(file);
  if (const int error = self.disk->sync(self.inode); error != 0) return failed(error, SQLITE_IOERR_FSYNC);
  if (!self.folder_is_dirty) return SQLITE_OK;
  self.folder_is_dirty = false;
  return failed(self.disk->sync_folder_of(self.name), SQLITE_IOERR_DIR_FSYNC);
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  *size = static_cast<sqlite3_int64>(of(file).disk->size(of(file).inode));
  return SQLITE_OK;
}

int lock_file(sqlite3_file* file, int level) {
  const std::lock_guard lock(locks_mutex);
  return of(file).locks().lock(file, level);
}

int unlock_file(sqlite3_file* file, int level) {
  const std::lock_guard lock(locks_mutex);
  of(file).locks().unlock(file, level);
  return SQLITE_OK;
}

int check_reserved(sqlite3_file* file, int* result) {
  const std::lock_guard lock(locks_mutex);
  *result = of(file).locks().is_reserved() ? 1 : 0;
  return SQLITE_OK;
}

int control_file(sqlite3_file* /*file*/, int /*operation*/, void* /*argument*/) {
  return SQLITE_NOTFOUND;
}

constexpr int kSectorForSqlite = 4096;  // as its VFS for Unix says

int sector_size(sqlite3_file* /*file*/) {
  return kSectorForSqlite;
}

int characteristics(sqlite3_file* /*file*/) {
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;  // as its VFS for Unix says
}

int map_shared(sqlite3_file* file, int index, int size, int extend, void volatile** memory) {
  if (index == 0 && extend != 0) {
    if (const int error = of(file).disk->map_memory(); error != 0) return failed(error, SQLITE_CANTOPEN);
  }
  const std::lock_guard lock(locks_mutex);
  const auto missing = extend != 0 ? FileLocks::Missing::add : FileLocks::Missing::leave;
  *memory =
      of(file).locks().region(file, static_cast<std::size_t>(index), static_cast<std::size_t>(size), missing);
  return SQLITE_OK;
}

int lock_shared(sqlite3_file* file, int first, int count, int flags) {
  const std::lock_guard lock(locks_mutex);
  return of(file).locks().lock_slots(file, first, count, flags);
}

void barrier(sqlite3_file* /*file*/) {
  const std::lock_guard lock(locks_mutex);
}

int unmap_shared(sqlite3_file* file, int /*remove*/) {
  const std::lock_guard lock(locks_mutex);
  of(file).locks().unmap(file);
  return SQLITE_OK;
}

constexpr sqlite3_io_methods kMethods = {
    2,           close_file,  read_file,      write_file,   truncate_file, sync_file,       file_size,
    lock_file,   unlock_file, check_reserved, control_file, sector_size,   characteristics, map_shared,
    lock_shared, barrier,     unmap_shared,   nullptr,      nullptr};

int open_file(sqlite3_vfs* /*vfs*/, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  SimulatedDisk* disk = path == nullptr ? nullptr : SimulatedDisk::find(path);
  if (disk == nullptr) return failed(EACCES, SQLITE_CANTOPEN);  // vigil keeps temporary files in memory
  const std::string name = disk->name_of(path);
  InodeId inode = 0;
  const bool create = (flags & SQLITE_OPEN_CREATE) != 0;
  const int error = create ? disk->create(name, inode) : disk->open(name, inode);
  if (error != 0) return failed(error, SQLITE_CANTOPEN);
  auto* self = new (static_cast<void*>(file)) File();
  self->pMethods = &kMethods;
  self->disk = disk;
  self->name = name;
  self->inode = inode;
  constexpr int kJournals = SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL;
  self->folder_is_dirty = create && (flags & kJournals) != 0;
  self->remove_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs* /*vfs*/, const char* path, int sync_folder) {
  SimulatedDisk* disk = SimulatedDisk::find(path);
  if (disk == nullptr) return failed(EACCES, SQLITE_IOERR_DELETE);
  const int error = disk->remove(disk->name_of(path));
  if (error == ENOENT) return failed(error, SQLITE_IOERR_DELETE_NOENT);
  if (error != 0 || sync_folder == 0) return failed(error, SQLITE_IOERR_DELETE);
  return failed(disk->sync_folder_of(disk->name_of(path)), SQLITE_IOERR_DIR_FSYNC);
}

// As SQLite's own does, it takes an empty file for an absent one when it asks whether a file exists.
int access_file(sqlite3_vfs* /*vfs*/, const char* path, int flags, int* result) {
  const SimulatedDisk* disk = SimulatedDisk::find(path);
  const auto size = disk == nullptr ? std::nullopt : disk->size_of(disk->name_of(path));
  *result = size && (flags != SQLITE_ACCESS_EXISTS || *size > 0) ? 1 : 0;
  return SQLITE_OK;
}

int full_path(sqlite3_vfs* /*vfs*/, const char* path, int size, char* out) {
  sqlite3_snprintf(size, out, "%s", path);
  return SQLITE_OK;
}

int get_last_error(sqlite3_vfs* /*vfs*/, int /*size*/, char* /*text*/) {
  return last_errno;
}

}  // namespace

std::string simulated_vfs() {
  static sqlite3_vfs vfs;
  static const bool registered = [] {
    sqlite3_initialize();
    vfs = *sqlite3_vfs_find(nullptr);  // randomness, clock and sleep are the system's
    vfs.iVersion = 1;
    vfs.szOsFile = sizeof(File);
    vfs.pNext = nullptr;
    vfs.zName = "simulated";
    vfs.pAppData = nullptr;
    vfs.xOpen = open_file;
    vfs.xDelete = delete_file;
    vfs.xAccess = access_file;
    vfs.xFullPathname = full_path;
    vfs.xGetLastError = get_last_error;
    return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
  }();
  return registered ? vfs.zName : "";
}

}  // namespace vigil::aggregator::testing
