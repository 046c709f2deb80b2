// Collects rows into batches and encodes them. A batch ends when flush() says so, when a source's columns
// change (so that a batch never mixes two schemas of a source), or when it grows near the limits of a
// message.
#pragma once

#include "agent/delivery/batch.h"
#include "agent/sampling/source.h"
#include "common/delivery/pace.h"
#include "common/wire/rows.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace vigil::agent {

/// Owned by the agent; the beat's thread. Sequence numbers start at 1 and belong to a stream.
class BatchBuilder final : public FrameSink {
 public:
  explicit BatchBuilder(std::function<void(EncodedBatch)> out) : out_(std::move(out)) {}

  void take(const Frame& frame) override;
  /// Ends the batch being built, if it has rows.
  void flush();
  /// What comes from now on is a stream of its own: from 1, with a keyframe and all schemas.
  void begin_stream();
  std::uint64_t next_seq() const { return seq_ + 1; }

 private:
  struct Encoding {
    wire::RowEncoder encoder;
    std::uint32_t schema_version = 0;
    int rows = -1;  // index in batch_, -1: none yet
  };
  Encoding& encoding(std::uint32_t source_id);
  void begin_batch(const Frame& frame);
  void change_schema(Encoding& encoding, const Frame& frame);

  const std::function<void(EncodedBatch)> out_;
  std::vector<Encoding> encodings_;  // by source id
  v1::Batch batch_;                  // reused: protobuf keeps cleared rows
  EncodedBatch next_;
  std::size_t cells_ = 0;
  std::uint64_t seq_ = 0;
  int batches_since_keyframe_ = kBatchesPerKeyframe;  // the first is one
  std::size_t bytes_since_keyframe_ = 0;
};

}  // namespace vigil::agent
