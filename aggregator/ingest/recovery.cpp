#include "aggregator/ingest/recovery.h"

#include "aggregator/fleet/fleet_rows.h"
#include "aggregator/ingest/append.h"
#include "aggregator/ingest/local_rows.h"
#include "aggregator/ingest/stream_decoder.h"
#include "common/log/log.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace vigil::aggregator {
namespace {

constexpr std::size_t kNoLimit = 1'000'000;  // limits were checked when it arrived

void restore_host(ShardSet& shards, const RecoveredHost& recovered, std::int64_t now_ms) {
  shards.directory().restore(recovered.host);
  if (recovered.host.removed) return;
  shards.directory().restore_series(recovered.series.size());
  Host& host = shards.of(recovered.host.name).restore(recovered.host, now_ms);
  SeriesRegistry& registry = host.head.registry();
  registry.reserve_ids(recovered.next_series);
  for (const SeriesRecord& series : recovered.series) {
    const SeriesForm form{series.spec.type, series.spec.encoding, series.spec.scale};
    registry.add(series.id, registry.full_labels(series.source.job, series.spec), form);
    if (host.kind != HostKind::agent)
      host.push(series.id, std::max<std::uint16_t>(pushed_number(host.kind, series.source), 1));
  }
  for (const Cursor& cursor : recovered.cursors) {
    host.streams.push_back(
        {.stream = cursor.stream, .stored_seq = cursor.sealed_seq, .durable_seq = cursor.durable_seq});
  }
}

/// Decodes the journal, stream by stream. A host's streams may interleave there, back-fill with what was
/// live, and nothing says which was which: each has a lane of its own until all is read. The one with the
/// newest row was live.
class Replayer {
 public:
  Replayer(ShardSet& shards, std::int64_t now_ms) : shards_(shards), now_ms_(now_ms) {}

  void visit(const JournalEntry& entry) {
    ++summary_.entries;
    Shard& shard = shards_.at(shards_.directory().shard_of(entry.host));
    Host* host = shard.find(entry.host);
    if (host == nullptr) return;
    if (entry.kind == EntryKind::samples) return replay_samples(*host, entry);
    Stream& stream = stream_of(entry);
    if (entry.kind == EntryKind::schema) {
      v1::Schema schema;
      if (schema.ParseFromString(entry.bytes))
        (void)stream.decoder.declare_again(schema);  // its batches will tell
      return;
    }
    const StreamProgress* progress = host->find(entry.stream);
    const bool stored = progress != nullptr && entry.seq <= progress->stored_seq;
    const auto replayed = replay(shard, *host, stream, entry);
    if (replayed) return;
    if (!stored) note_lost(*host, entry, replayed.error());
    stream.usable = false;
  }
  RecoverySummary& summary() { return summary_; }

  /// Everything is read: late rows are told from live ones.
  void settle_lanes() {
    for (const auto& [id, lanes] : lanes_) {
      Host& host = *shards_.at(shards_.directory().shard_of(id)).find(id);
      Lane live = kFirstLane;
      for (Lane lane = kFirstLane; lane < kFirstLane + std::min(lanes, kMostLanes); ++lane)
        if (host.head.newest_ms(lane) > host.head.newest_ms(live)) live = lane;
      host.head.make_live(live);
      for (Lane lane = kFirstLane; lane < kFirstLane + std::min(lanes, kMostLanes); ++lane)
        host.end_lane(lane);
    }
  }

  /// Streams of which no keyframe is left will never be decoded: what the journal has of them may go, or it
  /// would be read at each start for ever. An agent that goes on with such a stream begins with a keyframe.
  void give_up_undecodable(History& history) {
    std::map<HostId, std::vector<SealCursor>> given_up;
    for (const auto& [key, stream] : streams_) {
      const auto& [id, stream_id] = key;
      const Host& host = *shards_.at(shards_.directory().shard_of(id)).find(id);
      const StreamProgress* progress = host.find(stream_id);
      if (progress != nullptr && progress->keyframe_seq != 0) continue;
      given_up[id].push_back({stream_id, progress == nullptr ? 0 : progress->stored_seq, kNothingNeeded});
    }
    for (auto& [id, cursors] : given_up) {
      summary_.given_up_streams += cursors.size();
      if (auto sealed = history.seal(id, {}, std::move(cursors)); !sealed)
        log::error("store", "cannot give up a stream", {{"host", id}, {"error", sealed.error()}});
    }
  }

