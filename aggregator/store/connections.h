// Read-only connections to the files of the history, lent to one caller at a time and kept for the next.
// Thread-safe; callers beyond the limit wait.
#pragma once

#include "aggregator/store/sqlite.h"

#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace vigil::aggregator {

/// A connection with the statements that were prepared on it.
class ReadConnection {
 public:
  explicit ReadConnection(Database database) : database_(std::move(database)) {}
  Database& database() { return database_; }
  /// `sql` must live as long as the connection: it is the key.
  Result<Statement*> statement(const char* sql);

 private:
  Database database_;
  std::map<const char*, Statement> statements_;
};

class ReadConnections {
 public:
  explicit ReadConnections(std::string vfs) : vfs_(std::move(vfs)) {}

  class Lease {
   public:
    Lease(ReadConnections& owner, std::int64_t file, std::unique_ptr<ReadConnection> connection)
        : owner_(&owner), file_(file), connection_(std::move(connection)) {}
    ~Lease() {
      if (connection_) owner_->give_back(file_, std::move(connection_));
    }
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ReadConnection* operator->() const { return connection_.get(); }
    ReadConnection& operator*() const { return *connection_; }

   private:
    ReadConnections* owner_;
    std::int64_t file_;
    std::unique_ptr<ReadConnection> connection_;
  };

  /// `file` is the number of the file; 0 for history.db.
  Result<Lease> borrow(std::int64_t file, const std::string& path);
  /// The file is gone: its idle connections are closed.
  void forget(std::int64_t file);
  /// Closes the idle connections; nobody may be reading.
  void close();

 private:
  struct Idle {
    std::int64_t file = 0;
    std::unique_ptr<ReadConnection> connection;
  };
  static constexpr std::size_t kMaxLent = 8;
  static constexpr std::size_t kMaxIdle = 64;  // some 200 descriptors

  void give_back(std::int64_t file, std::unique_ptr<ReadConnection> connection);

  const std::string vfs_;
  std::mutex mutex_;  // protects what follows
  std::condition_variable returned_;
  std::list<Idle> idle_;  // the most recently used first
  std::size_t lent_ = 0;
};

}  // namespace vigil::aggregator
