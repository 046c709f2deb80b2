// The wall clock for those who delete, or give up, what is old: after a step ahead nothing is old at once.
// Clocks are set wrong for minutes, by a battery or a virtual machine's host, and set right again; what was
// deleted meanwhile stays deleted.
#pragma once

#include "common/clock.h"

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

namespace vigil {

/// Follows the wall clock, but for steps ahead, which count once they have lasted for a day of the steady
/// clock. Steps back count at once. Any thread.
class PatientClock {
 public:
  using Steady = std::chrono::steady_clock::time_point;

  static constexpr std::chrono::milliseconds kSlack = std::chrono::minutes(2);  // of clocks that are slewed
  static constexpr std::chrono::milliseconds kBelieved = std::chrono::hours(24);

  /// Unix milliseconds, given both clocks' now.
  std::int64_t now_ms(std::int64_t wall_ms, Steady steady) {
    const std::lock_guard lock(mutex_);
    const std::int64_t steady_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(steady.time_since_epoch()).count();
    const std::int64_t offset = wall_ms - steady_ms;
    const bool is_ahead = offset_ms_ && offset > *offset_ms_ + kSlack.count();
    if (is_ahead && !ahead_since_) ahead_since_ = steady;
    if (!is_ahead || steady - *ahead_since_ >= kBelieved) {
      offset_ms_ = offset;
      ahead_since_.reset();
    }
    ahead_ms_ = offset - *offset_ms_;
    return steady_ms + *offset_ms_;
  }

  /// How far the wall clock was ahead of this one when last asked: 0 but for a step that is not believed yet.
  std::int64_t ahead_ms() const {
    const std::lock_guard lock(mutex_);
    return ahead_ms_;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<std::int64_t> offset_ms_;  // wall less steady, as far as it is believed
  std::optional<Steady> ahead_since_;
  std::int64_t ahead_ms_ = 0;
};

/// That of this process, and how far the wall clock is ahead of it.
struct PatientWall {
  std::int64_t ms = 0;
  std::int64_t ahead_ms = 0;
};
inline PatientWall patient_wall() {
  static PatientClock clock;
  const std::int64_t ms = clock.now_ms(wall_ms(), std::chrono::steady_clock::now());
  return {ms, clock.ahead_ms()};
}
inline std::int64_t patient_wall_ms() {
  return patient_wall().ms;
}

}  // namespace vigil
