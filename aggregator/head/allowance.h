// How much of something may be taken: so much a second in the long run, more at once (a token bucket). Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace vigil::aggregator {

struct AllowanceRate {
  double per_second = 0;
  double most = 0;  // at once, after a rest; what there is to begin with
};

/// Who takes more than there is owes it: taking waits until that is earned again. Clocks that are set back or
/// jump ahead give nothing and cost nothing but the time until now.
class Allowance {
 public:
  /// What there is now; below 0 it is owed.
  double left(const AllowanceRate& rate, std::int64_t now_ms) {
    const std::int64_t elapsed_ms = std::max<std::int64_t>(now_ms - at_ms_.value_or(now_ms), 0);
    const double earned = static_cast<double>(elapsed_ms) * rate.per_second / 1000;
    left_ = at_ms_ ? std::min(rate.most, left_ + earned) : rate.most;
    at_ms_ = now_ms;
    return left_;
  }
  void spend(double amount) { left_ -= amount; }
  /// One, if there is one.
  bool take(const AllowanceRate& rate, std::int64_t now_ms) {
    if (left(rate, now_ms) < 1) return false;
    spend(1);
    return true;
  }

 private:
  double left_ = 0;
  std::optional<std::int64_t> at_ms_;  // when `left_` was reckoned
};

}  // namespace vigil::aggregator
