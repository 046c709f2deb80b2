#include "aggregator/store/page_checksums.h"

#include "aggregator/store/sqlite.h"
#include "common/crc32c.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>

namespace vigil::aggregator {
namespace {

constexpr int kLeastPage = 512;
constexpr int kHeaderBytes = 100;
constexpr std::size_t kPageSizeAt = 16;
constexpr std::size_t kReservedAt = 20;
constexpr std::string_view kHeaderMagic{"SQLite format 3\0", 16};
constexpr std::string_view kPageMagic{"VGP\x01", 4};

enum class Pages : std::uint8_t { unknown, plain, with_checksums };

/// What SQLite sees as its file; the file of the VFS below lies behind it in the same memory.
struct File {
  sqlite3_file base;
  Pages pages;
  int page_size;
};

sqlite3_file* below(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<File*>(file) + 1);
}

/// Learns from the beginning of the database what its pages are like.
void learn(File& file, const char* header) {
  if (std::string_view(header, kHeaderMagic.size()) != kHeaderMagic) return;
  const auto byte = [header](std::size_t at) {
    return static_cast<int>(static_cast<unsigned char>(header[at]));
  };
  const int size = byte(kPageSizeAt) << 8 | byte(kPageSizeAt + 1);
  file.page_size = size == 1 ? 65536 : size;
  file.pages = byte(kReservedAt) == kReservedBytes && file.page_size >= kLeastPage ? Pages::with_checksums
                                                                                   : Pages::plain;
}

/// A page may be asked for before anybody looked at the first one, which may be in the log.
void learn_from_disk(File& file, sqlite3_file* real) {
  std::array<char, kHeaderBytes> header{};
  if (real->pMethods->xRead(real, header.data(), kHeaderBytes, 0) == SQLITE_OK) learn(file, header.data());
}

bool is_page(const File& file, int size, sqlite3_int64 offset) {
  return file.pages == Pages::with_checksums && size == file.page_size && offset % size == 0;
}

/// A first page that has a checksum, and a header that says it has none: the header is damaged.
bool hides_checksum(const File& file, const char* page, int size, sqlite3_int64 offset) {
  if (offset != 0 || file.pages != Pages::plain || size != file.page_size) return false;
  return std::string_view(page + size - kReservedBytes, kPageMagic.size()) == kPageMagic;
}

/// The last bytes of a page.
std::array<char, kReservedBytes> checksum_of(const char* page, int size, sqlite3_int64 offset) {
  const auto number = static_cast<std::uint32_t>(offset / size + 1);
  const auto little_endian = [](std::uint32_t value, char* out) {
    for (unsigned i = 0; i < 4; ++i) out[i] = static_cast<char>(value >> 8 * i & 0xFF);
  };
  std::array<char, 4> suffix{};
  little_endian(number, suffix.data());
  const std::uint32_t content = crc32c({page, static_cast<std::size_t>(size - kReservedBytes)});
  std::array<char, kReservedBytes> out{};
  std::memcpy(out.data(), kPageMagic.data(), kPageMagic.size());
  little_endian(crc32c({suffix.data(), suffix.size()}, content), out.data() + kPageMagic.size());
  return out;
}

int read(sqlite3_file* file, void* buffer, int size, sqlite3_int64 offset) {
  auto& self = *reinterpret_cast<File*>(file);
  sqlite3_file* real = below(file);
  const int code = real->pMethods->xRead(real, buffer, size, offset);
  // A page behind the end of the file reads as zeros, which may pass for content.
  if (code == SQLITE_IOERR_SHORT_READ && is_page(self, size, offset)) return SQLITE_IOERR_DATA;
  if (code != SQLITE_OK) return code;
  const char* bytes = static_cast<const char*>(buffer);
  if (offset == 0 && size >= kHeaderBytes) learn(self, bytes);
  if (self.pages == Pages::unknown && size >= kLeastPage) learn_from_disk(self, real);
  if (hides_checksum(self, bytes, size, offset)) return SQLITE_IOERR_DATA;
  if (!is_page(self, size, offset)) return SQLITE_OK;
  const auto expected = checksum_of(bytes, size, offset);
  const bool good = std::memcmp(bytes + size - kReservedBytes, expected.data(), expected.size()) == 0;
  return good ? SQLITE_OK : SQLITE_IOERR_DATA;
}

int write(sqlite3_file* file, const void* buffer, int size, sqlite3_int64 offset) {
  auto& self = *reinterpret_cast<File*>(file);
  sqlite3_file* real = below(file);
  const char* bytes = static_cast<const char*>(buffer);
  if (offset == 0 && size >= kHeaderBytes) learn(self, bytes);
  if (self.pages == Pages::unknown && size >= kLeastPage) learn_from_disk(self, real);
  if (!is_page(self, size, offset)) return real->pMethods->xWrite(real, buffer, size, offset);
  thread_local std::string page;
  page.assign(bytes, static_cast<std::size_t>(size));
  const auto checksum = checksum_of(bytes, size, offset);
  std::memcpy(page.data() + size - kReservedBytes, checksum.data(), checksum.size());
  return real->pMethods->xWrite(real, page.data(), size, offset);
}

/// Methods of a file that pass through: `Below<&sqlite3_io_methods::xSync>::call` is the one of the VFS
/// below.
template <auto Method>
struct Below;
template <class Answer, class... Values, Answer (*sqlite3_io_methods::*Method)(sqlite3_file*, Values...)>
struct Below<Method> {
  static Answer call(sqlite3_file* file, Values... values) {
    return (below(file)->pMethods->*Method)(below(file), values...);
  }
};

/// Without SQLITE_IOCAP_SUBPAGE_READ: part of a page cannot be verified.
int device_characteristics(sqlite3_file* file) {
  constexpr int kReadsPartOfPage = 0x8000;  // of SQLite 3.48 and later
  return ~kReadsPartOfPage & below(file)->pMethods->xDeviceCharacteristics(below(file));
}

/// No memory mapping (version 3): what is mapped is not read.
constexpr sqlite3_io_methods methods(int version) {
  sqlite3_io_methods all{};
  all.iVersion = version;
  all.xClose = Below<&sqlite3_io_methods::xClose>::call;
  all.xRead = read;
  all.xWrite = write;
  all.xTruncate = Below<&sqlite3_io_methods::xTruncate>::call;
  all.xSync = Below<&sqlite3_io_methods::xSync>::call;
  all.xFileSize = Below<&sqlite3_io_methods::xFileSize>::call;
  all.xLock = Below<&sqlite3_io_methods::xLock>::call;
  all.xUnlock = Below<&sqlite3_io_methods::xUnlock>::call;
  all.xCheckReservedLock = Below<&sqlite3_io_methods::xCheckReservedLock>::call;
  all.xFileControl = Below<&sqlite3_io_methods::xFileControl>::call;
  all.xSectorSize = Below<&sqlite3_io_methods::xSectorSize>::call;
  all.xDeviceCharacteristics = device_characteristics;
  all.xShmMap = Below<&sqlite3_io_methods::xShmMap>::call;
  all.xShmLock = Below<&sqlite3_io_methods::xShmLock>::call;
  all.xShmBarrier = Below<&sqlite3_io_methods::xShmBarrier>::call;
  all.xShmUnmap = Below<&sqlite3_io_methods::xShmUnmap>::call;
  return all;
}
constexpr sqlite3_io_methods kPlainMethods = methods(1);
constexpr sqlite3_io_methods kSharedMethods = methods(2);

sqlite3_vfs* base_of(sqlite3_vfs* vfs) {
  return static_cast<sqlite3_vfs*>(vfs->pAppData);
}

int open_file(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  sqlite3_vfs* base = base_of(vfs);
  if ((flags & SQLITE_OPEN_MAIN_DB) == 0) return base->xOpen(base, path, file, flags, out_flags);
  auto* self = new (static_cast<void*>(file)) File{};
  sqlite3_file* real = below(file);
  real->pMethods = nullptr;
  const int code = base->xOpen(base, path, real, flags, out_flags);
  if (real->pMethods != nullptr)
    self->base.pMethods = real->pMethods->iVersion >= 2 ? &kSharedMethods : &kPlainMethods;
  return code;
}

/// Of the VFS, likewise.
template <class Answer, class... Values, Answer (*sqlite3_vfs::*Method)(sqlite3_vfs*, Values...)>
struct Below<Method> {
  static Answer call(sqlite3_vfs* vfs, Values... values) {
    return (base_of(vfs)->*Method)(base_of(vfs), values...);
  }
};

/// Also reads the header of one that is not.
bool is_empty(sqlite3* handle) {
  int pages = -1;  // one that cannot be read is not empty
  const auto take = [](void* out, int, char** values, char**) {
    *static_cast<int*>(out) = std::atoi(values[0]);
    return 0;
  };
  sqlite3_exec(handle, "PRAGMA page_count", take, &pages, nullptr);
  return pages == 0;
}

/// Registered for good: never destroyed, for SQLite has its address.
struct Layer {
  std::string name;
  sqlite3_vfs vfs{};
};

}  // namespace

