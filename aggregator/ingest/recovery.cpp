#include "aggregator/ingest/recovery.h"

#include "aggregator/ingest/append.h"
#include "aggregator/ingest/stream_decoder.h"
#include "common/log/log.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>
#include <vector>

namespace vigil::aggregator {
namespace {

constexpr std::size_t kNoLimit = 1'000'000;  // limits were checked when it arrived

void restore_host(ShardSet& shards, const RecoveredHost& recovered, std::int64_t now_ms) {
  shards.directory().restore(recovered.host);
  Host& host = shards.of(recovered.host.name).restore(recovered.host, now_ms);
  SeriesRegistry& registry = host.head.registry();
  for (const SeriesRecord& series : recovered.series) {
    const SeriesForm form{series.spec.type, series.spec.encoding, series.spec.scale};
    registry.add(series.id, registry.full_labels(series.source.job, series.spec), form);
  }
  for (const Cursor& cursor : recovered.cursors) {
    host.streams.push_back({cursor.stream, cursor.sealed_seq, cursor.durable_seq, 0});
  }
}

/// Decodes the journal, stream by stream.
class Replayer {
 public:
  Replayer(ShardSet& shards, std::int64_t now_ms) : shards_(shards), now_ms_(now_ms) {}

  void visit(const JournalEntry& entry) {
    ++summary_.entries;
    Shard& shard = shards_.at(shards_.directory().shard_of(entry.host));
    Host* host = shard.find(entry.host);
    if (host == nullptr) return;
    Stream& stream = streams_[{entry.host, entry.stream}];
    if (entry.kind == EntryKind::schema) {
      v1::Schema schema;
      // An older version than one already here: an agent came back and declares again what the batches it
      // resends refer to.
      if (schema.ParseFromString(entry.bytes) && !stream.decoder.add_schema(schema))
        stream.older.push_back(std::move(schema));
      return;
    }
    const StreamProgress* progress = host->find(entry.stream);
    const bool stored = progress != nullptr && entry.seq <= progress->stored_seq;
    if (replay(shard, *host, stream, entry)) return;
    if (!stored) ++summary_.undecodable;
    stream.usable = false;
  }
  RecoverySummary& summary() { return summary_; }

 private:
  struct Stream {
    StreamDecoder decoder{kNoLimit};
    std::vector<v1::Schema> older;  // declared again since the last batch
    std::uint64_t last_seq = 0;
    bool usable = false;  // the state deltas build on is there
  };

  bool replay(Shard& shard, Host& host, Stream& stream, const JournalEntry& entry) {
    v1::Batch batch;
    if (!batch.ParseFromString(entry.bytes)) return false;
    if (!stream.usable || batch.seq() != stream.last_seq + 1) {
      if (!batch.keyframe()) return false;
      stream.decoder.restart(stream.older);
    }
    const auto sources = stream.decoder.decode(batch);
    if (!sources) return false;
    stream.older.clear();
    stream.usable = true;
    stream.last_seq = batch.seq();
    StreamProgress& progress = host.use(entry.stream);
    if (batch.keyframe()) progress.keyframe_seq = batch.seq();
    if (batch.seq() <= progress.stored_seq) return true;
    progress.stored_seq = batch.seq();
    const auto appended = append_rows(shard, host, *sources, now_ms_);
    if (!appended) return false;
    host.last_sample_ms = std::max(host.last_sample_ms, appended->arrival.stored_ms);
    summary_.rows += appended->rows;
    return true;
  }

  ShardSet& shards_;
  const std::int64_t now_ms_;
  std::map<std::pair<HostId, StreamId>, Stream> streams_;
  RecoverySummary summary_;
};

/// What was acknowledged will not be sent again, even if the journal lost it.
void settle(Host& host) {
  for (StreamProgress& stream : host.streams) {
    stream.stored_seq = std::max(stream.stored_seq, stream.durable_seq);
    stream.durable_seq = stream.stored_seq;
  }
}

}  // namespace

Result<RecoverySummary> recover(History& history, ShardSet& shards, std::int64_t now_ms) {
  const auto recovered = history.recover();
  if (!recovered) return recovered.error();
  for (const RecoveredHost& host : recovered->hosts) restore_host(shards, host, now_ms);
  Replayer replayer(shards, now_ms);
  const auto replayed = history.replay([&](const JournalEntry& entry) { replayer.visit(entry); });
  if (!replayed) return replayed.error();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    for (const auto& [id, host] : shards.at(i).hosts()) settle(*host);
  }
  RecoverySummary& summary = replayer.summary();
  summary.hosts = recovered->hosts.size();
  summary.damaged_groups = replayed->damaged_groups;
  if (summary.undecodable > 0 || summary.damaged_groups > 0) {
    log::error("store", "parts of the journal are lost",
               {{"damaged_groups", summary.damaged_groups}, {"undecodable_batches", summary.undecodable}});
  }
  return summary;
}

Result<void> load_window(const History& history, ShardSet& shards, std::int64_t now_ms) {
  for (std::size_t i = 0; i < shards.size(); ++i) {
    Shard& shard = shards.at(i);
    const std::int64_t from_ms = now_ms - shard.options().head.window_ms;
    for (const auto& [id, host] : shard.hosts()) {
      auto blocks = history.read(id, {}, from_ms, std::numeric_limits<std::int64_t>::max());
      if (!blocks) return blocks.error();
      host->head.adopt(std::move(*blocks), from_ms);
    }
  }
  return {};
}

}  // namespace vigil::aggregator
