// What was sampled and is not yet durable at the aggregator, in memory and bounded. Pure: no clock, no
// thread, no I/O.
//
// Batches form groups: a keyframe and those whose deltas build on it. A stream is resumed at a keyframe, so
// the group that holds the first batch not yet durable is kept whole. Past the byte cap the oldest group is
// dropped and remembered as a gap, which the aggregator is told: what was lost is declared, never papered
// over.
#pragma once

#include "agent/delivery/batch.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vigil::agent {

/// Batches that can no longer be sent, though the aggregator does not have them. Times are 0 when unknown.
struct LostBatches {
  std::uint64_t first_seq = 0;
  std::uint64_t last_seq = 0;
  std::int64_t first_time_ms = 0;
  std::int64_t last_time_ms = 0;
  std::string reason;
};

/// Owned by the delivery; its thread.
class Buffer {
 public:
  explicit Buffer(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  /// Sequence numbers are consecutive from 1, and the first batch is a keyframe.
  void push(EncodedBatch batch);
  /// Everything up to `durable_seq` is durable: forgets the groups no longer needed.
  void acknowledge(std::uint64_t durable_seq);

  std::uint64_t durable_seq() const { return durable_seq_; }
  std::uint64_t first_kept_seq() const { return batches_.empty() ? 0 : batches_.front().seq; }
  std::uint64_t next_seq() const { return next_seq_; }
  /// nullptr when it is not kept.
  const EncodedBatch* find(std::uint64_t seq) const;
  /// Where a stream goes on whose aggregator has everything up to `durable_seq`: the keyframe at or before
  /// the batch after it, or the oldest kept one when that is later.
  std::uint64_t resume_seq(std::uint64_t durable_seq) const;
  /// The schema of each source as it was before the batch `seq`, which must be kept or be next_seq().
  std::vector<const EncodedSchema*> schemas_before(std::uint64_t seq) const;
  /// What lies between `durable_seq`, which the aggregator has, and `seq` and is not kept, in order: what it
  /// had acknowledged and has lost since, then what was dropped here.
  std::vector<LostBatches> lost_between(std::uint64_t durable_seq, std::uint64_t seq) const;
  /// Gives up the oldest group, unless it is the only one: the aggregator will never take it.
  bool drop_oldest_group(const std::string& reason);

  std::size_t bytes() const { return bytes_; }
  std::uint64_t dropped_batches() const { return dropped_batches_; }

 private:
  void forget_front();
  std::size_t groups() const { return keyframes_.size(); }

  const std::size_t max_bytes_;
  std::deque<EncodedBatch> batches_;
  std::deque<std::uint64_t> keyframes_;             // sequence numbers of the keyframes kept
  std::map<std::uint32_t, EncodedSchema> schemas_;  // by source, as before the first kept batch
  std::optional<LostBatches> lost_;                 // dropped before they were durable
  std::size_t bytes_ = 0;
  std::uint64_t next_seq_ = 1;
  std::uint64_t durable_seq_ = 0;
  std::uint64_t dropped_batches_ = 0;
};

}  // namespace vigil::agent
