// Read-only connections to history.db, and what is read through them. Thread-safe: a connection is lent to
// one caller at a time and made when none is idle; callers beyond the limit wait.
#pragma once

#include "aggregator/store/block_cache.h"
#include "aggregator/store/records.h"
#include "aggregator/store/sqlite.h"

#include <condition_variable>
#include <mutex>
#include <vector>

namespace vigil::aggregator {

struct TimeRange {
  std::int64_t start_ms = 0;  // inclusive
  std::int64_t end_ms = 0;    // inclusive
};

/// The span of ids of the series that are wanted: a cheap first sieve.
struct SeriesRange {
  std::int64_t least = 0;
  std::int64_t most = 0;
};

struct FoundBlock {
  std::int64_t source = 0;
  std::shared_ptr<const SealedBlock> block;
};

struct FoundBlocks {
  std::vector<FoundBlock> blocks;  // by first time, then source
  std::size_t damaged = 0;         // left out
};

class Readers {
 public:
  Readers(std::filesystem::path path, std::string vfs, BlockCache& cache)
      : path_(std::move(path)), vfs_(std::move(vfs)), cache_(cache) {}

  Result<FoundBlocks> blocks(HostId host, TimeRange range, SeriesRange series);
  Result<std::vector<GapRecord>> gaps(HostId host, TimeRange range);
  /// As History::newest_ms().
  Result<std::int64_t> newest_ms(HostId host, std::string_view except);
  /// Closes the idle connections; nobody may be reading.
  void close();

 private:
  struct Connection {
    Database database;
    Statement find;
    Statement load;
    Statement gaps;
    Statement newest;
  };
  class Lease;
  static constexpr std::size_t kMaxConnections = 4;

  Result<std::unique_ptr<Connection>> connect() const;
  Result<std::unique_ptr<Connection>> borrow();
  void give_back(std::unique_ptr<Connection> connection);
  Result<FoundBlocks> read_blocks(Connection& connection, HostId host, TimeRange range, SeriesRange series);
  Result<std::shared_ptr<const SealedBlock>> load(Connection& connection, std::int64_t id);

  const std::filesystem::path path_;
  const std::string vfs_;
  BlockCache& cache_;
  std::mutex mutex_;  // protects what follows
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Connection>> idle_;
  std::size_t made_ = 0;
};

}  // namespace vigil::aggregator