Result<std::string> with_page_checksums(const std::string& base) {
  static std::mutex mutex;
  static auto& layers = *new std::map<std::string, Layer*>;
  const std::lock_guard lock(mutex);
  Layer*& layer = layers[base];
  if (layer != nullptr) return layer->name;
  sqlite3_vfs* under = sqlite3_vfs_find(base.empty() ? nullptr : base.c_str());
  if (under == nullptr) return fail(Errc::internal, "no SQLite VFS is called '{}'", base);
  auto made = std::make_unique<Layer>();
  made->name = "checksums-" + (base.empty() ? std::string(under->zName) : base);
  made->vfs.iVersion = 1;
  made->vfs.szOsFile = static_cast<int>(sizeof(File)) + under->szOsFile;
  made->vfs.mxPathname = under->mxPathname;
  made->vfs.zName = made->name.c_str();
  made->vfs.pAppData = under;
  made->vfs.xOpen = open_file;
  made->vfs.xDelete = Below<&sqlite3_vfs::xDelete>::call;
  made->vfs.xAccess = Below<&sqlite3_vfs::xAccess>::call;
  made->vfs.xFullPathname = Below<&sqlite3_vfs::xFullPathname>::call;
  made->vfs.xRandomness = Below<&sqlite3_vfs::xRandomness>::call;
  made->vfs.xSleep = Below<&sqlite3_vfs::xSleep>::call;
  made->vfs.xCurrentTime = Below<&sqlite3_vfs::xCurrentTime>::call;
  made->vfs.xGetLastError = Below<&sqlite3_vfs::xGetLastError>::call;
  if (sqlite3_vfs_register(&made->vfs, 0) != SQLITE_OK)
    return fail(Errc::internal, "SQLite takes no VFS {}", made->name);
  layer = made.release();
  return layer->name;
}

