#include "aggregator/store/reader.h"

#include "aggregator/store/block_index.h"
#include "aggregator/store/found_blocks.h"
#include "common/log/log.h"

#include <algorithm>

namespace vigil::aggregator {
namespace {

const std::string kFind = over_buckets(
    "block, source", "host=?3 AND last_ms>=?4 AND first_ms<=?5 AND first_series<=?7 AND last_series>=?6");
constexpr const char* kLoad = "SELECT data FROM block WHERE id=?";
constexpr const char* kGaps =
    "SELECT first_ms, last_ms, reason FROM gap WHERE host=?1 AND last_ms>=?2 AND first_ms<=?3 ORDER BY "
    "first_ms, last_ms";
constexpr const char* kRuns = "SELECT start_ms, alive_ms FROM run ORDER BY start_ms";
constexpr const char* kSources = "SELECT id FROM source WHERE job=?";
const std::string kLatest = over_buckets_backwards("i.bucket, last_ms, source", "host=?3");
constexpr int kTries = 3;  // a file may be replaced by a compacted one between catalogue and opening

}  // namespace

Result<std::shared_ptr<const SealedBlock>> Readers::load(ReadConnection& connection, const BlockKey& key) {
  if (auto cached = cache_.find(key)) return cached;
  auto load = connection.statement(kLoad);
  if (!load) return load.error();
  (*load)->bind(key.row);
  auto row = (*load)->step();
  if (!row) return row.error();
  if (!*row) return fail(Errc::corrupt, "block {} is in the index but not in the table", key.row);
  auto block = SealedBlock::open(std::string((*load)->bytes(0)));
  (*load)->reset();
  if (!block) return block.error();
  cache_.put(key, *block);
  return *block;
}

Result<void> Readers::read_blocks(ReadConnection& connection, const PartitionInfo& partition,
                                  const BlockQuery& query, FoundBlocks& found) {
  auto find = connection.statement(kFind.c_str());
  if (!find) return find.error();
  // A block that overlaps begins at most its span before the start, and in the file's time.
  const std::int64_t span = max_block_span_ms(query.tier);
  const std::int64_t period = partition.file.period_ms;
  const std::int64_t earliest = query.range.start_ms > period + span ? query.range.start_ms - span : period;
  (*find)->bind(bucket_of(earliest), bucket_of(query.range.end_ms), std::int64_t{query.host},
                query.range.start_ms, query.range.end_ms, query.series.least, query.series.most);
  auto more = (*find)->step();
  for (; more && *more; more = (*find)->step()) {
    const BlockKey key{partition.file.number, (*find)->integer(0)};
    auto block = load(connection, key);
    if (block) {
      found.blocks.push_back({(*find)->integer(1), std::move(*block)});
    } else if (block.error().code == Errc::corrupt) {
      ++found.damaged;
      log::error(
          "history", "a damaged block is left out",
          {{"host", query.host}, {"file", partition.path}, {"block", key.row}, {"error", block.error()}});
    } else {
      (*find)->reset();
      return block.error();
    }
  }
  if (!more) return more.error();
  return {};
}

Result<void> Readers::read_partition(const PartitionInfo& partition, const BlockQuery& query,
                                     FoundBlocks& found) {
  auto connection = connections_.borrow(partition.file.number, partition.path);
  if (!connection) return connection.error();
  // One snapshot for index and blocks, or a block that is replaced in between would be missed.
  if (auto begun = (*connection)->database().execute("BEGIN"); !begun) return begun;
  auto read = read_blocks(**connection, partition, query, found);
  if (auto ended = (*connection)->database().execute("COMMIT"); !ended && read) return ended;
  return read;
}

Result<FoundBlocks> Readers::blocks(const BlockQuery& query) {
  Error last;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    FoundBlocks found;
    bool vanished = false;
    for (const PartitionInfo& partition :
         catalogue_.overlapping(query.tier, query.range.start_ms, query.range.end_ms)) {
      const auto read = read_partition(partition, query, found);
      if (read) continue;
      last = read.error();
      vanished = !catalogue_.find(partition.file.number);
      if (vanished) break;
      if (last.code != Errc::corrupt) return last;
      ++found.damaged;  // a whole file: the others are read all the same
      log::error("history", "a partition cannot be read", {{"file", partition.path}, {"error", last}});
    }
    if (vanished) continue;
    sort_by_time(found.blocks);  // not by SQLite, whose rows are in this order where a host has one source
    return found;
  }
  return last;
}

Result<std::vector<GapRecord>> Readers::gaps(HostId host, TimeRange range) {
  auto connection = connections_.borrow(0, index_.string());
  if (!connection) return connection.error();
  auto find = (*connection)->statement(kGaps);
  if (!find) return find.error();
  std::vector<GapRecord> gaps;
  (*find)->bind(std::int64_t{host}, range.start_ms, range.end_ms);
  auto more = (*find)->step();
  for (; more && *more; more = (*find)->step()) {
    gaps.push_back({host, (*find)->integer(0), (*find)->integer(1), std::string((*find)->bytes(2))});
  }
  if (!more) return more.error();
  return gaps;
}

Result<std::vector<RunRecord>> Readers::runs() {
  auto connection = connections_.borrow(0, index_.string());
  if (!connection) return connection.error();
  auto find = (*connection)->statement(kRuns);
  if (!find) return find.error();
  std::vector<RunRecord> runs;
  auto more = (*find)->step();
  for (; more && *more; more = (*find)->step()) runs.push_back({(*find)->integer(0), (*find)->integer(1)});
  if (!more) return more.error();
  return runs;
}

Result<std::vector<std::int64_t>> Readers::sources_of(std::string_view job) {
  auto connection = connections_.borrow(0, index_.string());
  if (!connection) return connection.error();
  auto find = (*connection)->statement(kSources);
  if (!find) return find.error();
  std::vector<std::int64_t> sources;
  (*find)->bind(job);
  auto more = (*find)->step();
  for (; more && *more; more = (*find)->step()) sources.push_back((*find)->integer(0));
  if (!more) return more.error();
  return sources;
}

Result<std::int64_t> Readers::newest_ms(HostId host, std::string_view except) {
  const auto left_out = sources_of(except);
  if (!left_out) return left_out.error();
  auto partitions = catalogue_.all(Tier::raw);
  std::stable_sort(
      partitions.begin(), partitions.end(),
      [](const PartitionInfo& left, const PartitionInfo& right) { return left.last_ms > right.last_ms; });
  std::int64_t newest = 0;
  for (const PartitionInfo& partition : partitions) {
    if (partition.empty() || partition.last_ms <= newest) break;
    auto connection = connections_.borrow(partition.file.number, partition.path);
    if (!connection) return connection.error();
    auto find = (*connection)->statement(kLatest.c_str());
    if (!find) return find.error();
    (*find)->bind(bucket_of(partition.file.period_ms), bucket_of(partition.last_ms), std::int64_t{host});
    auto more = (*find)->step();
    for (; more && *more; more = (*find)->step()) {
      const std::int64_t latest_end = ((*find)->integer(0) + 1) * kBucketMs + max_block_span_ms(Tier::raw);
      if (latest_end <= newest) break;
      if (std::ranges::find(*left_out, (*find)->integer(2)) == left_out->end())
        newest = std::max(newest, (*find)->integer(1));
    }
    (*find)->reset();
    if (!more) return more.error();
  }
  return newest;
}

}  // namespace vigil::aggregator
