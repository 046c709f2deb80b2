// What was sampled and is not yet durable at the aggregator: in memory first, on disk when it has waited and
// there is a spool, bounded on both. Without a spool it is pure: no clock, no thread, no I/O.
//
// Batches form groups: a keyframe and those whose deltas build on it. A stream is resumed at a keyframe, so
// the group that holds the first batch not yet durable is kept whole. Past the cap of memory a group stays on
// disk only; past both the oldest is dropped and remembered as a gap, which the aggregator is told: what was
// lost is declared, never papered over.
#pragma once

#include "agent/delivery/batch.h"
#include "agent/spool/spool.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
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
  std::uint64_t batches = 0;  // how many, when they are of another stream: then the numbers above are 0
};

struct BufferOptions {
  std::size_t max_bytes = 16 << 20;  // in memory; a quarter of it while all is on disk, too
  /// How long what is durable is kept all the same, in half of that at most: for an aggregator that is
  /// restored from an older state.
  std::int64_t keep_durable_ms = 0;
};

/// Owned by the delivery; its thread.
class Buffer {
 public:
  explicit Buffer(const BufferOptions& options, std::unique_ptr<Spool> spool = nullptr);

  /// Sequence numbers are consecutive from 1, and the first batch is a keyframe. In memory, for now.
  void push(EncodedBatch batch);
  /// There is a disk now.
  void attach(std::unique_ptr<Spool> spool) { spool_ = std::move(spool); }
  /// Puts on disk what is not durable up to `seq`, if there is one and nothing is wrong with it.
  void spool_to(std::uint64_t seq);
  /// Something is wrong with the disk, or is not any more: memory does.
  void set_spool_error(std::optional<Error> error) { spool_error_ = std::move(error); }
  /// Everything up to `durable_seq` is durable: forgets the groups no longer needed.
  void acknowledge(std::uint64_t durable_seq);

  std::uint64_t durable_seq() const { return durable_seq_; }
  /// Batches that are not durable.
  std::uint64_t waiting_batches() const { return next_seq_ - 1 - durable_seq_; }
  /// Nothing is kept that the aggregator does not have.
  bool all_durable() const { return next_kept_seq(durable_seq_ + 1) == next_seq_; }
  std::uint64_t first_kept_seq() const;
  std::uint64_t next_seq() const { return next_seq_; }
  /// Whether find() and schemas_before() can say what they know of `seq`; false while the disk is being read.
  bool ready(std::uint64_t seq);
  /// nullptr when it is not kept. Valid until the next call. Only what is ready().
  const EncodedBatch* find(std::uint64_t seq);
  /// The oldest batch kept from `seq` on, or next_seq().
  std::uint64_t next_kept_seq(std::uint64_t seq) const;
  /// Where a stream goes on whose aggregator has everything up to `durable_seq`: the keyframe at or before
  /// the batch after it, or the oldest kept one when that is later.
  std::uint64_t resume_seq(std::uint64_t durable_seq) const;
  /// The schema of each source as it was before the batch `seq`, which must be kept or be next_seq().
  std::vector<const EncodedSchema*> schemas_before(std::uint64_t seq);
  /// What lies between `durable_seq`, which the aggregator has, and `seq` and is not kept, in order: what it
  /// had acknowledged and has lost since, then what was dropped here.
  std::vector<LostBatches> lost_between(std::uint64_t durable_seq, std::uint64_t seq) const;
  /// Gives up the oldest group, unless it is the only one: the aggregator will never take it.
  bool drop_oldest_group(const std::string& reason);
  /// The oldest group goes from memory, unless it is the only one; lost is what the disk does not have.
  bool drop_oldest_in_memory(const std::string& reason);

  /// Gives up all there is, the files too. What that loses, as another stream tells it; nothing when all was
  /// durable.
  std::optional<LostBatches> drop_all(const std::string& reason);
  /// Of a stream that gets no more batches: memory gives up what is on disk.
  void rest_on_disk();
  /// What is not durable would be lost with the process.
  bool only_in_memory();

  /// Gives up the oldest segment on disk; false when there is none. Lost is what memory does not have.
  bool drop_spooled(const std::string& reason);

  /// In memory.
  std::size_t bytes() const { return bytes_; }
  std::uint64_t dropped_batches() const { return dropped_batches_; }
  /// nullptr when there is none.
  Spool* spool() { return spool_.get(); }
  const Spool* spool() const { return spool_.get(); }
  /// Why batches that should be on disk are not.
  const std::optional<Error>& spool_error() const { return spool_error_; }

 private:
  std::size_t memory_cap() const;
  void trim();
  bool front_group_on_its_way() const;
  void lose(const BatchRange& range, const std::string& reason);
  void forget_front();
  void forget_front_group();
  bool front_group_spooled();
  bool front_group_young() const;
  std::size_t groups() const { return keyframes_.size(); }

  const BufferOptions options_;
  std::unique_ptr<Spool> spool_;
  std::optional<Error> spool_error_;
  std::deque<EncodedBatch> batches_;
  std::deque<std::uint64_t> keyframes_;             // sequence numbers of the keyframes kept in memory
  std::map<std::uint32_t, EncodedSchema> schemas_;  // by source, as before the first batch in memory
  std::optional<LostBatches> lost_;                 // dropped before they were durable
  std::size_t bytes_ = 0;
  std::uint64_t next_seq_ = 1;
  std::uint64_t durable_seq_ = 0;
  std::uint64_t dropped_batches_ = 0;
};

}  // namespace vigil::agent
