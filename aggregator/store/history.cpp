#include "aggregator/store/history.h"

#include "aggregator/store/file_stats.h"
#include "aggregator/store/files.h"
#include "aggregator/store/folder.h"
#include "aggregator/store/found_blocks.h"
#include "aggregator/store/keeper.h"
#include "aggregator/store/known_formats.h"
#include "aggregator/store/legacy.h"
#include "aggregator/store/recovery.h"
#include "aggregator/store/wal.h"
#include "aggregator/store/writer.h"
#include "common/clock.h"
#include "common/log/log.h"

#include <algorithm>
#include <map>
#include <set>

namespace vigil::aggregator {
namespace {

constexpr std::int64_t kRunNotedMs = 120'000;  // at the latest

SeriesRange range_of(std::span<const SeriesId> series) {
  if (series.empty()) return {0, std::numeric_limits<std::int64_t>::max()};
  const auto [least, most] = std::minmax_element(series.begin(), series.end());
  return {*least, *most};
}

// A start that is refused says where.
Error in_folder(const HistoryOptions& options, const Error& error) {
  return fail(error.code, "{}: {}", options.directory.string(), error.message);
}

/// Files without the index that says what is in them: a new one would give their numbers and hosts to others.
Result<void> refuse_orphans(const HistoryOptions& options) {
  std::error_code no_file;
  constexpr std::uintmax_t kHeaderBytes = 100;  // less is no database, and SQLite takes it for an empty one
  const auto size = std::filesystem::file_size(options.directory / kIndexFile, no_file);
  if (!no_file && size >= kHeaderBytes) return {};
  std::error_code error;
  auto entry = std::filesystem::directory_iterator(options.directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename();
    const bool ours = name.starts_with("journal-") || name.starts_with("raw-") ||
                      name.starts_with("minute-") || name.starts_with("hour-");
    if (!ours || !name.ends_with(".db") || !database_exists(entry->path(), options.vfs)) continue;
    return fail(
        Errc::corrupt,
        "{} is missing or empty, but there is {}, which nobody can read without it: restore a backup into "
        "another folder, or move everything in this one away to begin anew",
        (options.directory / kIndexFile).string(), name);
  }
  if (error) return fail_errno(error.value(), "read " + options.directory.string());
  return {};
}

/// When the folder's lock was last touched: each second of a run. 0 when there is none.
std::int64_t last_touched_ms(const std::filesystem::path& folder) {
  std::error_code error;
  const auto touched = std::filesystem::last_write_time(folder / "lock", error);
  if (error) return 0;
  const auto since = std::chrono::file_clock::to_sys(touched).time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

/// A run that was killed noted its life up to a minute before its end: its lock knows better, unless
/// somebody copied it.
Result<void> complete_last_run(Tables& tables, std::int64_t touched_ms) {
  auto runs = tables.runs();
  if (!runs) return runs.error();
  RunRecord last;  // before that: a clock that was ahead may have left others
  for (const RunRecord& run : *runs) {
    if (run.alive_ms < touched_ms && run.alive_ms > last.alive_ms) last = run;
  }
  if (last.start_ms == 0 || touched_ms > last.alive_ms + kRunNotedMs) return {};
  last.alive_ms = touched_ms;
  auto put = tables.put_run(last);
  return !put && put.error().code == Errc::limit ? Result<void>() : put;  // a full disk hinders no start
}

/// So far from those the index knows that nobody gave it.
void tell_of_strange_id(std::int64_t id, std::string_view what) {
  log::error("history", "the index of a day's blocks names an id that cannot be: see vigil db check",
             {{"id", id}, {"of", what}});
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
        readers(options.directory / kIndexFile, options.vfs, cache, catalogue),
        writer(std::move(tables), {options, cache, pending, catalogue, readers.connections()}),
        keeper(options, writer, {catalogue, pending, readers.connections()}) {}

  const HistoryOptions options;
  const FolderLock lock;
  BlockCache cache;
  PendingBlocks pending;
  Catalogue catalogue;
  Readers readers;
  Writer writer;
  Keeper keeper;
  std::atomic<std::uint64_t> damaged_blocks = 0;
  std::uint64_t damaged_logs = 0;    // at start
  std::uint64_t lost_names = 0;      // at start
  std::uint64_t damaged_groups = 0;  // at start
  bool closed = false;

  // Held while an operation is pushed, so that ids reach the disk in the order in which they were given.
  std::mutex registry_mutex;
  std::vector<SeriesId> next_series;  // by host
  std::map<SourceKey, SourceId> sources;
  SourceId next_source = 1;

  void keep_lost_ids(Recovered& recovered);
  TierStats stats_of(Tier tier) const;
  SourceId source_of(const SourceKey& key);
  Result<void> check_host(HostId host) const;
};

/// An index that lost its latest commits (its log was damaged or removed, an older copy took its place) would
/// give ids again that blocks of others have, and with them their samples. A lost host is one that was
/// removed; a lost series has a name that says so.
void History::Parts::keep_lost_ids(Recovered& recovered) {
  constexpr std::int64_t kMostLost = 100'000;  // of hosts, or of one's series; more is a damaged number
  for (const auto& [host, last_series] : writer.used_ids()) {
    if (host >= recovered.hosts.size() + kMostLost) {
      tell_of_strange_id(host, "host");
      continue;
    }
    while (recovered.hosts.size() <= host) {
      HostRecord lost;
      lost.id = static_cast<HostId>(recovered.hosts.size());
      lost.removed = true;
      writer.push(lost);
      recovered.hosts.push_back({std::move(lost), {}, 0, {}});
      ++lost_names;
    }
    RecoveredHost& known = recovered.hosts[host];
    if (known.host.removed) continue;
    if (last_series >= std::int64_t{known.next_series} + kMostLost) {
      tell_of_strange_id(last_series, "series");
      continue;
    }
    const SourceKey source{"lost", 1000};
    for (std::int64_t id = known.next_series; id <= last_series; ++id) {
      SeriesRecord lost{
          static_cast<SeriesId>(id),
          source,
          {"vigil_lost_series", Labels{{"id", std::to_string(id)}}, SeriesType::gauge, Encoding::decimal, 0}};
      writer.push(PutSeries{host, source_of(source), lost});
      known.series.push_back(std::move(lost));
      known.next_series = static_cast<SeriesId>(id + 1);
      ++lost_names;
    }
  }
  if (lost_names == 0) return;
  log::error("history",
             "history.db lacks hosts or series that files hold: it, or its log, was damaged, removed or "
             "replaced by an older copy; restore a backup to have their names back",
             {{"file", (options.directory / kIndexFile).string()}, {"names", lost_names}});
}

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
  if (host < next_series.size()) return {};
  return fail(Errc::invalid_argument, "host {} is not known: {} hosts are", host, next_series.size());
}

History::History(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

History::~History() {
  close();
}

Result<std::unique_ptr<History>> History::open(HistoryOptions options) {
  if (!options.now_ms) options.now_ms = wall_ms;
  if (auto made = make_private_folder(options.directory); !made) return made.error();
  const std::int64_t touched_ms = last_touched_ms(options.directory);  // before we do
  auto lock = FolderLock::take(options.directory);
  if (!lock) return lock.error();
  const std::filesystem::path path = options.directory / kIndexFile;
  if (auto missed = refuse_orphans(options); !missed) return missed.error();
  if (auto known = refuse_unknown_formats(options.directory, options.vfs); !known) return known.error();
  if (auto made = make_private_file(path); !made) return made.error();
  const std::uint64_t damaged_logs =
      look_at_logs(options.directory, options.vfs);  // before SQLite cuts them off
  auto tables = Tables::open(path, options.vfs);
  if (!tables) return tables.error();
  if (damaged_logs > 0) {
    // What SQLite left out must not be found again, behind what comes now.
    if (auto begun = tables->database().execute("PRAGMA wal_checkpoint(TRUNCATE)"); !begun)
      return begun.error();
  }
  if (auto completed = complete_last_run(*tables, touched_ms); !completed) return completed.error();
  if (auto moved = move_legacy(*tables, options); !moved) return moved.error();
  if (auto kept = tables->keep_checksums(path); !kept) return kept.error();
  Snapshot::clean(options.directory);
  auto parts = std::make_unique<Parts>(std::move(options), std::move(*lock), std::move(*tables));
  parts->damaged_logs = damaged_logs;
  if (auto opened = parts->writer.open_files(); !opened) return opened.error();
  if (auto loaded = parts->keeper.load(parts->writer.tables()); !loaded) return loaded.error();
  return std::unique_ptr<History>(new History(std::move(parts)));
}

Result<Recovered> History::recover() {
  auto recovery = recover_from(parts_->writer);
  if (!recovery) return in_folder(parts_->options, recovery.error());
  for (const StoredSource& source : recovery->sources) {
    parts_->sources[source.key] = source.id;
    parts_->next_source = std::max(parts_->next_source, source.id + 1);
  }
  parts_->keep_lost_ids(recovery->recovered);
  for (const RecoveredHost& host : recovery->recovered.hosts) {
    parts_->next_series.push_back(host.next_series);
  }
  return std::move(recovery->recovered);
}

Result<Replayed> History::replay(const std::function<void(const JournalEntry&)>& visit) {
  auto replayed = replay_from(parts_->writer, visit);
  if (!replayed) return in_folder(parts_->options, replayed.error());
  parts_->damaged_groups = replayed->damaged_groups;
  return replayed;
}

void History::start(HistoryCallbacks callbacks) {
  parts_->writer.start(std::move(callbacks));
  parts_->keeper.start();
}

void History::close() {
  if (parts_->closed) return;
  parts_->closed = true;
  parts_->keeper.stop();
  parts_->readers.connections().close();  // or the last checkpoint could not empty the WAL
  parts_->writer.stop();
}

Result<void> History::put_host(HostRecord host) {
  const std::lock_guard lock(parts_->registry_mutex);
  auto& next_series = parts_->next_series;
  if (host.id > next_series.size()) return parts_->check_host(host.id);
  if (host.id == next_series.size()) next_series.push_back(0);
  parts_->writer.push(std::move(host));
  return {};
}

Result<void> History::forget_host(HostRecord host) {
  const std::lock_guard lock(parts_->registry_mutex);
  if (auto known = parts_->check_host(host.id); !known) return known;
  parts_->next_series[host.id] = 0;
  parts_->writer.push(ForgetHost{std::move(host)});
  return {};
}

Result<void> History::put_series(HostId host, std::vector<SeriesRecord> series) {
  const std::lock_guard lock(parts_->registry_mutex);
  if (auto checked = parts_->check_host(host); !checked) return checked;
  SeriesId& known = parts_->next_series[host];
  SeriesId next = known;
  for (const SeriesRecord& each : series) {
    if (each.id > next)
      return fail(Errc::invalid_argument, "host {}: series {} comes before {}", host, each.id, next);
    if (each.id == next) ++next;
  }
  known = next;
  for (SeriesRecord& each : series) {
    const SourceId source = parts_->source_of(each.source);
    parts_->writer.push(PutSeries{host, source, std::move(each)});
  }
  return {};
}

Result<void> History::drop_series(HostId host, std::span<const SeriesId> series) {
  const std::lock_guard lock(parts_->registry_mutex);
  if (auto known = parts_->check_host(host); !known) return known;
  DropSeries drop{host, {}, parts_->next_series[host]};
  drop.series.add_all(series);
  parts_->writer.push(std::move(drop));
  return {};
}

std::uint64_t History::retirements() const {
  return parts_->keeper.retirements();
}

std::shared_ptr<const UnusedSeries> History::ask_unused(std::vector<HostId> hosts) {
  return parts_->keeper.ask_unused(std::move(hosts));
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
  for (SealedPart& part : parts) {
    const SourceId source = parts_->source_of(part.source);
    auto days = by_day(std::move(part.block));
    if (!days) return days.error();
    for (auto& block : *days) seal.blocks.push_back({source, std::move(block)});
  }
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
  auto stored = parts_->readers.blocks({Tier::raw, host, {start_ms, end_ms}, range_of(series)});
  if (!stored) return stored.error();
  parts_->damaged_blocks += stored->damaged;
  std::vector<FoundBlock> found = std::move(stored->blocks);
  for (const FoundBlock& each : pending) {
    const bool committed =
        std::ranges::any_of(found, [&](const FoundBlock& other) { return holds_same(other, each); });
    if (!committed) found.push_back(each);
  }
  // What a later pending block holds, too, need not be read twice.
  sort_by_time(found);
  std::vector<std::shared_ptr<const SealedBlock>> blocks;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const bool covered = i + 1 < found.size() && covers(found[i + 1], found[i]);
    if (!covered && holds_any(*found[i].block, series)) blocks.push_back(std::move(found[i].block));
  }
  return blocks;
}

Result<std::vector<std::shared_ptr<const SealedBlock>>> History::read_tier(Tier tier, HostId host,
                                                                           std::int64_t start_ms,
                                                                           std::int64_t end_ms) const {
  auto stored = parts_->readers.blocks({tier, host, {start_ms, end_ms}, range_of({})});
  if (!stored) return stored.error();
  parts_->damaged_blocks += stored->damaged;
  std::vector<std::shared_ptr<const SealedBlock>> blocks;
  for (FoundBlock& each : stored->blocks) blocks.push_back(std::move(each.block));
  return blocks;
}

std::int64_t History::complete_from_ms(Tier tier) const {
  return parts_->keeper.complete_from_ms(tier);
}

std::int64_t History::rolled_up_until_ms() const {
  std::int64_t until = std::numeric_limits<std::int64_t>::min();
  std::int64_t first_left = std::numeric_limits<std::int64_t>::max();
  for (const PartitionInfo& day : parts_->catalogue.all(Tier::raw)) {
    if (day.file.form == FileForm::compacted) {
      until = std::max(until, next_period_ms(Tier::raw, day.file.period_ms));
    } else {
      first_left = std::min(first_left, day.file.period_ms);
    }
  }
  return std::min(until, first_left);
}

Result<std::vector<GapRecord>> History::gaps(HostId host, std::int64_t start_ms, std::int64_t end_ms) const {
  return parts_->readers.gaps(host, {start_ms, end_ms});
}

Result<std::vector<RunRecord>> History::runs() const {
  auto runs = parts_->readers.runs();
  const std::int64_t start_ms = parts_->writer.start_ms();
  if (!runs || start_ms == 0) return runs;
  std::erase_if(*runs, [start_ms](const RunRecord& run) { return run.start_ms == start_ms; });
  const RunRecord now{start_ms, std::max(start_ms, parts_->options.now_ms())};
  runs->insert(std::ranges::upper_bound(*runs, start_ms, {}, &RunRecord::start_ms), now);
  return runs;
}

Result<std::int64_t> History::newest_ms(HostId host, std::string_view except) const {
  return parts_->readers.newest_ms(host, except);
}

Result<void> History::sync() {
  return parts_->writer.sync();
}

Result<void> History::tidy() {
  if (auto settled = parts_->writer.settle(); !settled) return settled;
  if (auto tidied = parts_->keeper.tidy(); !tidied) return tidied;
  return parts_->writer.settle();
}

const Worker& History::worker() const {
  return parts_->writer.worker();
}

HistoryHealth History::health() const {
  return parts_->writer.health();
}

TierStats History::Parts::stats_of(Tier tier) const {
  TierStats stats;
  for (const PartitionInfo& file : catalogue.all(tier)) {
    ++stats.files;
    stats.disk_bytes += database_bytes(file.path);
    stats.blocks += file.totals.blocks;
    stats.block_bytes += file.totals.bytes;
    stats.samples += file.totals.samples;
    if (file.empty()) continue;
    stats.oldest_ms = stats.oldest_ms == 0 ? file.first_ms : std::min(stats.oldest_ms, file.first_ms);
    stats.newest_ms = std::max(stats.newest_ms, file.last_ms);
  }
  stats.complete_from_ms = std::max(keeper.complete_from_ms(tier), std::int64_t{0});
  return stats;
}

HistoryStats History::stats() const {
  HistoryStats stats = parts_->writer.stats();
  for (const Tier tier : kTiers) {
    stats.tiers.at(static_cast<std::size_t>(tier)) = parts_->stats_of(tier);
    stats.disk_bytes += stats.tiers.at(static_cast<std::size_t>(tier)).disk_bytes;
  }
  stats.damaged_logs = parts_->damaged_logs;
  stats.lost_names = parts_->lost_names;
  stats.damaged_groups = parts_->damaged_groups;
  stats.index_bytes = database_bytes(parts_->options.directory / kIndexFile);
  stats.disk_bytes += stats.index_bytes + stats.journal_disk_bytes;
  const TierStats& raw = stats.tiers.front();
  stats.blocks = raw.blocks;
  stats.block_bytes = raw.block_bytes;
  stats.samples = raw.samples;
  stats.oldest_ms = raw.oldest_ms;
  if (raw.samples > 0)
    stats.bytes_per_sample = static_cast<double>(raw.disk_bytes) / static_cast<double>(raw.samples);
  stats.damaged_blocks = parts_->damaged_blocks;
  return stats;
}

std::vector<FileStats> History::files() const {
  return list_file_stats(parts_->catalogue, parts_->writer.journal_paths(), parts_->options.directory);
}

const HistoryOptions& History::options() const {
  return parts_->options;
}

Result<std::unique_ptr<Snapshot>> History::snapshot(SnapshotRequest request) {
  return Snapshot::take(parts_->writer, parts_->options, std::move(request));
}

Result<CheckTotals> History::check(std::vector<std::string> also, const CheckCallbacks& callbacks) const {
  return check_files({.directory = parts_->options.directory,
                      .vfs = parts_->options.vfs,
                      .also = std::move(also),
                      .gone = parts_->writer.missing_files()},
                     callbacks);
}

}  // namespace vigil::aggregator
