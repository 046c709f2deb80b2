// How long a shard may look for the series of one host. Label values and patterns come from outside: a
// pattern on which RE2 has to fall back to its slow engine takes milliseconds for a long value, and all
// samples of the shard wait meanwhile.
#pragma once

#include "common/error.h"

#include <chrono>
#include <cstdint>
#include <ctime>

namespace vigil::aggregator {

/// CPU time of the calling thread, so that a busy machine ends no honest question. It costs a system call to
/// ask for, which is more than most hosts' series take: the clock starts at the first time it is asked.
class MatchBudget {
 public:
  explicit MatchBudget(std::chrono::nanoseconds most) : most_(most) {}

  /// One more label set was looked at; asks the clock now and then. False: enough.
  bool go_on() {
    if (++looked_ % kPerLook != 0) return !is_spent_;
    const std::chrono::nanoseconds time = now();
    if (looked_ == kPerLook) until_ = time + most_;
    is_spent_ = is_spent_ || time > until_;
    return !is_spent_;
  }
  bool is_spent() const { return is_spent_; }

  static Error spent() {
    return fail(
        Errc::limit,
        "looking for the series takes too long; name the metric, or make the regular expressions simpler");
  }

 private:
  static constexpr std::uint32_t kPerLook = 32;
  static std::chrono::nanoseconds now() {
    std::timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }

  std::chrono::nanoseconds most_;
  std::chrono::nanoseconds until_{0};
  std::uint64_t looked_ = 0;
  bool is_spent_ = false;
};

}  // namespace vigil::aggregator
