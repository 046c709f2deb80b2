#include "aggregator/store/history.h"

#include "aggregator/store/folder.h"
#include "aggregator/store/recovery.h"
#include "aggregator/store/writer.h"
#include "common/clock.h"

#include <algorithm>
#include <map>
#include <set>

namespace vigil::aggregator {
namespace {

constexpr std::string_view kFileName = "history.db";

std::uint64_t size_of(const std::filesystem::path& path) {
  std::error_code error;  // stat(2) only: the file must never be opened here
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : size;
}

SeriesRange range_of(std::span<const SeriesId> series) {
  if (series.empty()) return {0, std::numeric_limits<std::int64_t>::max()};
  const auto [least, most] = std::minmax_element(series.begin(), series.end());
  return {*least, *most};
}

// A start that is refused says where.
Error in_folder(const HistoryOptions& options, const Error& error) {
  return fail(error.code, "{}: {}", options.directory.string(), error.message);
}

bool holds_any(const SealedBlock& block, std::span<const SeriesId> wanted) {
  if (wanted.empty()) return true;
  const auto& held = block.series();
  if (wanted.size() == 1) return std::find(held.begin(), held.end(), wanted.front()) != held.end();
  std::vector<SeriesId> sorted(wanted.begin(), wanted.end());
  std::sort(sorted.begin(), sorted.end());
  return std::any_of(held.begin(), held.end(),
                     [&](SeriesId id) { return std::binary_search(sorted.begin(), sorted.end(), id); });
}

}  // namespace

std::string_view to_string(HistoryState state) {
  switch (state) {
    case HistoryState::ok:
      return "ok";
    case HistoryState::full:
      return "full";
    case HistoryState::failed:
      return "failed";
  }
  return "unknown";
}

struct History::Parts {
  Parts(HistoryOptions given, FolderLock held, Tables tables)
      : options(std::move(given)),
        lock(std::move(held)),
        cache(options.cache_bytes),
        readers(options.directory / kFileName, options.vfs, cache),
        writer(std::move(tables), {options, cache, pending}) {}

  const HistoryOptions options;
  const FolderLock lock;
  BlockCache cache;
  PendingBlocks pending;
  Readers readers;
  Writer writer;
  std::atomic<std::uint64_t> damaged_blocks = 0;
  bool closed = false;

  // Held while an operation is pushed, so that ids reach the disk in the order in which they were given.
  std::mutex registry_mutex;
  std::vector<std::uint32_t> series_counts;  // by host
  std::map<SourceKey, SourceId> sources;
  SourceId next_source = 1;

