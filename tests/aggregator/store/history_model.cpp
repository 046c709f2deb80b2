#include "tests/aggregator/store/history_model.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>

namespace vigil::aggregator::testing {

SourceKey model_source(std::size_t index) {
  static const std::array<SourceKey, kModelSources> sources = {SourceKey{"node", 1000},
                                                               SourceKey{"container", 5000}};
  return sources.at(index);
}

std::int64_t model_value(HostId host, SeriesId series, std::int64_t time_ms) {
  auto value = static_cast<std::uint64_t>(time_ms) * 0x9E3779B97F4A7C15ULL + host * 131ULL + series * 7919ULL;
  value ^= value >> 29;
  const auto number = static_cast<std::int64_t>(value * 0xBF58476D1CE4E5B9ULL);
  return number == kAbsent ? 0 : number;
}

JournalEntry batch_entry(HostId host, const SentBatch& batch) {
  std::string bytes = fmt::format("batch of host {} seq {} source {} schema {} from {}:", host, batch.seq,
                                  batch.source, batch.columns, batch.first_ms);
  for (std::int64_t row = 0; row < batch.rows; ++row) {
    const std::int64_t value = model_value(host, 0, batch.first_ms + row * kTickMs);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  for (std::size_t i = 0; i < batch.padding; ++i) {
    bytes.push_back(static_cast<char>(model_value(host, 1, static_cast<std::int64_t>(batch.seq * 4096 + i))));
  }
  return {host, batch.stream, batch.seq, EntryKind::batch, 0, std::move(bytes)};
}

JournalEntry schema_entry(HostId host, const SentBatch& batch) {
  std::string bytes = fmt::format("{} version of host {} source {}", batch.columns, host, batch.source);
  return {host,
          batch.stream,
          batch.seq,
          EntryKind::schema,
          static_cast<std::uint32_t>(batch.source + 1),
          std::move(bytes)};
}

std::size_t schema_version(const JournalEntry& schema) {
  return std::strtoull(schema.bytes.c_str(), nullptr, 10);
}

std::vector<SeriesId> HostModel::series_of(std::size_t source) const {
  std::vector<SeriesId> ids;
  for (const auto& versions : series) {
    if (!versions.empty() && versions.front().value.source == model_source(source))
      ids.push_back(versions.front().value.id);
  }
  return ids;
}

const SentBatch* HostModel::find(const StreamId& stream, std::uint64_t seq) const {
  const auto found = std::find_if(batches.begin(), batches.end(), [&](const SentBatch& batch) {
    return batch.stream == stream && batch.seq == seq;
  });
  return found == batches.end() ? nullptr : &*found;
}

std::uint64_t HostModel::keyframe_before(const StreamId& stream, std::uint64_t seq) const {
  std::uint64_t keyframe = 1;
  for (const SentBatch& batch : batches) {
    if (batch.stream == stream && batch.keyframe && batch.seq <= seq)
      keyframe = std::max(keyframe, batch.seq);
  }
  return keyframe;
}

std::uint64_t HostModel::last_seq(const StreamId& stream) const {
  std::uint64_t last = 0;
  for (const SentBatch& batch : batches) {
    if (batch.stream == stream) last = std::max(last, batch.seq);
  }
  return last;
}

std::vector<StreamId> HostModel::streams() const {
  std::vector<StreamId> streams;
  for (const SentBatch& batch : batches) {
    if (std::find(streams.begin(), streams.end(), batch.stream) == streams.end())
      streams.push_back(batch.stream);
  }
  return streams;
}

void HistoryModel::acknowledge(const DurableBatch& durable) {
  for (SentBatch& batch : hosts.at(durable.host).batches) {
    if (batch.stream != durable.stream || batch.seq != durable.seq) continue;
    batch.acknowledged = true;
    named_order = std::max(named_order, batch.order);
  }
}

void HistoryModel::synced() {
  synced_order = orders;
  named_order = orders;
}

std::int64_t HistoryModel::kept_from_ms() const {
  return retention_ms == 0 ? std::numeric_limits<std::int64_t>::min() : now_ms - retention_ms;
}

}  // namespace vigil::aggregator::testing