bool has_page_checksums(sqlite3* handle) {
  (void)is_empty(handle);
  int reserved = -1;  // asks
  sqlite3_file_control(handle, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
  return reserved == kReservedBytes;
}

Result<void> keep_page_checksums(sqlite3* handle) {
  const auto run = [handle](const char* sql) -> Result<void> {
    if (sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return sqlite_error(handle, sql);
    return {};
  };
  // Pages that are free have to be written, too: who copies a database reads them.
  if (auto set = run("PRAGMA secure_delete=ON"); !set) return set;
  if (has_page_checksums(handle)) return {};
  int reserved = kReservedBytes;
  if (sqlite3_file_control(handle, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved) != SQLITE_OK)
    return sqlite_error(handle, "reserve bytes of pages");
  if (is_empty(handle)) return run("PRAGMA user_version=1");  // its first page is made, and says it
  // SQLite makes the copy in memory otherwise, and an index may be larger than that.
  if (auto set = run("PRAGMA temp_store=FILE"); !set) return set;
  auto written = run("VACUUM");
  if (!written) (void)run("PRAGMA wal_checkpoint(TRUNCATE)");  // its log may have taken the last of the room
  if (auto set = run("PRAGMA temp_store=MEMORY"); !set) return set;
  return written;
}

}  // namespace vigil::aggregator
