#include "aggregator/store/recovery.h"

#include "aggregator/store/encoding.h"
#include "common/log/log.h"

#include <algorithm>
#include <map>
#include <set>

namespace vigil::aggregator {
namespace {

using StreamKey = JournalIndex::StreamKey;

// Where the stream that was used last comes last: streams in the journal after all others, by their last row.
struct StreamUse {
  std::int64_t order = 0;
  Cursor cursor;
};
using Streams = std::map<std::pair<HostId, StreamId>, StreamUse>;

/// Every id that was given belongs to a series that is there, or to one that left.
Result<void> count_series(Tables& tables, std::vector<RecoveredHost>& hosts) {
  std::map<HostId, SeriesGone> gone;
  auto read = tables.each_series_gone([&](HostId host, const SeriesGone& of) { gone[host] = of; });
  if (!read) return read;
  for (RecoveredHost& host : hosts) {
    const auto left = gone.find(host.host.id);
    const SeriesGone known = left == gone.end() ? SeriesGone{} : left->second;
    host.next_series = std::max(known.next_id, host.series.empty() ? 0 : host.series.back().id + 1);
    if (host.series.size() + known.gone != host.next_series)
      return fail(Errc::corrupt, "history: of {} series of host {} {} are there and {} have left",
                  host.next_series, host.host.id, host.series.size(), known.gone);
  }
  return {};
}

Result<void> load_series(Tables& tables, const std::vector<StoredSource>& sources,
                         std::vector<RecoveredHost>& hosts) {
  std::map<SourceId, SourceKey> keys;
  for (const StoredSource& source : sources) keys[source.id] = source.key;
  std::string wrong;
  auto read = tables.each_series([&](HostId host, SourceId source, SeriesRecord series) {
    const auto key = keys.find(source);
    if (host >= hosts.size() || key == keys.end()) {
      wrong = fmt::format("host {} series {}", host, series.id);
      return;
    }
    series.source = key->second;
    hosts[host].series.push_back(std::move(series));
  });
  if (!read) return read;
  if (!wrong.empty()) return fail(Errc::corrupt, "history: {} does not belong where it stands", wrong);
  return count_series(tables, hosts);
}

Result<void> load_cursors(Tables& tables, JournalIndex& index, Streams& streams) {
  const auto cursors = tables.cursors();
  if (!cursors) return cursors.error();
  std::int64_t order = -static_cast<std::int64_t>(cursors->size());
  for (const StoredCursor& stored : *cursors) {
    const StreamKey key{stored.host, stored.cursor.stream};
    index.settle(key, stored.needed_seq);
    // What the journal must have comes from the journal: what it lacks is to be sent again.
    index.raise_durable(key, stored.cursor.sealed_seq);
    streams[{stored.host, stored.cursor.stream}] = {order++, stored.cursor};
  }
  return {};
}

/// A file of which not one group can be read.
struct Unreadable {
  StoredFile file;
  Error error;
};

/// Visits the groups of all files, the oldest first. A file that SQLite cannot read to its end is told of and
/// left, the others are visited. Which cannot be read at all.
Result<std::vector<Unreadable>> each_group(
    Writer& writer, const std::function<void(std::int64_t file, std::string_view group)>& visit) {
  std::vector<Unreadable> unreadable;
  for (const StoredFile& file : writer.journals()) {
    bool any = false;
    auto read = writer.journal().each_group(file.number, [&](std::string_view group) {
      any = true;
      visit(file.number, group);
    });
    if (read) continue;
    if (read.error().code != Errc::corrupt) return read.error();
    if (!any) {
      unreadable.push_back({file, read.error()});
      continue;
    }
    log::error("history", "a file of the journal is damaged: what comes after is lost",
               {{"error", read.error()}});
    visit(file.number, {});  // no group at all: counted as a damaged one
  }
  return unreadable;
}

void tell_of_empty_files(Writer& writer, const std::set<std::int64_t>& with_groups) {
  for (const StoredFile& file : writer.journals()) {
    if (!file.filled || with_groups.contains(file.number)) continue;
    log::error("history", "a file of the journal is empty and was not: was its log removed?",
               {{"file", writer.journal().path(file.number).string()}});
    writer.note_missing(file);
  }
}

Result<void> load_journal(Writer& writer, const std::vector<RecoveredHost>& hosts, Streams& streams) {
  const auto forgotten = [&](HostId host) { return host >= hosts.size() || hosts[host].host.removed; };
  JournalIndex& index = writer.index();
  for (const StoredFile& file : writer.journals()) index.add_file(file.number);
  std::int64_t order = 0;
  std::set<std::int64_t> with_groups;
  auto read = each_group(writer, [&](std::int64_t file, std::string_view group) {
    index.add_group(file, group.size());
    with_groups.insert(file);
    ++order;
    // A damaged group is told and counted by the replay; here it stays without entries.
    (void)read_group(group, [&](const EntryView& entry) {
      writer.note_used(entry.host, -1);
      if (forgotten(entry.host)) return;
      const StreamKey key{entry.host, entry.stream};
      if (entry.kind == EntryKind::schema) {
        index.add_mark(file, key, entry.seq);
        return;
      }
      index.add_entry(file, key, entry.seq);
      StreamUse& use = streams[{entry.host, entry.stream}];
      use.order = order;
      use.cursor.stream = entry.stream;
    });
  });
  if (!read) return read.error();
  // Not to be unlinked once nothing seems to need it: somebody may still get out of it what it holds.
  for (const Unreadable& each : *read) {
    if (auto aside = writer.set_journal_aside(each.file, each.error); !aside) return aside;
  }
  tell_of_empty_files(writer, with_groups);
  return {};
}

/// A journal that was cut off, or a file of it that went, looks whole by itself; the cursors know better.
void tell_what_is_missing(const Streams& streams, const JournalIndex& index,
                          const std::vector<RecoveredHost>& hosts) {
  std::uint64_t batches = 0;
  std::set<HostId> of;
  for (const auto& [key, use] : streams) {
    if (key.first >= hosts.size() || hosts[key.first].host.removed) continue;
    const std::uint64_t found = index.durable_seq({key.first, key.second});
    if (use.cursor.durable_seq <= found) continue;
    batches += use.cursor.durable_seq - found;
    of.insert(key.first);
  }
  if (batches == 0) return;
  log::error(
      "history",
      "the journal lacks what was acknowledged: its files were damaged or removed; agents send again what "
      "they still have",
      {{"batches", batches}, {"hosts", of.size()}});
}

void spread_cursors(const Streams& streams, const JournalIndex& index, std::vector<RecoveredHost>& hosts) {
  std::vector<std::pair<HostId, StreamUse>> uses;
  for (const auto& [key, use] : streams) uses.emplace_back(key.first, use);
  std::stable_sort(uses.begin(), uses.end(), [](const auto& left, const auto& right) {
    return left.second.order < right.second.order;
  });
  for (auto& [host, use] : uses) {
    if (host >= hosts.size()) continue;
    use.cursor.durable_seq = index.durable_seq({host, use.cursor.stream});
    hosts[host].cursors.push_back(use.cursor);
  }
}

/// Hands over schemas and batches. A schema whose place in the journal is gone came before all that is left
/// of its stream; the others come in their places.
class Replayer {
 public:
  Replayer(Writer& writer, const std::function<void(const JournalEntry&)>& visit)
      : writer_(writer), index_(writer.index()), visit_(visit) {}

