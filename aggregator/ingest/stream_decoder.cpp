#include "aggregator/ingest/stream_decoder.h"

namespace vigil::aggregator {
namespace {

// Schemas may come ahead of the batches that use them (an agent sends what it had buffered while columns kept
// changing), but what waits must not grow without bound.
constexpr std::size_t kMaxWaitingVersions = 256;
constexpr std::size_t kWaitingSeriesFactor = 8;

// Symbols may be used again and again: written out, a schema is much larger than its message.
constexpr std::size_t kMaxSchemaTextBytes = std::size_t{32} << 20;

std::size_t text_bytes(const wire::SourceSchema& schema) {
  std::size_t bytes = 0;
  for (const SeriesSpec& series : schema.series) {
    bytes += sizeof(series) + series.name.size();
    for (const Label& label : series.labels) bytes += sizeof(label) + label.name.size() + label.value.size();
  }
  return bytes;
}

}  // namespace

std::size_t StreamDecoder::series() const {
  std::size_t count = 0;
  for (const auto& [id, source] : sources_) {
    if (!source.versions.empty()) count += source.versions.rbegin()->second->series.size();
  }
  return count;
}

Result<void> StreamDecoder::check_room(const wire::SourceSchema& schema) const {
  std::size_t newest = schema.series.size();
  std::size_t waiting = schema.series.size();
  for (const auto& [id, source] : sources_) {
    if (source.versions.empty()) continue;
    for (const auto& [version, known] : source.versions) waiting += known->series.size();
    if (id == schema.source_id) continue;
    newest += source.versions.rbegin()->second->series.size();
  }
  if (newest > max_series_) {
    return fail(Errc::limit, "Schema: {} series in all sources, at most {} are taken from one agent", newest,
                max_series_);
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
  if (kept) return {};
  text_bytes_ += text_bytes(*read);
  kept = std::make_shared<const wire::SourceSchema>(std::move(*read));
  return {};
}

Result<SchemaPtr> StreamDecoder::add_schema(const v1::Schema& schema) {
  auto read = wire::from_wire(schema);
  if (!read) return read.error();
  Source& source = sources_[read->source_id];
  if (!source.versions.empty()) {
    const std::uint32_t newest = source.versions.rbegin()->first;
    if (read->version < newest) {
      return fail(Errc::parse, "Schema.version of source {} is {}, after {}", read->source_id, read->version,
                  newest);
    }
    if (read->version == newest) {
      if (source.versions.rbegin()->second->series == read->series) return source.versions.rbegin()->second;
      return fail(Errc::parse, "Schema.version {} of source {} came with other series before", newest,
                  read->source_id);
    }
    if (source.versions.size() >= kMaxWaitingVersions) {
      return fail(Errc::limit, "Schema: {} versions of source {} wait for their first batch",
                  source.versions.size(), read->source_id);
    }
  }
  if (auto room = check_room(*read); !room) return room.error();
  text_bytes_ += text_bytes(*read);
  if (text_bytes_ > kMaxSchemaTextBytes)
    return fail(Errc::limit, "Schema: names and labels of all sources exceed {} bytes", kMaxSchemaTextBytes);
  const std::uint32_t version = read->version;
  return source.versions[version] = std::make_shared<const wire::SourceSchema>(std::move(*read));
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
    source.rows.set_width(version->second->series.size());
    for (auto old = source.versions.begin(); old != version; ++old) text_bytes_ -= text_bytes(*old->second);
    source.versions.erase(source.versions.begin(), version);
  }
  if (auto decoded = source.rows.decode(rows, out); !decoded) return decoded.error();
  return SourceRows{source.versions.begin()->second, &out};
}

Result<std::span<const SourceRows>> StreamDecoder::decode(const v1::Batch& batch) {
  decoded_.clear();
  if (batch.keyframe()) {
    for (auto& [id, source] : sources_) source.rows.start_over();
  }
  const auto count = static_cast<std::size_t>(batch.sources_size());
  while (buffers_.size() < count) buffers_.emplace_back();
  for (std::size_t i = 0; i < count; ++i) {
    auto rows = decode_rows(batch.sources(static_cast<int>(i)), buffers_[i]);
    if (!rows) return rows.error();
    decoded_.push_back(std::move(*rows));
  }
  return std::span<const SourceRows>(decoded_);
}

}  // namespace vigil::aggregator
