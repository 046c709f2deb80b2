#include "tests/aggregator/store/fault_vfs.h"

#include <sqlite3.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <mutex>

namespace vigil::aggregator::testing {
namespace {

// One fault at a time for the whole process: a test sets it while the history thread is idle.
std::atomic<Fault> current_fault = Fault::none;
std::atomic<int> calls_until_fault = 0;
std::atomic<bool> happened = false;

// The default VFS's files are used as they are, under copies of their methods with two changed entries. It
// has one table of methods for files with locks and one for files without.
struct Changed {
  sqlite3_io_methods methods;  // first: a file points here
  const sqlite3_io_methods* real = nullptr;
};
std::mutex tables_mutex;
std::array<Changed, 4> tables;

const sqlite3_io_methods* real_methods(const sqlite3_file* file) {
  return reinterpret_cast<const Changed*>(file->pMethods)->real;
}

bool is_due() {
  const int left = --calls_until_fault;
  if (left > 0) return false;
  if (left < 0 && current_fault != Fault::no_space) return false;
  happened = true;
  return true;
}

int faulty_write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  if (current_fault == Fault::write_error && is_due()) return SQLITE_IOERR_WRITE;
  if (current_fault == Fault::no_space && is_due()) {
    // A full disk takes what still fits.
    if (size > 1) (void)real_methods(file)->xWrite(file, data, size / 2, offset);
    return SQLITE_FULL;
  }
  return real_methods(file)->xWrite(file, data, size, offset);
}

int faulty_sync(sqlite3_file* file, int flags) {
  if (current_fault == Fault::sync_error && is_due()) return SQLITE_IOERR_FSYNC;
  return real_methods(file)->xSync(file, flags);
}

const sqlite3_io_methods* change(const sqlite3_io_methods* real) {
  const std::lock_guard lock(tables_mutex);
  for (Changed& table : tables) {
    if (table.real == real) return &table.methods;
    if (table.real != nullptr) continue;
    table.methods = *real;
    table.methods.xWrite = faulty_write;
    table.methods.xSync = faulty_sync;
    table.real = real;
    return &table.methods;
  }
  std::abort();  // the default VFS has grown more tables than there is room for
}

int faulty_open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* real = static_cast<sqlite3_vfs*>(vfs->pAppData);
  const int code = real->xOpen(real, name, file, flags, out_flags);
  if (code == SQLITE_OK && file->pMethods != nullptr) file->pMethods = change(file->pMethods);
  return code;
}

}  // namespace

std::string fault_vfs() {
  static sqlite3_vfs vfs;
  if (vfs.zName == nullptr) {
    sqlite3_initialize();
    sqlite3_vfs* real = sqlite3_vfs_find(nullptr);
    vfs = *real;
    vfs.zName = "faulty";
    vfs.pNext = nullptr;
    vfs.pAppData = real;
    vfs.xOpen = faulty_open;
    sqlite3_vfs_register(&vfs, 0);
  }
  return vfs.zName;
}

void set_fault(Fault fault, int at) {
  happened = false;
  calls_until_fault = at;
  current_fault = fault;
}

void clear_fault() {
  current_fault = Fault::none;
}

bool fault_happened() {
  return happened;
}

}  // namespace vigil::aggregator::testing
