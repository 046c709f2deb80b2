#include "common/log/allowance.h"

#include <utility>

namespace vigil::log {

std::optional<std::uint64_t> Allowance::take(std::int64_t now_ms) {
  constexpr std::int64_t kMinuteMs = 60'000;
  const std::lock_guard lock(mutex_);
  if (const std::int64_t minute = now_ms / kMinuteMs; minute != minute_) {
    minute_ = minute;
    taken_ = 0;
  }
  if (taken_ == lines_a_minute_) {
    ++left_out_;
    return std::nullopt;
  }
  ++taken_;
  return std::exchange(left_out_, 0);
}

}  // namespace vigil::log
