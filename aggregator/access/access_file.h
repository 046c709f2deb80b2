// access.db: tokens, users and the log of changes, in the data folder and in its backups. Every change is on
// the disk (synchronous=FULL) before it counts. One connection, under a lock: changes are rare.
#pragma once

#include "aggregator/store/sqlite.h"
#include "common/error.h"

#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace vigil::aggregator::access {

inline constexpr const char* kAccessFile = "access.db";

class AccessFile {
 public:
  /// Opens or makes it. A damaged one is an error and stays as it is: letting everybody in, or nobody, is not
  /// for a program to decide. Errc::unsupported: a newer format, or another program's file.
  static Result<std::unique_ptr<AccessFile>> open(const std::string& path);

  /// Runs `change` in a transaction: all of it, or nothing where it fails. Any thread.
  Result<void> change(const std::function<Result<void>(Database&)>& change);
  /// The same for reading.
  Result<void> read(const std::function<Result<void>(Database&)>& read);
  /// Takes the log of SQLite back into the file.
  Result<void> checkpoint();

 private:
  explicit AccessFile(Database database) : database_(std::move(database)) {}
  std::mutex mutex_;  // protects database_
  Database database_;
};

}  // namespace vigil::aggregator::access
