// SQLite behind Result: connections, statements, transactions. A connection belongs to one thread at a time.
//
// Every connection: no memory mapping, cell_size_check ON, trusted_schema OFF, no checkpoint of its own
// (neither after commits nor at close). SQLite 3.7.0 to 3.51.2 can lose commits when one connection
// checkpoints while another commits, so one connection per file makes all commits and all checkpoints, and
// everybody else opens it read-only. Nothing else in the process may open the file: closing any descriptor of
// it would drop the locks of all (https://sqlite.org/howtocorrupt.html section 2.2).
#pragma once

#include "common/error.h"

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace vigil::aggregator {

/// Bytes to be bound as BLOB; a string_view is bound as TEXT.
struct Blob {
  std::string_view bytes;
};

class Statement {
 public:
  /// Binds `values` to parameters 1, 2, ... Bound text and blobs must live until the statement is reset.
  template <class... Values>
  void bind(const Values&... values) {
    int index = 0;
    (bind_one(++index, values), ...);
  }
  /// True: a row stands ready. False: done, and reset.
  Result<bool> step();
  /// Binds, runs to the end, resets. Rows are thrown away.
  template <class... Values>
  Result<void> run(const Values&... values) {
    bind(values...);
    auto more = step();
    while (more && *more) more = step();
    if (!more) return more.error();
    return {};
  }
  void reset();

  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  /// TEXT or BLOB; valid until the next step() or reset().
  std::string_view bytes(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  void bind_one(int index, std::int64_t value) { sqlite3_bind_int64(statement_.get(), index, value); }
  void bind_one(int index, std::string_view text);
  void bind_one(int index, Blob blob);
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

enum class Access : std::uint8_t { read_only, read_write };

class Database {
 public:
  /// Opens an existing file; `vfs` "" is the default one. Pages that have checksums are verified
  /// (page_checksums.h).
  static Result<Database> open(const std::filesystem::path& path, Access access, const std::string& vfs);
  /// A file's content, in memory, for reading. Errc::corrupt.
  static Result<Database> of_image(const std::string& image);

  Result<Statement> prepare(std::string_view sql);
  Result<void> execute(const char* sql);
  /// The one integer a query yields.
  Result<std::int64_t> integer(std::string_view sql);
  sqlite3* handle() const { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  std::unique_ptr<sqlite3, Close> handle_;
};

/// The last error of a connection. Errc::limit: no space on the device (the transaction is to be rolled back
/// and may be retried). Errc::corrupt: damaged or not a database. Errc::conflict: locked. Errc::permission,
/// Errc::io: as they say.
Error sqlite_error(sqlite3* handle, std::string_view what);

}  // namespace vigil::aggregator
