#include "aggregator/store/sqlite.h"

#include "aggregator/store/page_checksums.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace vigil::aggregator {
namespace {

constexpr int kBusyMilliseconds = 5000;  // another connection of ours may be recovering the WAL index

/// The disk itself, or what its owner may have of it.
bool is_disk_full(sqlite3* handle, int extended) {
  const int code = extended & 0xFF;
  if (code == SQLITE_FULL) return true;
  if (extended == SQLITE_IOERR_FSYNC || extended == SQLITE_IOERR_DIR_FSYNC) return false;
  const int number = sqlite3_system_errno(handle);
  return (code == SQLITE_IOERR || code == SQLITE_CANTOPEN) && (number == ENOSPC || number == EDQUOT);
}

/// The statement says nothing to who has to make room: the file and its folder do.
Error disk_full(sqlite3* handle, int extended) {
  const char* name = sqlite3_db_filename(handle, "main");
  const std::filesystem::path path(name == nullptr ? "" : name);
  return fail(Errc::limit, "{}: the disk is full: make room in {}, then try again (SQLite error {})",
              path.filename().string(), path.parent_path().string(), extended);
}

/// No space, or no open files left: it may pass, and nothing is broken.
bool is_no_room(sqlite3* handle, int extended) {
  if (is_disk_full(handle, extended)) return true;
  // A failed sync stays a failure whatever errno says: the kernel may have dropped the pages.
  if (extended == SQLITE_IOERR_FSYNC || extended == SQLITE_IOERR_DIR_FSYNC) return false;
  const int code = extended & 0xFF;
  const int number = sqlite3_system_errno(handle);
  if (code == SQLITE_CANTOPEN && (number == EMFILE || number == ENFILE)) return true;
  // SQLite tries again to open what it could not create, and tells of that: a log beside a database that is
  // there.
  const char* main =
      code == SQLITE_CANTOPEN && number == ENOENT ? sqlite3_db_filename(handle, "main") : nullptr;
  return main != nullptr && ::access(main, F_OK) == 0;
}

Errc code_of(sqlite3* handle, int extended) {
  if (extended == SQLITE_IOERR_DATA) return Errc::corrupt;  // first: no call of the system failed
  if (is_no_room(handle, extended)) return Errc::limit;
  switch (extended & 0xFF) {
    case SQLITE_ERROR:  // our statements are right: the tables are not those they should be
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Errc::corrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Errc::conflict;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
      return Errc::permission;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
      return Errc::internal;
    default:
      return Errc::io;
  }
}

}  // namespace

/// Enough of a script to find it: it would hide the error.
std::string_view shown(std::string_view sql) {
  constexpr std::size_t kMost = 80;
  return sql.substr(0, std::min(sql.find(';'), kMost));
}

Error sqlite_error(sqlite3* handle, std::string_view what) {
  const int extended = sqlite3_extended_errcode(handle);
  if (extended != SQLITE_IOERR_DATA && is_disk_full(handle, extended)) return disk_full(handle, extended);
  const int number = sqlite3_system_errno(handle);
  const bool system_failed = (extended & 0xFF) == SQLITE_IOERR || (extended & 0xFF) == SQLITE_CANTOPEN;
  const std::string cause = system_failed && number != 0 ? fmt::format(": {}", std::strerror(number)) : "";
  const Errc code = code_of(handle, extended);
  const char* path = code == Errc::corrupt ? sqlite3_db_filename(handle, "main") : nullptr;
  const std::string file = path != nullptr ? fmt::format(" in {}", path) : "";
  if (extended == SQLITE_IOERR_DATA)
    return fail(code,
                "{}: the checksum of a page does not fit it{}: bits changed, or another program wrote to it",
                what, file);
  return fail(code, "{}: {} (SQLite error {}){}{}", what, sqlite3_errmsg(handle), extended, cause, file);
}

void Statement::bind_one(int index, std::string_view text) {
  // A null pointer would bind NULL, and an empty view may hold one.
  const char* data = text.empty() ? "" : text.data();
  sqlite3_bind_text64(statement_.get(), index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

void Statement::bind_one(int index, Blob blob) {
  const char* data = blob.bytes.empty() ? "" : blob.bytes.data();
  sqlite3_bind_blob64(statement_.get(), index, data, blob.bytes.size(), SQLITE_STATIC);
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  Error error = sqlite_error(sqlite3_db_handle(statement_.get()), shown(sqlite3_sql(statement_.get())));
  reset();
  return error;
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

std::string_view Statement::bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_.get(), column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  return data == nullptr ? std::string_view() : std::string_view(static_cast<const char*>(data), size);
}

Result<Database> Database::open(const std::filesystem::path& path, Access access, const std::string& vfs) {
  const int flags =
      SQLITE_OPEN_NOMUTEX | (access == Access::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
  const auto layer = with_page_checksums(vfs);
  if (!layer) return layer.error();
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, layer->c_str());
  Database database;
  database.handle_.reset(raw);
  if (raw == nullptr) return fail(Errc::io, "open {}: out of memory", path.string());
  if (code != SQLITE_OK) return sqlite_error(raw, fmt::format("open {}", path.string()));
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, kBusyMilliseconds);
  sqlite3_wal_autocheckpoint(raw, 0);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  auto set = database.execute("PRAGMA mmap_size=0; PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY;");
  if (!set) return fail(set.error().code, "{}: {}", path.string(), set.error().message);
  return database;
}

Result<Database> Database::of_image(const std::string& image) {
  auto database = open(":memory:", Access::read_write, "");
  if (!database) return database;
  auto* bytes = static_cast<unsigned char*>(sqlite3_malloc64(image.size() + 1));
  if (bytes == nullptr) return fail(Errc::limit, "no memory for {} bytes", image.size());
  std::copy(image.begin(), image.end(), bytes);
  const auto size = static_cast<sqlite3_int64>(image.size());
  const int code = sqlite3_deserialize(database->handle(), "main", bytes, size, size,
                                       SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY);
  if (code != SQLITE_OK) return sqlite_error(database->handle(), "deserialize");
  return database;
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(handle(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  Statement statement;
  statement.statement_.reset(raw);
  if (code == SQLITE_ERROR) {  // our SQL is right: what it asks is not what the file has
    const char* path = sqlite3_db_filename(handle(), "main");
    return fail(Errc::corrupt, "{}: its tables are damaged: {}", path == nullptr ? "" : path,
                sqlite3_errmsg(handle()));
  }
  if (code != SQLITE_OK) return sqlite_error(handle(), sql);
  return statement;
}

Result<void> Database::execute(const char* sql) {
  if (sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr) != SQLITE_OK)
    return sqlite_error(handle(), shown(sql));
  return {};
}

Result<std::int64_t> Database::integer(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return statement.error();
  auto row = statement->step();
  if (!row) return row.error();
  if (!*row) return fail(Errc::not_found, "{}: no row", sql);
  return statement->integer(0);
}

}  // namespace vigil::aggregator
