// How long to wait before the next attempt: full jitter, so that 10,000 agents do not come back at once. The
// first retry comes within a second (a restarted aggregator is back soon), then the range doubles up to a
// minute.
#pragma once

#include <algorithm>
#include <chrono>

namespace vigil {

class Backoff {
 public:
  /// `random` from 0 to 1.
  std::chrono::milliseconds next(double random) {
    const auto range = range_;
    range_ = std::min(range_ * 2, kLongest);
    const auto shortest = range > kShortest ? kShortest : std::chrono::milliseconds(0);
    return shortest + std::chrono::milliseconds(static_cast<std::int64_t>(
                          random * static_cast<double>((range - shortest).count())));
  }
  /// The stream made progress.
  void reset() { range_ = kShortest; }

  static constexpr std::chrono::milliseconds kShortest{1000};
  static constexpr std::chrono::milliseconds kLongest{60'000};

 private:
  std::chrono::milliseconds range_ = kShortest;
};

}  // namespace vigil
