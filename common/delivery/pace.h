// When what was sampled is sent, and how it is cut into batches.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace vigil {

/// Samples wait for the interval the aggregator asks for: the beat with which a new slot begins sends itself
/// and what came before it.
inline std::int64_t delivery_slot(std::int64_t wall_ms, std::chrono::milliseconds delivery_interval) {
  return wall_ms / std::max(delivery_interval, std::chrono::milliseconds(1)).count();
}

// A resumed stream begins at a keyframe, so these bound what is sent again, and what one keyframe's loss
// costs.
inline constexpr int kBatchesPerKeyframe = 60;
inline constexpr std::size_t kBytesPerKeyframe = 1 << 20;
inline constexpr std::size_t kMaxCellsPerBatch = 50'000;  // at most 10 bytes each: far below 1 MiB

// How long an agent waits for the aggregator's answer to what it sent.
inline constexpr std::chrono::seconds kWelcomeTimeout{20};
inline constexpr std::chrono::seconds kAckTimeout{30};
/// Up to this delivery interval an agent that waits for nothing does not read: what the aggregator says comes
/// with the next answer.
inline constexpr std::chrono::seconds kLongestRest{2};

}  // namespace vigil
