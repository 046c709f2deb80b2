#include "aggregator/store/reader.h"

#include "aggregator/store/history.h"
#include "common/log/log.h"

namespace vigil::aggregator {
namespace {

// block_by_time finds the rows: a block that overlaps ends at or after the start, and at most a block's span
// after the end.
constexpr std::string_view kFind =
    "SELECT block, source FROM block_index WHERE host=?1 AND last_ms>=?2 AND last_ms<=?3 AND first_ms<=?4 "
    "AND first_series<=?6 AND last_series>=?5 ORDER BY first_ms, source";
constexpr std::string_view kLoad = "SELECT data FROM block WHERE id=?";
constexpr std::string_view kGaps =
    "SELECT first_ms, last_ms, reason FROM gap WHERE host=?1 AND last_ms>=?2 AND first_ms<=?3 ORDER BY "
    "first_ms, last_ms";
// block_by_time again, from its end: a few rows are looked at.
constexpr std::string_view kNewest =
    "SELECT last_ms FROM block_index WHERE host=?1 AND source NOT IN (SELECT id FROM source WHERE job=?2) "
    "ORDER BY last_ms DESC LIMIT 1";

std::int64_t add_saturating(std::int64_t left, std::int64_t right) {
  std::int64_t sum = 0;
  return __builtin_add_overflow(left, right, &sum) ? std::numeric_limits<std::int64_t>::max() : sum;
}

}  // namespace

/// Gives a connection back whatever happens.
class Readers::Lease {
 public:
  Lease(Readers& readers, std::unique_ptr<Connection> connection)
      : readers_(readers), connection_(std::move(connection)) {}
  ~Lease() { readers_.give_back(std::move(connection_)); }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  Connection& operator*() const { return *connection_; }

 private:
  Readers& readers_;
  std::unique_ptr<Connection> connection_;
};

Result<std::unique_ptr<Readers::Connection>> Readers::connect() const {
  auto connection = std::make_unique<Connection>();
  auto database = Database::open(path_, Access::read_only, vfs_);
  if (!database) return database.error();
  connection->database = std::move(*database);
  for (auto [statement, sql] : {std::pair{&connection->find, kFind},
                                {&connection->load, kLoad},
                                {&connection->gaps, kGaps},
                                {&connection->newest, kNewest}}) {
    auto prepared = connection->database.prepare(sql);
    if (!prepared) return prepared.error();
    *statement = std::move(*prepared);
  }
  return connection;
}

Result<std::unique_ptr<Readers::Connection>> Readers::borrow() {
  {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [this] { return !idle_.empty() || made_ < kMaxConnections; });
    if (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
    ++made_;
  }
  auto connection = connect();
  if (!connection) {
    const std::lock_guard lock(mutex_);
    --made_;
    returned_.notify_one();
  }
  return connection;
}

void Readers::give_back(std::unique_ptr<Connection> connection) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(connection));
  returned_.notify_one();
}

void Readers::close() {
  const std::lock_guard lock(mutex_);
  made_ -= idle_.size();
  idle_.clear();
}

Result<std::shared_ptr<const SealedBlock>> Readers::load(Connection& connection, std::int64_t id) {
  if (auto cached = cache_.find(id)) return cached;
  connection.load.bind(id);
  auto row = connection.load.step();
  if (!row) return row.error();
  if (!*row) return fail(Errc::corrupt, "block {} is in the index but not in the table", id);
  auto block = SealedBlock::open(std::string(connection.load.bytes(0)));
  connection.load.reset();
  if (!block) return block.error();
  cache_.put(id, *block);
  return *block;
}

Result<FoundBlocks> Readers::read_blocks(Connection& connection, HostId host, TimeRange range,
                                         SeriesRange series) {
  FoundBlocks found;
  Statement& find = connection.find;
  find.bind(std::int64_t{host}, range.start_ms, add_saturating(range.end_ms, kMaxBlockSpanMs), range.end_ms,
            series.least, series.most);
  auto more = find.step();
  for (; more && *more; more = find.step()) {
    const std::int64_t id = find.integer(0);
    auto block = load(connection, id);
    if (block) {
      found.blocks.push_back({find.integer(1), std::move(*block)});
    } else if (block.error().code == Errc::corrupt) {
      ++found.damaged;
      log::error("history", "a damaged block is left out",
                 {{"host", host}, {"block", id}, {"error", block.error()}});
    } else {
      find.reset();
      return block.error();
    }
  }
  if (!more) return more.error();
  return found;
}

Result<FoundBlocks> Readers::blocks(HostId host, TimeRange range, SeriesRange series) {
  auto borrowed = borrow();
  if (!borrowed) return borrowed.error();
  const Lease lease(*this, std::move(*borrowed));
  // One snapshot for index and blocks, or a block that is replaced in between would be missed.
  if (auto begun = (*lease).database.execute("BEGIN"); !begun) return begun.error();
  auto found = read_blocks(*lease, host, range, series);
  if (auto ended = (*lease).database.execute("COMMIT"); !ended && found) return ended.error();
  return found;
}

Result<std::vector<GapRecord>> Readers::gaps(HostId host, TimeRange range) {
  auto borrowed = borrow();
  if (!borrowed) return borrowed.error();
  const Lease lease(*this, std::move(*borrowed));
  std::vector<GapRecord> gaps;
  Statement& find = (*lease).gaps;
  find.bind(std::int64_t{host}, range.start_ms, range.end_ms);
  auto more = find.step();
  for (; more && *more; more = find.step()) {
    gaps.push_back({host, find.integer(0), find.integer(1), std::string(find.bytes(2))});
  }
  if (!more) return more.error();
  return gaps;
}

Result<std::int64_t> Readers::newest_ms(HostId host, std::string_view except) {
  auto borrowed = borrow();
  if (!borrowed) return borrowed.error();
  const Lease lease(*this, std::move(*borrowed));
  Statement& find = (*lease).newest;
  find.bind(std::int64_t{host}, except);
  const auto found = find.step();
  if (!found) return found.error();
  const std::int64_t newest = *found ? find.integer(0) : 0;
  find.reset();
  return newest;
}

}  // namespace vigil::aggregator
