// Lines that somebody outside can cause as often as he likes: one a minute, and how many it stands for.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

namespace vigil::agent::docker {

/// Thread-safe.
class QuietLog {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr auto kPause = std::chrono::minutes(1);

  /// How many happened since the latest line, this one included, when a line is due.
  std::optional<std::uint64_t> note(Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    ++total_;
    if (latest_ && now < *latest_ + kPause) return std::nullopt;
    latest_ = now;
    return total_ - std::exchange(told_, total_);
  }
  std::uint64_t total() const {
    const std::lock_guard lock(mutex_);
    return total_;
  }

 private:
  mutable std::mutex mutex_;  // protects what follows
  std::optional<Clock::time_point> latest_;
  std::uint64_t total_ = 0;
  std::uint64_t told_ = 0;
};

}  // namespace vigil::agent::docker
