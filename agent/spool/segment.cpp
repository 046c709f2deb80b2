#include "agent/spool/segment.h"

#include "common/crc32c.h"

#include <algorithm>

namespace vigil::agent {
namespace {

constexpr std::string_view kMagic = "VGS\x01";
constexpr std::size_t kFrameBytes = 8;  // length and checksum, before each record
constexpr std::size_t kStreamIdBytes = 16;
constexpr std::size_t kMostChecked = std::size_t{256}
                                     << 20;  // bytes: looking for whole records in damage ends

void put_fixed(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

void put_text(std::string& out, std::string_view text) {
  put_fixed(out, text.size(), 4);
  out += text;
}

void put_schemas(std::string& out, std::size_t count, const auto& schema_at) {
  put_fixed(out, count, 4);
  for (std::size_t i = 0; i < count; ++i) {
    const EncodedSchema& schema = schema_at(i);
    put_fixed(out, schema.source_id, 4);
    put_text(out, schema.message);
  }
}

std::string framed(const std::string& record) {
  std::string out;
  out.reserve(record.size() + kFrameBytes);
  put_fixed(out, record.size(), 4);
  put_fixed(out, crc32c(record), 4);
  out += record;
  return out;
}

/// Takes fields off the front; `good` turns false when they are not there.
struct Fields {
  std::string_view rest;
  bool good = true;

  std::string_view bytes(std::size_t count) {
    if (count > rest.size()) good = false;
    if (!good) return {};
    const std::string_view out = rest.substr(0, count);
    rest.remove_prefix(count);
    return out;
  }
  std::uint64_t fixed(int count) {
    std::uint64_t value = 0;
    const std::string_view from = bytes(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < from.size(); ++i)
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(from[i])) << (8 * i);
    return value;
  }
  std::string text() { return std::string(bytes(fixed(4))); }
  std::vector<EncodedSchema> schemas() {
    std::vector<EncodedSchema> out;
    for (std::uint64_t left = fixed(4); left > 0 && good; --left) {
      const auto source_id = static_cast<std::uint32_t>(fixed(4));
      out.push_back({source_id, text()});
    }
    return out;
  }
};

/// The next record, without its frame; nothing when it is not whole.
std::optional<std::string_view> next_record(Fields& from) {
  const std::size_t length = from.fixed(4);
  const auto checksum = static_cast<std::uint32_t>(from.fixed(4));
  const std::string_view record = from.bytes(length);
  if (!from.good || crc32c(record) != checksum) return {};
  return record;
}

std::optional<EncodedBatch> decode_batch(std::string_view record) {
  Fields fields{record};
  EncodedBatch batch;
  batch.seq = fields.fixed(8);
  batch.keyframe = fields.fixed(1) != 0;
  batch.first_time_ms = static_cast<std::int64_t>(fields.fixed(8));
  batch.last_time_ms = static_cast<std::int64_t>(fields.fixed(8));
  batch.schemas = fields.schemas();
  batch.message = fields.text();
  if (!fields.good || !fields.rest.empty()) return {};
  return batch;
}

}  // namespace

std::string encode_header(const SpoolStream& stream, const std::vector<const EncodedSchema*>& schemas) {
  std::string record(stream.stream_id);
  record.resize(kStreamIdBytes);
  put_text(record, stream.boot_id);
  put_schemas(record, schemas.size(), [&](std::size_t i) -> const EncodedSchema& { return *schemas[i]; });
  return std::string(kMagic) + framed(record);
}

std::string encode_record(const EncodedBatch& batch) {
  std::string record;
  put_fixed(record, batch.seq, 8);
  put_fixed(record, batch.keyframe ? 1 : 0, 1);
  put_fixed(record, static_cast<std::uint64_t>(batch.first_time_ms), 8);
  put_fixed(record, static_cast<std::uint64_t>(batch.last_time_ms), 8);
  put_schemas(record, batch.schemas.size(),
              [&](std::size_t i) -> const EncodedSchema& { return batch.schemas[i]; });
  put_text(record, batch.message);
  return framed(record);
}

bool is_newer_segment(std::string_view bytes) {
  constexpr std::size_t kName = kMagic.size() - 1;  // the version stands behind it
  return bytes.size() >= kMagic.size() && bytes.starts_with(kMagic.substr(0, kName)) &&
         static_cast<unsigned char>(bytes[kName]) > static_cast<unsigned char>(kMagic[kName]);
}

std::optional<SegmentContent> decode_segment(std::string_view bytes) {
  Fields file{bytes};
  if (file.bytes(kMagic.size()) != kMagic) return {};
  const auto header = next_record(file);
  if (!header) return {};
  Fields fields{*header};
  SegmentContent out;
  out.stream.stream_id = std::string(fields.bytes(kStreamIdBytes));
  out.stream.boot_id = fields.text();
  out.schemas = fields.schemas();
  if (!fields.good || !fields.rest.empty()) return {};
  out.good_bytes = bytes.size() - file.rest.size();
  while (!file.rest.empty()) {
    const auto record = next_record(file);
    auto batch = record ? decode_batch(*record) : std::nullopt;
    if (!batch) break;
    if (out.batches.empty() ? !batch->keyframe : batch->seq != out.batches.back().seq + 1) break;
    out.batches.push_back(std::move(*batch));
    out.good_bytes = bytes.size() - file.rest.size();
  }
  return out;
}

std::optional<BatchRange> damaged_range(std::string_view bytes,
                                        const std::optional<SegmentContent>& content) {
  std::string_view rest = bytes.substr(std::min(content ? content->good_bytes : kMagic.size(), bytes.size()));
  const std::uint64_t after = content && !content->batches.empty() ? content->batches.back().seq : 0;
  std::optional<BatchRange> range;
  std::size_t checked = 0;
  while (!rest.empty() && checked < kMostChecked) {
    Fields file{rest};
    const std::size_t length = file.fixed(4);
    const auto checksum = static_cast<std::uint32_t>(file.fixed(4));
    const std::string_view record = file.bytes(length);
    if (file.good) checked += record.size();
    if (!file.good || crc32c(record) != checksum) {
      rest.remove_prefix(1);  // its length may be what is damaged
      continue;
    }
    rest = file.rest;
    const auto batch = decode_batch(record);
    if (!batch || batch->seq <= after) continue;
    if (!range) range = {batch->seq, batch->seq, batch->first_time_ms, batch->last_time_ms};
    range->last_seq = std::max(range->last_seq, batch->seq);
    range->last_time_ms = std::max(range->last_time_ms, batch->last_time_ms);
  }
  if (!range || after == 0) return range;
  range->first_seq = after + 1;
  range->first_time_ms = content->batches.back().last_time_ms;
  return range;
}

}  // namespace vigil::agent
