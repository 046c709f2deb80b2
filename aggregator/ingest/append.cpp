#include "aggregator/ingest/append.h"

#include <algorithm>

namespace vigil::aggregator {
namespace {

Result<void> apply_schema(const RowTarget& target, const SchemaPtr& schema, std::int64_t now_ms) {
  Host& host = target.host;
  const std::uint32_t source = source_number(target.lane, schema->source_id);
  auto& applied = host.applied[source];
  if (applied == schema) return {};
  if (!schema->series)
    return fail(Errc::parse, "rows of source {} after Bye, with which its series ended", schema->source_id);
  auto ids = target.shard.columns(host, {schema->job, schema->interval_ms}, *schema->series, now_ms);
  if (!ids) return ids.error();
  // Several sources of one job may share a cadence, and the history keeps one block per source and time:
  // their number tells them apart, and what was late from what was not.
  const std::string_view late = target.lane == kLiveLane ? "" : "+late";
  SourceKey key{fmt::format("{}#{}{}", schema->job, schema->source_id, late), schema->interval_ms};
  host.head.set_columns(source, std::move(key), std::move(*ids));
  applied = schema;
  schema->series.reset();
  return {};
}

void append_source(const RowTarget& target, const SourceRows& source, std::int64_t now_ms, Appended& done) {
  const ShardOptions& limits = target.shard.options();
  const std::uint32_t number = source_number(target.lane, source.schema->source_id);
  const std::size_t width = source.schema->width;
  const auto& times = source.rows->times_ms;
  const std::span<const std::int64_t> values(source.rows->values);
  for (std::size_t row = 0; row < times.size(); ++row) {
    if (times[row] < now_ms - limits.retention_ms) {
      ++done.too_old;
    } else if (times[row] > now_ms + limits.future_ms) {
      ++done.in_future;
    } else {
      target.host.head.append(number, times[row], values.subspan(row * width, width));
      done.arrival.stored_ms = std::max(done.arrival.stored_ms, times[row]);
      ++done.rows;
      done.samples += width;
    }
  }
  if (!times.empty()) done.arrival.sent_ms = std::max(done.arrival.sent_ms, times.back());
}

}  // namespace

Result<void> admit_columns(const RowTarget& target, std::span<const SourceRows> sources,
                           std::int64_t now_ms) {
  for (const SourceRows& source : sources) {
    if (auto applied = apply_schema(target, source.schema, now_ms); !applied) return applied;
  }
  return {};
}

Result<Appended> append_rows(const RowTarget& target, std::span<const SourceRows> sources,
                             std::int64_t now_ms) {
  if (auto admitted = admit_columns(target, sources, now_ms); !admitted) return admitted.error();
  Appended done;
  const std::uint64_t closed = target.host.head.closed_blocks();
  for (const SourceRows& source : sources) append_source(target, source, now_ms, done);
  done.blocks = target.host.head.closed_blocks() - closed;
  return done;
}

}  // namespace vigil::aggregator
