#include "aggregator/store/connections.h"

#include <algorithm>

namespace vigil::aggregator {
namespace {

/// Opens the file and, by looking into it, the log beside it. That there is no room for another open file is
/// no fault of who asks: Errc::io.
Result<Database> open_for_reading(const std::string& path, const std::string& vfs) {
  auto database = Database::open(path, Access::read_only, vfs);
  const auto looked =
      database ? database->integer("SELECT count(*) FROM sqlite_schema") : Result<std::int64_t>(0);
  if (database && looked) return database;
  Error error = database ? looked.error() : database.error();
  if (error.code == Errc::limit) error.code = Errc::io;
  return error;
}

}  // namespace

Result<Statement*> ReadConnection::statement(const char* sql) {
  const auto found = statements_.find(sql);
  if (found != statements_.end()) return &found->second;
  auto prepared = database_.prepare(sql);
  if (!prepared) return prepared.error();
  return &statements_.emplace(sql, std::move(*prepared)).first->second;
}

Result<ReadConnections::Lease> ReadConnections::borrow(std::int64_t file, const std::string& path) {
  {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [this] { return lent_ < kMaxLent; });
    ++lent_;
    const auto at =
        std::find_if(idle_.begin(), idle_.end(), [&](const Idle& idle) { return idle.file == file; });
    if (at != idle_.end()) {
      auto connection = std::move(at->connection);
      idle_.erase(at);
      return Lease(*this, file, std::move(connection));
    }
  }
  auto database = open_for_reading(path, vfs_);
  if (database) return Lease(*this, file, std::make_unique<ReadConnection>(std::move(*database)));
  const std::lock_guard lock(mutex_);
  --lent_;
  returned_.notify_one();
  return database.error();
}

void ReadConnections::give_back(std::int64_t file, std::unique_ptr<ReadConnection> connection) {
  std::list<Idle> evicted;  // closed without the lock
  const std::lock_guard lock(mutex_);
  --lent_;
  idle_.push_front({file, std::move(connection)});
  if (idle_.size() > kMaxIdle) evicted.splice(evicted.begin(), idle_, std::prev(idle_.end()));
  returned_.notify_one();
}

void ReadConnections::forget(std::int64_t file) {
  std::list<Idle> gone;
  const std::lock_guard lock(mutex_);
  for (auto at = idle_.begin(); at != idle_.end();) {
    const auto next = std::next(at);
    if (at->file == file) gone.splice(gone.begin(), idle_, at);
    at = next;
  }
}

void ReadConnections::close() {
  const std::lock_guard lock(mutex_);
  idle_.clear();
}

}  // namespace vigil::aggregator
