#include "aggregator/store/connections.h"

#include <algorithm>

namespace vigil::aggregator {

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
  auto database = Database::open(path, Access::read_only, vfs_);
  if (database) return Lease(*this, file, std::make_unique<ReadConnection>(std::move(*database)));
  const std::lock_guard lock(mutex_);
  --lent_;
  returned_.notify_one();
  // No files left to open, for now: that is no fault of who asks.
  Error error = database.error();
  if (error.code == Errc::limit) error.code = Errc::io;
  return error;
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
