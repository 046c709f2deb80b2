#include "agent/delivery/buffer.h"

#include <algorithm>
#include <cassert>

namespace vigil::agent {

void Buffer::push(EncodedBatch batch) {
  assert(batch.seq == next_seq_ && (batch.keyframe || !batches_.empty()));
  next_seq_ = batch.seq + 1;
  bytes_ += batch.bytes();
  if (batch.keyframe) keyframes_.push_back(batch.seq);
  batches_.push_back(std::move(batch));
  acknowledge(durable_seq_);  // a new keyframe may end the need for the group before it
  while (bytes_ > max_bytes_ && drop_oldest_group("buffer_full")) {
  }
}

void Buffer::acknowledge(std::uint64_t durable_seq) {
  durable_seq_ = std::max(durable_seq_, std::min(durable_seq, next_seq_ - 1));
  if (lost_ && lost_->last_seq <= durable_seq_) lost_.reset();
  while (groups() > 1 && keyframes_[1] <= durable_seq_ + 1) {
    while (batches_.front().seq < keyframes_[1]) forget_front();
    keyframes_.pop_front();
  }
}

void Buffer::forget_front() {
  EncodedBatch& front = batches_.front();
  bytes_ -= front.bytes();
  for (EncodedSchema& schema : front.schemas) {
    const std::uint32_t source_id = schema.source_id;
    schemas_[source_id] = std::move(schema);
  }
  batches_.pop_front();
}

bool Buffer::drop_oldest_group(const std::string& reason) {
  if (groups() < 2) return false;
  while (batches_.front().seq < keyframes_[1]) {
    const EncodedBatch& front = batches_.front();
    if (front.seq > durable_seq_) {
      if (!lost_) lost_ = LostBatches{front.seq, front.seq, front.first_time_ms, front.last_time_ms, reason};
      lost_->last_seq = front.seq;
      lost_->last_time_ms = front.last_time_ms;
      ++dropped_batches_;
    }
    forget_front();
  }
  keyframes_.pop_front();
  return true;
}

const EncodedBatch* Buffer::find(std::uint64_t seq) const {
  if (batches_.empty() || seq < batches_.front().seq || seq >= next_seq_) return nullptr;
  return &batches_[seq - batches_.front().seq];
}

std::uint64_t Buffer::resume_seq(std::uint64_t durable_seq) const {
  if (keyframes_.empty()) return next_seq_;
  const auto after = std::upper_bound(keyframes_.begin(), keyframes_.end(), durable_seq + 1);
  return after == keyframes_.begin() ? keyframes_.front() : *std::prev(after);
}

std::vector<const EncodedSchema*> Buffer::schemas_before(std::uint64_t seq) const {
  std::map<std::uint32_t, const EncodedSchema*> newest;
  for (const auto& [source_id, schema] : schemas_) newest[source_id] = &schema;
  for (const EncodedBatch& batch : batches_) {
    if (batch.seq >= seq) break;
    for (const EncodedSchema& schema : batch.schemas) newest[schema.source_id] = &schema;
  }
  std::vector<const EncodedSchema*> out;
  out.reserve(newest.size());
  for (const auto& [source_id, schema] : newest) out.push_back(schema);
  return out;
}

std::vector<LostBatches> Buffer::lost_between(std::uint64_t durable_seq, std::uint64_t seq) const {
  std::vector<LostBatches> lost;
  const std::uint64_t acknowledged = std::min(durable_seq_, seq - 1);
  if (durable_seq < acknowledged) {
    // When that was is forgotten here; it ended where what is known begins.
    const std::int64_t until = lost_              ? lost_->first_time_ms
                               : batches_.empty() ? 0
                                                  : batches_.front().first_time_ms;
    lost.push_back({durable_seq + 1, acknowledged, 0, until, "aggregator_lost"});
  }
  const std::uint64_t first = std::max(durable_seq, acknowledged) + 1;
  if (first >= seq) return lost;
  LostBatches dropped = lost_.value_or(LostBatches{0, 0, 0, 0, "dropped"});
  dropped.first_seq = first;
  dropped.last_seq = seq - 1;
  lost.push_back(std::move(dropped));
  return lost;
}

}  // namespace vigil::agent