  Result<Replayed> run() {
    auto schemas = writer_.tables().schemas();
    if (!schemas) return schemas.error();
    for (StoredSchema& schema : *schemas) schemas_.emplace(schema.row, std::move(schema));
    auto marked = each_entry([&](const EntryView& entry) {
      if (entry.kind == EntryKind::schema) marked_.insert(entry.schema_row);
    });
    if (!marked) return marked.error();
    for (const auto& [row, schema] : schemas_) {
      if (!marked_.contains(row)) first_[{schema.host, schema.stream}].push_back(row);
    }
    replayed_ = {};
    auto read = each_entry([&](const EntryView& entry) { hand_over(entry); });
    if (!read) return read.error();
    if (replayed_.damaged_groups > 0) {
      log::error("history", "damaged groups of the journal are lost", {{"groups", replayed_.damaged_groups}});
    }
    return replayed_;
  }

 private:
  Result<void> each_entry(const std::function<void(const EntryView&)>& visit) {
    auto read_all = each_group(writer_, [&](std::int64_t file, std::string_view group) {
      auto read = read_group(group, [&](const EntryView& entry) {
        if (entry.seq >= index_.needed_seq({entry.host, entry.stream})) visit(entry);
      });
      if (read) return;
      ++replayed_.damaged_groups;
      log::debug("history", "a damaged group of the journal", {{"file", file}, {"error", read.error()}});
    });
    if (!read_all) return read_all.error();
    replayed_.damaged_groups += read_all->size();  // since recover_from() has read them
    return {};
  }

  void hand_over(const EntryView& entry) {
    if (const auto first = first_.find({entry.host, entry.stream}); first != first_.end()) {
      for (const std::int64_t row : first->second) hand_over_schema(row);
      first_.erase(first);
    }
    if (entry.kind == EntryKind::schema) {
      hand_over_schema(entry.schema_row);
      return;
    }
    visit_({entry.host, entry.stream, entry.seq, entry.kind, 0, std::string(entry.bytes)});
    ++replayed_.entries;
  }

  void hand_over_schema(std::int64_t row) {
    const auto found = schemas_.find(row);
    if (found == schemas_.end()) return;
    const StoredSchema& schema = found->second;
    visit_({schema.host, schema.stream, schema.seq, EntryKind::schema, schema.source_id, schema.bytes});
  }

  Writer& writer_;
  const JournalIndex& index_;
  const std::function<void(const JournalEntry&)>& visit_;
  std::map<std::int64_t, StoredSchema> schemas_;  // by row, that is in the order in which they came
  std::set<std::int64_t> marked_;
  std::map<std::pair<HostId, StreamId>, std::vector<std::int64_t>> first_;
  Replayed replayed_;
};

}  // namespace

Result<Recovery> recover_from(Writer& writer) {
  Tables& tables = writer.tables();
  Recovery recovery;
  auto hosts = tables.hosts();
  if (!hosts) return hosts.error();
  for (HostRecord& host : *hosts) {
    if (host.id != recovery.recovered.hosts.size())
      return fail(Errc::corrupt, "history: host ids have holes");
    recovery.recovered.hosts.push_back({std::move(host), {}, 0, {}});
  }
  auto sources = tables.sources();
  if (!sources) return sources.error();
  recovery.sources = std::move(*sources);
  auto series = load_series(tables, recovery.sources, recovery.recovered.hosts);
  if (!series) return series.error();
  Streams streams;
  if (auto loaded = load_cursors(tables, writer.index(), streams); !loaded) return loaded.error();
  if (auto loaded = load_journal(writer, recovery.recovered.hosts, streams); !loaded) return loaded.error();
  tell_what_is_missing(streams, writer.index(), recovery.recovered.hosts);
  spread_cursors(streams, writer.index(), recovery.recovered.hosts);
  return recovery;
}

Result<Replayed> replay_from(Writer& writer, const std::function<void(const JournalEntry&)>& visit) {
  return Replayer(writer, visit).run();
}

}  // namespace vigil::aggregator
