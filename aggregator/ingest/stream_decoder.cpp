#include "aggregator/ingest/stream_decoder.h"

#include "common/fnv1a.h"

#include <utility>

namespace vigil::aggregator {
namespace {

// Schemas may come ahead of the batches that use them (an agent sends what it had buffered while columns kept
// changing), but what waits must not grow without bound.
constexpr std::size_t kMaxWaitingVersions = 256;
constexpr std::size_t kWaitingSeriesFactor = 8;

// Symbols may be used again and again: written out, a schema is much larger than its message.
constexpr std::size_t kMaxSchemaTextBytes = std::size_t{32} << 20;

std::size_t text_bytes_of(const std::vector<SeriesSpec>& specs) {
  std::size_t bytes = 0;
  for (const SeriesSpec& series : specs)
    bytes += sizeof(series) + series.name.size() + series.labels.heap_bytes();
  return bytes;
}

std::uint64_t fingerprint_of(const std::vector<SeriesSpec>& specs) {
  std::uint64_t hash = kFnvBasis;
  const auto mix = [&hash](std::uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8)
      hash = fnv1a(hash, static_cast<unsigned char>(number >> shift));
  };
  for (const SeriesSpec& series : specs) {
    hash = fnv1a(hash, series.name);
    mix(series.labels.hash());
    mix(static_cast<std::uint64_t>(series.type) << 16 | static_cast<std::uint64_t>(series.encoding) << 8 |
        series.scale);
  }
  return hash;
}

}  // namespace

DeclaredSchema::DeclaredSchema(wire::SourceSchema schema)
    : source_id(schema.source_id),
      version(schema.version),
      job(std::move(schema.job)),
      interval_ms(schema.interval_ms),
      width(schema.series.size()),
      fingerprint(fingerprint_of(schema.series)),
      text_bytes(text_bytes_of(schema.series)),
      series(std::move(schema.series)) {}

std::size_t StreamDecoder::series() const {
  std::size_t count = 0;
  for (const auto& [id, source] : sources_) {
    if (!source.versions.empty()) count += source.versions.rbegin()->second->width;
  }
  return count;
}

Result<void> StreamDecoder::check_room(const DeclaredSchema& schema) const {
  std::size_t newest = schema.width;
  std::size_t waiting = schema.width;
  for (const auto& [id, source] : sources_) {
    if (source.versions.empty()) continue;
    for (const auto& [version, known] : source.versions) waiting += known->width;
    if (id == schema.source_id) continue;
    newest += source.versions.rbegin()->second->width;
  }
  if (newest > max_series_) {
    return fail(Errc::limit,
                "Schema: {} series in all sources, at most {} are taken from one agent: raise "
                "ingest.max_series in the "
                "aggregator's configuration, or have fewer collectors at the agent",
                newest, max_series_);
  }
  if (waiting > max_series_ * kWaitingSeriesFactor) {
    return fail(Errc::limit, "Schema: {} series wait for their first batch", waiting);
  }
  return {};
}

void StreamDecoder::restart() {
  for (auto& [id, source] : sources_) {
    source.rows = wire::RowDecoder();
    source.current = 0;
  }
}

Result<void> StreamDecoder::declare_again(const v1::Schema& schema) {
  auto read = wire::from_wire(schema);
  if (!read) return read.error();
  SchemaPtr& kept = sources_[read->source_id].versions[read->version];
  if (kept && kept->series) return {};
  if (kept) text_bytes_ -= kept->text_bytes;  // its series were taken, and its rows come again
  kept = std::make_shared<DeclaredSchema>(std::move(*read));
  text_bytes_ += kept->text_bytes;
  return {};
}

Result<SchemaPtr> StreamDecoder::add_schema(const v1::Schema& schema) {
  auto parsed = wire::from_wire(schema);
  if (!parsed) return parsed.error();
  auto read = std::make_shared<DeclaredSchema>(std::move(*parsed));
  Source& source = sources_[read->source_id];
  if (!source.versions.empty()) {
    const std::uint32_t newest = source.versions.rbegin()->first;
    if (read->version < newest) {
      return fail(Errc::parse, "Schema.version of source {} is {}, after {}", read->source_id, read->version,
                  newest);
    }
    if (read->version == newest) {
      const SchemaPtr& known = source.versions.rbegin()->second;
      if (known->width == read->width && known->fingerprint == read->fingerprint) return known;
      return fail(Errc::parse, "Schema.version {} of source {} came with other series before", newest,
                  read->source_id);
    }
    if (source.versions.size() >= kMaxWaitingVersions) {
      return fail(Errc::limit, "Schema: {} versions of source {} wait for their first batch",
                  source.versions.size(), read->source_id);
    }
  }
  if (auto room = check_room(*read); !room) return room.error();
  text_bytes_ += read->text_bytes;
  if (text_bytes_ > kMaxSchemaTextBytes)
    return fail(Errc::limit, "Schema: names and labels of all sources exceed {} bytes", kMaxSchemaTextBytes);
  source.versions[read->version] = read;
  return read;
}

Result<SourceRows> StreamDecoder::decode_rows(const v1::Rows& rows, wire::DecodedRows& out) {
  const auto at = sources_.find(rows.source_id());
  if (at == sources_.end()) return fail(Errc::parse, "Rows.source_id {} has no Schema", rows.source_id());
  Source& source = at->second;
  const auto version = source.versions.find(rows.schema_version());
  if (version == source.versions.end()) {
    return fail(Errc::parse, "Rows.schema_version {} of source {} has no Schema, or a newer one is in use",
                rows.schema_version(), rows.source_id());
  }
  if (source.current != version->first) {
    source.current = version->first;
    source.rows.set_width(version->second->width);
    for (auto old = source.versions.begin(); old != version; ++old) text_bytes_ -= old->second->text_bytes;
    source.versions.erase(source.versions.begin(), version);
  }
  if (std::exchange(source.decoded_in, batches_) == batches_)
    return fail(Errc::parse, "Batch.sources has source {} twice", rows.source_id());
  if (auto decoded = source.rows.decode(rows, out); !decoded) return decoded.error();
  return SourceRows{source.versions.begin()->second, &out};
}

Result<std::span<const SourceRows>> StreamDecoder::decode(const v1::Batch& batch) {
  decoded_.clear();
  ++batches_;
  if (batch.keyframe()) {
    for (auto& [id, source] : sources_) source.rows.start_over();
  }
  const auto count = static_cast<std::size_t>(batch.sources_size());
  while (buffers_.size() < count) buffers_.push_back(std::make_unique<wire::DecodedRows>());
  for (std::size_t i = 0; i < count; ++i) {
    auto rows = decode_rows(batch.sources(static_cast<int>(i)), *buffers_[i]);
    if (!rows) return rows.error();
    decoded_.push_back(std::move(*rows));
  }
  return std::span<const SourceRows>(decoded_);
}

}  // namespace vigil::aggregator
