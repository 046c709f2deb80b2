#include "aggregator/ingest/append.h"

#include <algorithm>

namespace vigil::aggregator {
namespace {

Result<void> apply_schema(Shard& shard, Host& host, const SchemaPtr& schema, std::int64_t now_ms) {
  auto& applied = host.applied[schema->source_id];
  if (applied == schema) return {};
  auto ids = shard.columns(host, {schema->job, schema->interval_ms}, schema->series, now_ms);
  if (!ids) return ids.error();
  // Several sources of one job may share a cadence, and the history keeps one block per source and time:
  // their number tells them apart.
  SourceKey key{fmt::format("{}#{}", schema->job, schema->source_id), schema->interval_ms};
  host.head.set_columns(schema->source_id, std::move(key), std::move(*ids));
  applied = schema;
  return {};
}

void append_source(Shard& shard, Host& host, const SourceRows& source, std::int64_t now_ms, Appended& done) {
  const ShardOptions& limits = shard.options();
  const std::size_t width = source.schema->series.size();
  const auto& times = source.rows->times_ms;
  const std::span<const std::int64_t> values(source.rows->values);
  for (std::size_t row = 0; row < times.size(); ++row) {
    if (times[row] < now_ms - limits.retention_ms) {
      ++done.too_old;
    } else if (times[row] > now_ms + limits.future_ms) {
      ++done.in_future;
    } else {
      host.head.append(source.schema->source_id, times[row], values.subspan(row * width, width));
      done.arrival.stored_ms = std::max(done.arrival.stored_ms, times[row]);
      ++done.rows;
      done.samples += width;
    }
  }
  if (!times.empty()) done.arrival.sent_ms = std::max(done.arrival.sent_ms, times.back());
}

}  // namespace

Result<void> admit_columns(Shard& shard, Host& host, std::span<const SourceRows> sources,
                           std::int64_t now_ms) {
  for (const SourceRows& source : sources) {
    if (auto applied = apply_schema(shard, host, source.schema, now_ms); !applied) return applied;
  }
  return {};
}

Result<Appended> append_rows(Shard& shard, Host& host, std::span<const SourceRows> sources,
                             std::int64_t now_ms) {
  if (auto admitted = admit_columns(shard, host, sources, now_ms); !admitted) return admitted.error();
  Appended done;
  for (const SourceRows& source : sources) append_source(shard, host, source, now_ms, done);
  return done;
}

}  // namespace vigil::aggregator
