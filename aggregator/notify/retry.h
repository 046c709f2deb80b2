// When to try again. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

namespace vigil::notify {

inline constexpr std::int64_t kFirstRetryMs = 1'000;
inline constexpr std::int64_t kLongestRetryMs = 600'000;
inline constexpr std::int64_t kLongestRetryAfterMs = 86'400'000;

/// The wait after failure number `failures` (from 1): exponential with full jitter, at least a second.
/// `random` is from 0 to 1.
inline std::int64_t backoff_ms(int failures, double random) {
  const int doublings = std::clamp(failures - 1, 0, 20);
  const std::int64_t ceiling = std::min(kLongestRetryMs, kFirstRetryMs << doublings);
  return std::max(kFirstRetryMs, static_cast<std::int64_t>(random * static_cast<double>(ceiling)));
}

}  // namespace vigil::notify