  SourceId source_of(const SourceKey& key);
  Result<void> check_host(HostId host) const;
};

// The registry must be locked.
SourceId History::Parts::source_of(const SourceKey& key) {
  const auto found = sources.find(key);
  if (found != sources.end()) return found->second;
  const SourceId id = next_source++;
  sources[key] = id;
  writer.push(StoredSource{id, key});
  return id;
}

Result<void> History::Parts::check_host(HostId host) const {
  if (host < series_counts.size()) return {};
  return fail(Errc::invalid_argument, "host {} is not known: {} hosts are", host, series_counts.size());
}

History::History(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

History::~History() {
  close();
}

Result<std::unique_ptr<History>> History::open(HistoryOptions options) {
  if (!options.now_ms) options.now_ms = wall_ms;
  if (auto made = make_private_folder(options.directory); !made) return made.error();
  auto lock = FolderLock::take(options.directory);
  if (!lock) return lock.error();
  const std::filesystem::path path = options.directory / kFileName;
  if (auto made = make_private_file(path); !made) return made.error();
  auto tables = Tables::open(path, options.vfs);
  if (!tables) return tables.error();
  auto parts = std::make_unique<Parts>(std::move(options), std::move(*lock), std::move(*tables));
  return std::unique_ptr<History>(new History(std::move(parts)));
}

Result<Recovered> History::recover() {
  auto recovery = recover_from(parts_->writer.tables(), parts_->writer.index());
  if (!recovery) return in_folder(parts_->options, recovery.error());
  if (auto counted = parts_->writer.count_blocks(); !counted)
    return in_folder(parts_->options, counted.error());
  for (const RecoveredHost& host : recovery->recovered.hosts) {
    parts_->series_counts.push_back(static_cast<std::uint32_t>(host.series.size()));
  }
  for (const StoredSource& source : recovery->sources) {
    parts_->sources[source.key] = source.id;
    parts_->next_source = std::max(parts_->next_source, source.id + 1);
  }
  return std::move(recovery->recovered);
}

Result<Replayed> History::replay(const std::function<void(const JournalEntry&)>& visit) {
  auto replayed = replay_from(parts_->writer.tables(), parts_->writer.index(), visit);
  if (!replayed) return in_folder(parts_->options, replayed.error());
  return replayed;
}

void History::start(HistoryCallbacks callbacks) {
  parts_->writer.start(std::move(callbacks));
}

void History::close() {
  if (parts_->closed) return;
  parts_->closed = true;
  parts_->readers.close();  // or the last checkpoint could not empty the WAL
  parts_->writer.stop();
}

Result<void> History::put_host(HostRecord host) {
  const std::lock_guard lock(parts_->registry_mutex);
  auto& counts = parts_->series_counts;
  if (host.id > counts.size()) return parts_->check_host(host.id);
  if (host.id == counts.size()) counts.push_back(0);
  parts_->writer.push(std::move(host));
  return {};
}

Result<void> History::forget_host(HostRecord host) {
  const std::lock_guard lock(parts_->registry_mutex);
  if (auto known = parts_->check_host(host.id); !known) return known;
  parts_->series_counts[host.id] = 0;
  parts_->writer.push(ForgetHost{std::move(host)});
  return {};
}

Result<void> History::put_series(HostId host, std::vector<SeriesRecord> series) {
  const std::lock_guard lock(parts_->registry_mutex);
  if (auto known = parts_->check_host(host); !known) return known;
  std::uint32_t& count = parts_->series_counts[host];
  std::uint32_t next = count;
  for (const SeriesRecord& each : series) {
    if (each.id > next)
      return fail(Errc::invalid_argument, "host {}: series {} comes before {}", host, each.id, next);
    if (each.id == next) ++next;
  }
  count = next;
  for (SeriesRecord& each : series) {
    const SourceId source = parts_->source_of(each.source);
    parts_->writer.push(PutSeries{host, source, std::move(each)});
  }
  return {};
}

bool History::journal(JournalEntry entry) {
  return parts_->writer.push_entry(std::move(entry));
}

Result<void> History::seal(HostId host, std::vector<SealedPart> parts, std::vector<SealCursor> cursors) {
  const std::lock_guard lock(parts_->registry_mutex);
  if (auto known = parts_->check_host(host); !known) return known;
  for (const SealedPart& part : parts) {
    if (!part.block) return fail(Errc::invalid_argument, "host {}: a part without a block", host);
    if (part.block->last_ms() - part.block->first_ms() <= kMaxBlockSpanMs) continue;
    return fail(Errc::invalid_argument, "host {}: a block from {} to {} spans more than {} ms", host,
                part.block->first_ms(), part.block->last_ms(), kMaxBlockSpanMs);
  }
  SealBlocks seal{host, {}, std::move(cursors)};
  for (SealedPart& part : parts)
    seal.blocks.push_back({parts_->source_of(part.source), std::move(part.block)});
  parts_->pending.add(host, seal.blocks);
  parts_->writer.push(std::move(seal));
  return {};
}

Result<void> History::put_gap(GapRecord gap) {
  const std::lock_guard lock(parts_->registry_mutex);
  if (auto known = parts_->check_host(gap.host); !known) return known;
  parts_->writer.push(std::move(gap));
  return {};
}

Result<std::vector<std::shared_ptr<const SealedBlock>>> History::read(HostId host,
                                                                      std::span<const SeriesId> series,
                                                                      std::int64_t start_ms,
                                                                      std::int64_t end_ms) const {
  // Pending ones first: a block that is committed between the two looks is then seen twice, never missed.
  const std::vector<FoundBlock> pending = parts_->pending.find(host, {start_ms, end_ms});
  auto stored = parts_->readers.blocks(host, {start_ms, end_ms}, range_of(series));
  if (!stored) return stored.error();
  parts_->damaged_blocks += stored->damaged;
  std::map<std::pair<std::int64_t, std::int64_t>, std::shared_ptr<const SealedBlock>>
      by_time;  // first time, source
  for (FoundBlock& found : stored->blocks)
    by_time[{found.block->first_ms(), found.source}] = std::move(found.block);
  for (const FoundBlock& found : pending) by_time[{found.block->first_ms(), found.source}] = found.block;
  std::vector<std::shared_ptr<const SealedBlock>> blocks;
  for (auto& [key, block] : by_time) {
    if (holds_any(*block, series)) blocks.push_back(std::move(block));
  }
  return blocks;
}

Result<std::vector<GapRecord>> History::gaps(HostId host, std::int64_t start_ms, std::int64_t end_ms) const {
  return parts_->readers.gaps(host, {start_ms, end_ms});
}

Result<std::int64_t> History::newest_ms(HostId host, std::string_view except) const {
  return parts_->readers.newest_ms(host, except);
}

Result<void> History::sync() {
  return parts_->writer.sync();
}

Result<void> History::tidy() {
  return parts_->writer.tidy();
}

const Worker& History::worker() const {
  return parts_->writer.worker();
}

HistoryHealth History::health() const {
  return parts_->writer.health();
}

HistoryStats History::stats() const {
  HistoryStats stats = parts_->writer.stats();
  const std::string path = (parts_->options.directory / kFileName).string();
  stats.disk_bytes = size_of(path) + size_of(path + "-wal") + size_of(path + "-shm");
  stats.damaged_blocks = parts_->damaged_blocks;
  return stats;
}

}  // namespace vigil::aggregator
