#include "aggregator/store/recovery.h"

#include "aggregator/store/encoding.h"
#include "common/log/log.h"

#include <algorithm>
#include <map>

namespace vigil::aggregator {
namespace {

using StreamKey = JournalIndex::StreamKey;

// Where the stream that was used last comes last: streams in the journal after all others, by their last row.
struct StreamUse {
  std::int64_t order = 0;
  Cursor cursor;
};
using Streams = std::map<std::pair<HostId, StreamId>, StreamUse>;

Result<void> load_series(Tables& tables, const std::vector<StoredSource>& sources,
                         std::vector<RecoveredHost>& hosts) {
  std::map<SourceId, SourceKey> keys;
  for (const StoredSource& source : sources) keys[source.id] = source.key;
  std::string wrong;
  auto read = tables.each_series([&](HostId host, SourceId source, SeriesRecord series) {
    const auto key = keys.find(source);
    if (host >= hosts.size() || series.id != hosts[host].series.size() || key == keys.end()) {
      wrong = fmt::format("host {} series {}", host, series.id);
      return;
    }
    series.source = key->second;
    hosts[host].series.push_back(std::move(series));
  });
  if (!read) return read;
  if (!wrong.empty()) return fail(Errc::corrupt, "history: {} does not belong where it stands", wrong);
  return {};
}

Result<void> load_cursors(Tables& tables, JournalIndex& index, Streams& streams) {
  const auto cursors = tables.cursors();
  if (!cursors) return cursors.error();
  std::int64_t order = -static_cast<std::int64_t>(cursors->size());
  for (const StoredCursor& stored : *cursors) {
    const StreamKey key{stored.host, stored.cursor.stream};
    index.settle(key, stored.needed_seq);
    index.raise_durable(key, stored.cursor.durable_seq);
    streams[{stored.host, stored.cursor.stream}] = {order++, stored.cursor};
  }
  return {};
}

Result<void> load_journal(Tables& tables, JournalIndex& index, Streams& streams) {
  return tables.each_group([&](std::int64_t row, std::string_view group) {
    index.add_row(row, group.size());
    // A damaged group is told and counted by the replay; here it stays without entries and goes with the next
    // commit.
    (void)read_group(group, [&](const EntryView& entry) {
      index.add_entry(row, {entry.host, entry.stream}, entry.seq);
      StreamUse& use = streams[{entry.host, entry.stream}];
      use.order = row;
      use.cursor.stream = entry.stream;
    });
  });
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

/// The schemas of one stream, handed over as its batches come to them.
struct SchemaQueue {
  std::vector<StoredSchema> schemas;
  std::size_t next = 0;
};
using Schemas = std::map<std::pair<HostId, StreamId>, SchemaQueue>;

void visit_schemas(SchemaQueue& queue, std::uint64_t seq,
                   const std::function<void(const JournalEntry&)>& visit) {
  for (; queue.next < queue.schemas.size() && queue.schemas[queue.next].seq <= seq; ++queue.next) {
    StoredSchema& schema = queue.schemas[queue.next];
    visit({schema.host, schema.stream, schema.seq, EntryKind::schema, schema.source_id,
           std::move(schema.bytes)});
  }
}

}  // namespace

Result<Recovery> recover_from(Tables& tables, JournalIndex& index) {
  Recovery recovery;
  auto hosts = tables.hosts();
  if (!hosts) return hosts.error();
  for (HostRecord& host : *hosts) {
    if (host.id != recovery.recovered.hosts.size())
      return fail(Errc::corrupt, "history: host ids have holes");
    recovery.recovered.hosts.push_back({std::move(host), {}, {}});
  }
  auto sources = tables.sources();
  if (!sources) return sources.error();
  recovery.sources = std::move(*sources);
  auto series = load_series(tables, recovery.sources, recovery.recovered.hosts);
  if (!series) return series.error();
  Streams streams;
  if (auto loaded = load_cursors(tables, index, streams); !loaded) return loaded.error();
  if (auto loaded = load_journal(tables, index, streams); !loaded) return loaded.error();
  spread_cursors(streams, index, recovery.recovered.hosts);
  return recovery;
}

Result<Replayed> replay_from(Tables& tables, const JournalIndex& index,
                             const std::function<void(const JournalEntry&)>& visit) {
  auto stored = tables.schemas();
  if (!stored) return stored.error();
  Schemas schemas;
  for (StoredSchema& schema : *stored)
    schemas[{schema.host, schema.stream}].schemas.push_back(std::move(schema));
  Replayed replayed;
  auto read = tables.each_group([&](std::int64_t row, std::string_view group) {
    auto visited = read_group(group, [&](const EntryView& entry) {
      if (entry.seq < index.needed_seq({entry.host, entry.stream})) return;
      visit_schemas(schemas[{entry.host, entry.stream}], entry.seq, visit);
      visit({entry.host, entry.stream, entry.seq, EntryKind::batch, 0, std::string(entry.bytes)});
      ++replayed.entries;
    });
    if (visited) return;
    ++replayed.damaged_groups;
    log::error("history", "a damaged group of the journal is lost",
               {{"row", row}, {"error", visited.error()}});
  });
  if (!read) return read.error();
  return replayed;
}

}  // namespace vigil::aggregator
