#include "agent/delivery/batch_builder.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>

namespace vigil::agent {
namespace {

/// An AgentMessage with `batch` in it, without moving the batch into a oneof, which would free its memory
/// each time.
std::string wrap(const v1::Batch& batch) {
  using google::protobuf::io::CodedOutputStream;
  constexpr std::uint32_t kLengthDelimited = 2;
  constexpr std::uint32_t kTag = (v1::AgentMessage::kBatchFieldNumber << 3) | kLengthDelimited;
  static_assert(kTag < 128, "the tag is one byte");
  const auto size = static_cast<std::uint32_t>(batch.ByteSizeLong());
  std::string out(1 + CodedOutputStream::VarintSize32(size) + size, '\0');
  auto* at = reinterpret_cast<std::uint8_t*>(out.data());
  *at++ = kTag;
  at = CodedOutputStream::WriteVarint32ToArray(size, at);
  batch.SerializeWithCachedSizesToArray(at);
  return out;
}

}  // namespace

std::size_t EncodedBatch::bytes() const {
  std::size_t bytes = sizeof(*this) + message.size();
  for (const EncodedSchema& schema : schemas) bytes += sizeof(schema) + schema.message.size();
  return bytes;
}

BatchBuilder::Encoding& BatchBuilder::encoding(std::uint32_t source_id) {
  if (source_id >= encodings_.size()) encodings_.resize(source_id + 1);
  return encodings_[source_id];
}

void BatchBuilder::take(const Frame& frame) {
  Encoding& mine = encoding(frame.schema.source_id);
  if (mine.schema_version != frame.schema.version) {
    flush();
    change_schema(mine, frame);
  } else {
    const bool full = cells_ + frame.values.size() > kMaxCellsPerBatch;
    const bool clock_was_set = mine.rows >= 0 && !mine.encoder.may_follow(frame.time_ms);
    if (full || clock_was_set) flush();
  }
  if (batch_.sources().empty()) begin_batch(frame);
  if (mine.rows < 0) {
    mine.rows = batch_.sources_size();
    v1::Rows& rows = *batch_.add_sources();
    rows.set_source_id(frame.schema.source_id);
    rows.set_schema_version(frame.schema.version);
  }
  mine.encoder.append(frame.time_ms, frame.values, *batch_.mutable_sources(mine.rows));
  cells_ += frame.values.size();
  next_.first_time_ms = std::min(next_.first_time_ms, frame.time_ms);
  next_.last_time_ms = std::max(next_.last_time_ms, frame.time_ms);
}

void BatchBuilder::change_schema(Encoding& encoding, const Frame& frame) {
  v1::AgentMessage message;
  wire::to_wire(frame.schema, *message.mutable_schema());
  next_.schemas.push_back({frame.schema.source_id, message.SerializeAsString()});
  encoding.schema_version = frame.schema.version;
  encoding.encoder.set_width(frame.values.size());
}

void BatchBuilder::begin_batch(const Frame& frame) {
  next_.keyframe =
      batches_since_keyframe_ >= kBatchesPerKeyframe || bytes_since_keyframe_ >= kBytesPerKeyframe;
  if (next_.keyframe) {
    batches_since_keyframe_ = 0;
    bytes_since_keyframe_ = 0;
    for (Encoding& each : encodings_) each.encoder.start_over();
  }
  next_.first_time_ms = frame.time_ms;
  next_.last_time_ms = frame.time_ms;
}

void BatchBuilder::begin_stream() {
  flush();
  next_ = {};
  seq_ = 0;
  batches_since_keyframe_ = kBatchesPerKeyframe;
  for (Encoding& each : encodings_) each.schema_version = 0;  // so that its next frame brings the schema
}

void BatchBuilder::flush() {
  if (batch_.sources().empty()) return;
  next_.seq = ++seq_;
  batch_.set_seq(next_.seq);
  batch_.set_keyframe(next_.keyframe);
  next_.message = wrap(batch_);
  batch_.Clear();
  for (Encoding& each : encodings_) each.rows = -1;
  cells_ = 0;
  ++batches_since_keyframe_;
  bytes_since_keyframe_ += next_.message.size();
  out_(std::move(next_));
  next_ = {};
}

}  // namespace vigil::agent