 private:
  static constexpr Lane kFirstLane = 1;
  static constexpr Lane kMostLanes = 60'000;  // a source's number has room for more than any journal holds

  struct Stream {
    Lane lane = kLiveLane;
    StreamDecoder decoder{kNoLimit};
    std::uint64_t last_seq = 0;
    bool usable = false;  // the state deltas build on is there
  };

  Stream& stream_of(const JournalEntry& entry) {
    const auto [at, added] = streams_.try_emplace({entry.host, entry.stream});
    if (added) at->second.lane = kFirstLane + lanes_[entry.host]++ % kMostLanes;
    return at->second;
  }

  /// The first loss of a stream explains the rest: only that one is told.
  void note_lost(const Host& host, const JournalEntry& entry, const Error& why) {
    ++summary_.undecodable;
    if (!told_.insert({entry.host, entry.stream}).second) return;
    log::error("store", "a journalled batch cannot be decoded",
               {{"host", host.record.name}, {"seq", entry.seq}, {"error", why}});
  }

  /// Each entry stands by itself.
  void replay_samples(Host& host, const JournalEntry& entry) {
    StreamProgress& progress = host.use(entry.stream);
    const bool stored = entry.seq <= progress.stored_seq;
    progress.stored_seq = std::max(progress.stored_seq, entry.seq);
    progress.keyframe_seq = progress.stored_seq + 1;
    if (stored) return;
    auto rows = decode_rows(entry.bytes);
    if (!rows) return note_lost(host, entry, rows.error());
    for (DecodedLocalRow& row : *rows) {
      std::erase_if(row.cells, [&](const HostHead::Cell& cell) {
        return host.head.registry().at(cell.series) == nullptr;  // the index is damaged
      });
      (void)host.head.put(source_number(kLiveLane, row.source), row.time_ms, row.cells);
      host.last_sample_ms = std::max(host.last_sample_ms, row.time_ms);
      ++summary_.rows;
    }
  }

  Result<void> replay(Shard& shard, Host& host, Stream& stream, const JournalEntry& entry) {
    v1::Batch batch;
    if (!batch.ParseFromString(entry.bytes)) return fail(Errc::corrupt, "these bytes are no Batch");
    if (!stream.usable || batch.seq() != stream.last_seq + 1) {
      if (!batch.keyframe())
        return fail(Errc::corrupt, "it builds on batch {}, the last one here is {}{}", batch.seq() - 1,
                    stream.last_seq, stream.usable ? "" : ", which failed");
      stream.decoder.restart();
    }
    const auto sources = stream.decoder.decode(batch);
    if (!sources) return sources.error();
    stream.usable = true;
    stream.last_seq = batch.seq();
    StreamProgress& progress = host.use(entry.stream);
    if (batch.keyframe()) progress.keyframe_seq = batch.seq();
    if (batch.seq() <= progress.stored_seq) return {};
    progress.stored_seq = batch.seq();
    const auto appended = append_rows({shard, host, stream.lane}, *sources, now_ms_);
    if (!appended) return appended.error();
    host.last_sample_ms = std::max(host.last_sample_ms, appended->arrival.stored_ms);
    summary_.rows += appended->rows;
    return {};
  }

  ShardSet& shards_;
  const std::int64_t now_ms_;
  std::map<std::pair<HostId, StreamId>, Stream> streams_;
  std::map<HostId, Lane> lanes_;  // given so far
  std::set<std::pair<HostId, StreamId>> told_;
  RecoverySummary summary_;
};

/// What cannot be decoded is not asked for again: the agent was told that it is durable.
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
  replayer.settle_lanes();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    for (const auto& [id, host] : shards.at(i).hosts()) settle(*host);
  }
  replayer.give_up_undecodable(history);
  RecoverySummary& summary = replayer.summary();
  summary.hosts = shards.directory().hosts();
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
      const auto newest = history.newest_ms(id, fleet_source().job);
      if (!newest) return newest.error();
      host->last_sample_ms = std::max(host->last_sample_ms, *newest);
    }
  }
  return {};
}

}  // namespace vigil::aggregator
