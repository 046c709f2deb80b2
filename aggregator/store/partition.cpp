#include "aggregator/store/partition.h"

#include "aggregator/store/block_index.h"
#include "aggregator/store/folder.h"
#include "aggregator/store/migrations.h"

#include <algorithm>

namespace vigil::aggregator {
namespace {

constexpr const char* kGrowing =
    "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=OFF; "
    "PRAGMA cache_size=-8000;";
constexpr const char* kBuilding =
    "PRAGMA page_size=4096; PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; PRAGMA secure_delete=OFF; "
    "PRAGMA cache_size=-8000;";

constexpr const char* kUnlist =
    "DELETE FROM block_index WHERE bucket=? AND host=? AND source=? AND first_ms=? AND block=?";

int note_wal_pages(void* pages, sqlite3* /*database*/, const char* /*name*/, int count) {
  *static_cast<int*>(pages) = count;
  return SQLITE_OK;
}

constexpr auto kByFirst = [](const SeriesRun& left, const SeriesRun& right) {
  return std::pair(left.first, left.last) < std::pair(right.first, right.last);
};

std::uint64_t unsigned_of(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}

Result<PartitionContents> contents_of(Database& database) {
  auto sums = database.prepare(
      "SELECT count(*), coalesce(sum(bytes), 0), coalesce(sum(samples), 0), coalesce(min(first_ms), 0), "
      "coalesce(max(last_ms), -1) FROM block_index");
  if (!sums) return sums.error();
  const auto row = sums->step();
  if (!row) return row.error();
  return PartitionContents{
      {unsigned_of(sums->integer(0)), unsigned_of(sums->integer(1)), unsigned_of(sums->integer(2))},
      sums->integer(3),
      sums->integer(4)};
}

/// Whether each sample of `part` is in `whole`, which has the same series.
bool holds(const SealedBlock& whole, const SealedBlock& part) {
  const auto all = whole.decode();
  const auto some = part.decode();
  if (!all || !some) return false;
  const auto& times = all->times_ms;
  for (std::size_t row = 0; row < some->times_ms.size(); ++row) {
    const auto at = std::ranges::lower_bound(times, some->times_ms[row]);
    if (at == times.end() || *at != some->times_ms[row]) return false;
    const auto same = static_cast<std::size_t>(at - times.begin());
    for (std::size_t column = 0; column < some->series.size(); ++column) {
      const std::int64_t value = some->values[column * some->times_ms.size() + row];
      if (value != kAbsent && value != all->values[column * times.size() + same]) return false;
    }
  }
  return true;
}

}  // namespace

Result<PartitionContents> Partition::look(const std::filesystem::path& path, const std::string& vfs) {
  // For writing: a process that was killed while it made the file left a journal that only a writer may roll
  // back.
  auto database = Database::open(path, Access::read_write, vfs);
  if (!database) return database.error();
  const auto tables = database->integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  if (*tables == 0) return PartitionContents{};
  const auto version = database->integer("PRAGMA user_version");
  if (!version) return version.error();
  if (auto migrated = migrate(*database, partition_format(), path.string()); !migrated)
    return migrated.error();
  if (*version < static_cast<std::int64_t>(partition_format().steps.size())) {
    // Out of the log, where there is one: nobody adds to this file, so nobody would do it.
    if (auto moved = database->execute("PRAGMA wal_checkpoint(TRUNCATE)"); !moved) return moved.error();
  }
  return contents_of(*database);
}

Result<Partition> Partition::make(const std::filesystem::path& path, const std::string& vfs,
                                  const char* modes) {
  if (auto made = make_private_file(path); !made) return made.error();
  auto database = Database::open(path, Access::read_write, vfs);
  if (!database) return database.error();
  Partition partition;
  partition.database_ = std::move(*database);
  partition.wal_pages_ = std::make_unique<int>(0);
  sqlite3_wal_hook(partition.database_.handle(), note_wal_pages, partition.wal_pages_.get());
  if (auto set = partition.database_.execute(modes); !set)
    return fail(set.error().code, "{}: {}", path.string(), set.error().message);
  if (auto migrated = migrate(partition.database_, partition_format(), path.string()); !migrated)
    return migrated.error();
  const auto last = partition.database_.integer("SELECT coalesce(max(id), 0) FROM block");
  if (!last) return fail(last.error().code, "{}: {}", path.string(), last.error().message);
  partition.next_id_ = *last + 1;
  if (auto loaded = partition.load_held(); !loaded)
    return fail(loaded.error().code, "{}: {}", path.string(), loaded.error().message);
  return partition;
}

Result<Partition> Partition::open(const std::filesystem::path& path, const std::string& vfs) {
  return make(path, vfs, kGrowing);
}

Result<Partition> Partition::build(const std::filesystem::path& path, const std::string& vfs) {
  return make(path, vfs, kBuilding);
}

Result<Statement*> Partition::statement(const char* sql) {
  const auto found = statements_.find(sql);
  if (found != statements_.end()) return &found->second;
  auto prepared = database_.prepare(sql);
  if (!prepared) return prepared.error();
  return &statements_.emplace(sql, std::move(*prepared)).first->second;
}

Result<std::vector<std::pair<std::int64_t, BlockTotals>>> Partition::replaced_by(const NewBlock& block) {
  std::vector<std::pair<std::int64_t, BlockTotals>> replaced;
  auto find = statement(
      "SELECT block_index.block, bytes, samples, data FROM block_index JOIN block ON "
      "block.id=block_index.block "
      "WHERE bucket=?1 AND host=?2 AND source=?3 AND first_ms=?4 AND last_ms<=?5");
  if (!find) return find.error();
  (*find)->bind(bucket_of(block.block->first_ms()), std::int64_t{block.host}, block.source,
                block.block->first_ms(), block.block->last_ms());
  auto more = (*find)->step();
  for (; more && *more; more = (*find)->step()) {
    const Statement& row = **find;
    const auto old = SealedBlock::open(std::string(row.bytes(3)));
    const bool covered = old && (*old)->rows() <= block.block->rows() &&
                         std::ranges::equal((*old)->series(), block.block->series()) &&
                         holds(*block.block, **old);
    if (covered)
      replaced.push_back({row.integer(0), {1, unsigned_of(row.integer(1)), unsigned_of(row.integer(2))}});
  }
  if (!more) return more.error();
  return replaced;
}

Result<StoredBlock> Partition::put_block(const NewBlock& block) {
  const auto replaced = replaced_by(block);
  if (!replaced) return replaced.error();
  StoredBlock stored;
  for (const auto& [id, totals] : *replaced) {
    auto drop = statement("DELETE FROM block WHERE id=?");
    if (!drop) return drop.error();
    auto dropped = (*drop)->run(id);
    auto unlist = statement(kUnlist);
    if (!unlist) return unlist.error();
    const std::int64_t first_ms = block.block->first_ms();
    if (dropped)
      dropped = (*unlist)->run(bucket_of(first_ms), std::int64_t{block.host}, block.source, first_ms, id);
    if (!dropped) return dropped.error();
    stored.replaced += totals;
  }
  const SealedBlock& sealed = *block.block;
  const auto [least, most] = std::minmax_element(sealed.series().begin(), sealed.series().end());
  stored.id = next_id_++;  // an id that a failed transaction used is left unused
  auto insert = statement("INSERT INTO block VALUES(?,?)");
  if (!insert) return insert.error();
  if (auto put = (*insert)->run(stored.id, Blob{sealed.bytes()}); !put) return put.error();
  auto list = statement("INSERT INTO block_index VALUES(?,?,?,?,?,?,?,?,?,?)");
  if (!list) return list.error();
  auto listed = (*list)->run(bucket_of(sealed.first_ms()), std::int64_t{block.host}, block.source,
                             sealed.first_ms(), stored.id, sealed.last_ms(), std::int64_t{*least},
                             std::int64_t{*most}, static_cast<std::int64_t>(sealed.samples()),
                             static_cast<std::int64_t>(sealed.bytes().size()));
  if (!listed) return listed.error();
  hold(block);
  return stored;
}

Result<void> Partition::load_held() {
  auto read = database_.prepare("SELECT host, first_series, last_series FROM held");
  if (!read) return read.error();
  auto more = read->step();
  for (; more && *more; more = read->step())
    held_[static_cast<HostId>(read->integer(0))].add(
        {static_cast<SeriesId>(read->integer(1)), static_cast<SeriesId>(read->integer(2))});
  if (!more) return more.error();
  return {};
}

// A source's block has the series of the one before, but for a few: nearly always there is nothing to add,
// and nothing is written.
void Partition::hold(const NewBlock& block) {
  const auto grown = growing_.find(block.host);
  const SeriesSet& known = grown != growing_.end() ? grown->second : held_[block.host];
  std::vector<SeriesId> fresh;
  for (const SeriesId column : block.block->series()) {
    const SeriesId id = column / block.columns_per_series;
    if (known.contains(id) || (!fresh.empty() && fresh.back() == id)) continue;
    if (!std::ranges::binary_search(block.brief, id)) fresh.push_back(id);
  }
  if (fresh.empty()) return;
  growing_.try_emplace(block.host, known).first->second.add_all(fresh);
}

/// Writes the runs that differ.
Result<void> Partition::put_held(HostId host, const SeriesSet& before, const SeriesSet& after) {
  std::vector<SeriesRun> gone;
  std::vector<SeriesRun> come;
  std::ranges::set_difference(before.runs(), after.runs(), std::back_inserter(gone), kByFirst);
  std::ranges::set_difference(after.runs(), before.runs(), std::back_inserter(come), kByFirst);
  for (const SeriesRun& run : gone) {
    auto drop = statement("DELETE FROM held WHERE host=? AND first_series=?");
    if (!drop) return drop.error();
    if (auto dropped = (*drop)->run(std::int64_t{host}, std::int64_t{run.first}); !dropped) return dropped;
  }
  for (const SeriesRun& run : come) {
    auto put = statement("INSERT INTO held VALUES(?,?,?)");
    if (!put) return put.error();
    auto done = (*put)->run(std::int64_t{host}, std::int64_t{run.first}, std::int64_t{run.last});
    if (!done) return done;
  }
  return {};
}

Result<void> Partition::commit() {
  for (const auto& [host, after] : growing_) {
    if (auto put = put_held(host, held_[host], after); !put) return put;
  }
  if (auto committed = database_.execute("COMMIT"); !committed) return committed;
  for (auto& [host, after] : growing_) held_[host] = std::move(after);
  growing_.clear();
  return {};
}

void Partition::rollback() {
  growing_.clear();
  (void)database_.execute("ROLLBACK");
}

Result<BlockTotals> Partition::remove(HostId host, SourceId source, TimeRange range) {
  BlockTotals gone;
  std::vector<std::pair<std::int64_t, std::int64_t>> old;  // first_ms, block
  static const std::string within = over_buckets("first_ms, block, bytes, samples",
                                                 "host=?3 AND source=?4 AND first_ms>=?5 AND last_ms<=?6");
  auto find = statement(within.c_str());
  if (!find) return find.error();
  (*find)->bind(bucket_of(range.start_ms), bucket_of(range.end_ms), std::int64_t{host}, source,
                range.start_ms, range.end_ms);
  auto more = (*find)->step();
  for (; more && *more; more = (*find)->step()) {
    const Statement& row = **find;
    old.emplace_back(row.integer(0), row.integer(1));
    ++gone.blocks;
    gone.bytes += unsigned_of(row.integer(2));
    gone.samples += unsigned_of(row.integer(3));
  }
  if (!more) return more.error();
  for (const auto& [first_ms, id] : old) {
    auto drop = statement("DELETE FROM block WHERE id=?");
    auto unlist = statement(kUnlist);
    if (!drop || !unlist) return drop ? unlist.error() : drop.error();
    if (auto dropped = (*drop)->run(id); !dropped) return dropped.error();
    if (auto dropped = (*unlist)->run(bucket_of(first_ms), std::int64_t{host}, source, first_ms, id);
        !dropped)
      return dropped.error();
  }
  return gone;
}

Result<PartitionContents> Partition::contents() {
  return contents_of(database_);
}

Result<void> Partition::each_host(const std::function<void(HostId, std::int64_t)>& visit) {
  auto hosts = database_.prepare("SELECT host, max(last_series) FROM block_index GROUP BY host");
  if (!hosts) return hosts.error();
  auto more = hosts->step();
  for (; more && *more; more = hosts->step())
    visit(static_cast<HostId>(hosts->integer(0)), hosts->integer(1));
  if (!more) return more.error();
  return {};
}

Result<bool> Partition::checkpoint(int mode) {
  int frames = 0;
  int done = 0;
  const int code = sqlite3_wal_checkpoint_v2(database_.handle(), "main", mode, &frames, &done);
  if (code == SQLITE_OK && frames == done) {
    *wal_pages_ = 0;
    return true;
  }
  if (code == SQLITE_OK || code == SQLITE_BUSY) return false;  // a reader is in the way
  return sqlite_error(database_.handle(), "checkpoint");
}

Result<void> Partition::finish() {
  // The last commit syncs the file, and with it all that was written before.
  const std::string last =
      fmt::format("PRAGMA synchronous=FULL; PRAGMA user_version={};", partition_format().steps.size());
  return database_.execute(last.c_str());
}

}  // namespace vigil::aggregator
