#include "agent/delivery/buffer.h"

#include <algorithm>
#include <cassert>

namespace vigil::agent {

Buffer::Buffer(const BufferOptions& options, std::unique_ptr<Spool> spool)
    : options_(options), spool_(std::move(spool)) {
  if (spool_ && !spool_->empty()) next_seq_ = spool_->last_seq() + 1;
}

void Buffer::push(EncodedBatch batch) {
  assert(batch.seq == next_seq_ && (batch.keyframe || !batches_.empty()));
  next_seq_ = batch.seq + 1;
  bytes_ += batch.bytes();
  if (batch.keyframe) keyframes_.push_back(batch.seq);
  batches_.push_back(std::move(batch));
  acknowledge(durable_seq_);  // a new keyframe may end the need for the group before it
  trim();
}

void Buffer::acknowledge(std::uint64_t durable_seq) {
  durable_seq_ = std::max(durable_seq_, std::min(durable_seq, next_seq_ - 1));
  if (lost_ && lost_->last_seq <= durable_seq_) lost_.reset();
  while (groups() > 1 && keyframes_[1] <= durable_seq_ + 1 && !front_group_young()) forget_front_group();
  if (spool_) spool_->acknowledge(durable_seq_);
}

bool Buffer::front_group_young() const {
  const std::int64_t ended_ms = batches_[keyframes_[1] - 1 - batches_.front().seq].last_time_ms;
  return bytes_ <= memory_cap() / 2 && batches_.back().last_time_ms - ended_ms < options_.keep_durable_ms;
}

/// From the group of the first batch that is not durable: deltas build on it.
void Buffer::spool_to(std::uint64_t last) {
  last = std::min(last, next_seq_ - 1);
  if (!spool_ || spool_error_ || batches_.empty() || last <= durable_seq_) return;
  const auto schemas = [this](std::uint64_t seq) { return schemas_before(seq); };
  std::uint64_t seq = spool_->last_seq() + 1;
  if (spool_->empty() || seq < batches_.front().seq || seq <= durable_seq_) {
    const auto after = std::upper_bound(keyframes_.begin(), keyframes_.end(), durable_seq_ + 1);
    seq = std::max(seq, after == keyframes_.begin() ? keyframes_.front() : *std::prev(after));
  }
  for (; seq <= last; ++seq) {
    const auto appended = spool_->append(batches_[seq - batches_.front().seq], schemas);
    if (appended) continue;
    spool_error_ = appended.error();
    return;
  }
}

std::size_t Buffer::memory_cap() const {
  return spool_ && !spool_error_ ? options_.max_bytes / 4 : options_.max_bytes;
}

void Buffer::trim() {
  if (bytes_ > memory_cap()) spool_to(next_seq_ - 1);
  while (bytes_ > memory_cap() && groups() > 1) {
    if (keyframes_[1] <= durable_seq_ + 1 || front_group_spooled()) {
      forget_front_group();
    } else if (front_group_on_its_way() && bytes_ <= options_.max_bytes) {
      return;
    } else if (spool_ && spool_->first_seq() != 0 && spool_->first_seq() < batches_.front().seq) {
      // The disk is full: its oldest make room for those that only memory has.
      if (const auto range = spool_->drop_oldest()) lose(*range, "buffer_full");
      spool_error_.reset();
      spool_to(next_seq_ - 1);
    } else {
      drop_oldest_group("buffer_full");
    }
  }
}

bool Buffer::front_group_spooled() {
  return spool_ && spool_->holds(batches_.front().seq) && spool_->written(keyframes_[1] - 1);
}

bool Buffer::front_group_on_its_way() const {
  return spool_ && !spool_error_ && spool_->holds(keyframes_[1] - 1);
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

void Buffer::forget_front_group() {
  while (batches_.front().seq < keyframes_[1]) forget_front();
  keyframes_.pop_front();
}

void Buffer::lose(const BatchRange& range, const std::string& reason) {
  if (range.last_seq <= durable_seq_) return;
  const std::uint64_t first = std::max(range.first_seq, durable_seq_ + 1);
  if (!lost_) lost_ = LostBatches{first, first, range.first_time_ms, range.last_time_ms, reason};
  lost_->last_seq = std::max(lost_->last_seq, range.last_seq);
  lost_->last_time_ms = std::max(lost_->last_time_ms, range.last_time_ms);
  dropped_batches_ += range.last_seq - first + 1;
}

bool Buffer::drop_oldest_group(const std::string& reason) {
  if (spool_ && !spool_->empty() && (batches_.empty() || spool_->first_seq() < batches_.front().seq)) {
    lose(*spool_->drop_oldest(), reason);
    return true;
  }
  return drop_oldest_in_memory(reason);
}

bool Buffer::drop_oldest_in_memory(const std::string& reason) {
  if (groups() < 2) return false;
  if (keyframes_[1] <= durable_seq_ + 1 || front_group_spooled()) {
    forget_front_group();
    return true;
  }
  // Of a group that is durable in part only the rest is lost: find where it begins.
  const auto at = [this](std::uint64_t seq) -> const EncodedBatch& {
    return batches_[seq - batches_.front().seq];
  };
  const std::uint64_t last = keyframes_[1] - 1;
  const std::uint64_t first = std::min(std::max(batches_.front().seq, durable_seq_ + 1), last);
  lose({first, last, at(first).first_time_ms, at(last).last_time_ms}, reason);
  forget_front_group();
  return true;
}

std::optional<LostBatches> Buffer::drop_all(const std::string& reason) {
  while (spool_ && !spool_->empty()) lose(*spool_->drop_oldest(), reason);
  if (!batches_.empty())
    lose({batches_.front().seq, batches_.back().seq, batches_.front().first_time_ms,
          batches_.back().last_time_ms},
         reason);
  batches_.clear();
  keyframes_.clear();
  bytes_ = 0;
  if (!lost_) return {};
  LostBatches all = *lost_;
  all.batches = all.last_seq - all.first_seq + 1;
  all.first_seq = all.last_seq = 0;
  return all;
}

void Buffer::rest_on_disk() {
  spool_to(next_seq_ - 1);
  while (groups() > 1 && front_group_spooled()) forget_front_group();
  if (groups() != 1 || !spool_ || !spool_->holds(batches_.front().seq) || !spool_->written(next_seq_ - 1))
    return;
  batches_.clear();
  keyframes_.clear();
  bytes_ = 0;
}

bool Buffer::only_in_memory() {
  for (std::size_t i = 0; i < groups(); ++i) {
    const std::uint64_t last = i + 1 < groups() ? keyframes_[i + 1] - 1 : next_seq_ - 1;
    if (last > durable_seq_ && !(spool_ && spool_->written(last))) return true;
  }
  return false;
}

bool Buffer::drop_spooled(const std::string& reason) {
  // The segment being written stays: it would be written anew, and again.
  const bool written_to = spool_ && spool_->segments() == 1 && !batches_.empty();
  auto range = spool_ && !written_to ? spool_->drop_oldest() : std::nullopt;
  if (!range) return false;
  if (!batches_.empty()) range->last_seq = std::min(range->last_seq, batches_.front().seq - 1);
  if (range->last_seq >= range->first_seq) lose(*range, reason);
  return true;
}

std::uint64_t Buffer::first_kept_seq() const {
  const std::uint64_t in_memory = batches_.empty() ? 0 : batches_.front().seq;
  const std::uint64_t on_disk = spool_ ? spool_->first_seq() : 0;
  if (in_memory == 0 || on_disk == 0) return std::max(in_memory, on_disk);
  return std::min(in_memory, on_disk);
}

bool Buffer::ready(std::uint64_t seq) {
  const bool in_memory = !batches_.empty() && seq >= batches_.front().seq;
  return in_memory || !spool_ || spool_->ready(seq);
}

const EncodedBatch* Buffer::find(std::uint64_t seq) {
  if (!batches_.empty() && seq >= batches_.front().seq && seq < next_seq_)
    return &batches_[seq - batches_.front().seq];
  return spool_ ? spool_->find(seq) : nullptr;
}

std::uint64_t Buffer::next_kept_seq(std::uint64_t seq) const {
  const std::uint64_t in_memory = batches_.empty() ? next_seq_ : batches_.front().seq;
  if (seq >= in_memory) return std::min(seq, next_seq_);
  const std::uint64_t on_disk = !spool_ ? 0 : spool_->holds(seq) ? seq : spool_->keyframe_for(seq);
  return on_disk == 0 ? in_memory : std::min(on_disk, in_memory);
}

std::uint64_t Buffer::resume_seq(std::uint64_t durable_seq) const {
  const std::uint64_t wanted = durable_seq + 1;
  const auto after = std::upper_bound(keyframes_.begin(), keyframes_.end(), wanted);
  if (after != keyframes_.begin()) return *std::prev(after);
  const std::uint64_t in_memory = keyframes_.empty() ? next_seq_ : keyframes_.front();
  const std::uint64_t on_disk = spool_ && wanted < next_seq_ ? spool_->keyframe_for(wanted) : 0;
  return on_disk == 0 ? in_memory : std::min(on_disk, in_memory);
}

std::vector<const EncodedSchema*> Buffer::schemas_before(std::uint64_t seq) {
  if (spool_ && !(batches_.empty() ? seq >= next_seq_ : seq >= batches_.front().seq))
    return spool_->schemas_before(seq);
  NewestSchemas newest;
  for (const auto& [source_id, schema] : schemas_) newest.take(schema);
  for (const EncodedBatch& batch : batches_) {
    if (batch.seq >= seq) break;
    for (const EncodedSchema& schema : batch.schemas) newest.take(schema);
  }
  return newest.list();
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
  const bool known = lost_ && lost_->last_seq >= first && lost_->first_seq < seq;
  LostBatches dropped = known ? *lost_ : LostBatches{0, 0, 0, 0, "damaged"};
  if (!known && spool_) {
    const BatchRange hole = spool_->hole_before(seq);
    dropped.first_time_ms = hole.first_time_ms;
    dropped.last_time_ms =
        hole.last_time_ms == 0 && !batches_.empty() ? batches_.front().first_time_ms : hole.last_time_ms;
  }
  dropped.first_seq = first;
  dropped.last_seq = seq - 1;
  lost.push_back(std::move(dropped));
  return lost;
}

}  // namespace vigil::agent
