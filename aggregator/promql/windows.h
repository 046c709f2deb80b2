// What a window that moves on over the points of a series sees, at a cost per step that does not depend on
// how long the window is. Nothing is ever subtracted: what left a window cannot leave its rounding behind,
// nor can a NaN or an infinity. Internal to the engine.
#pragma once

#include "aggregator/promql/functions.h"
#include "aggregator/promql/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace vigil::promql {

/// Two stacks as a queue: aggregates of everything from a point to the middle, made backwards once, and one
/// running aggregate of what came behind the middle. `Sum` is default-constructed as the sum of nothing, and
/// has add(double) and join(what comes behind it). `at(i)` is the value of point i.
template <class Sum, class At>
class SlidingWindow {
 public:
  explicit SlidingWindow(At at) : at_(at) {}

  /// Of the points [first, last), which are not empty; both only advance from call to call.
  Sum over(std::uint32_t first, std::uint32_t last) {
    if (first >= middle_) begin_anew(first, last);
    for (; end_ < last; ++end_) behind_.add(at_(end_));
    Sum sum = before_[first - base_];
    sum.join(behind_);
    return sum;
  }

 private:
  void begin_anew(std::uint32_t first, std::uint32_t last) {
    base_ = first;
    middle_ = end_ = last;
    before_.resize(last - first);
    behind_ = Sum();
    Sum next;
    for (std::uint32_t i = last; i > first; --i) {
      Sum sum;
      sum.add(at_(i - 1));
      sum.join(next);
      next = before_[i - 1 - base_] = sum;
    }
  }

  At at_;
  std::vector<Sum> before_;  // of the points [i, middle_), from i = base_
  Sum behind_;               // of the points [middle_, end_)
  std::uint32_t base_ = 0;
  std::uint32_t middle_ = 0;
  std::uint32_t end_ = 0;
};

/// Whether windows overlap enough for sliding to be cheaper than looking at each of them.
inline bool overlap(std::span<const Window> windows) {
  constexpr std::uint64_t kLooks = 4;
  std::uint64_t seen = 0;
  for (const Window& window : windows) seen += window.last - window.first;
  return !windows.empty() && seen > kLooks * (windows.back().last - windows.front().first);
}

/// A sum in parts, and how large its summands are.
struct SlidingSum {
  static constexpr double kScale = 1e-20;  // so that it is infinite only where a value is
  CompensatedSum sum;
  double magnitude = 0;

  void add(double value) {
    sum.add(value);
    magnitude += std::fabs(value) * kScale;
  }
  void join(const SlidingSum& later) {
    sum.join(later.sum);
    magnitude += later.magnitude;
  }
  /// Whether the order of adding can be seen in the digits that count: where summands cancel each other out,
  /// or would have overflown on the way. Then the sum is to be made in the order of time.
  bool depends_on_order() const {
    constexpr double kCancelled = 1e-15;
    constexpr double kHuge = 1e290;
    if (!std::isfinite(magnitude)) return false;  // NaN and infinities give the same in any order
    return magnitude > kHuge * kScale || std::fabs(sum.value()) * kScale < kCancelled * magnitude;
  }
};

/// The least or greatest value; NaN only where there is nothing else.
template <class Better>
struct SlidingExtreme {
  double best = std::nan("");

  void add(double value) {
    if (Better{}(value, best) || std::isnan(best)) best = value;
  }
  void join(const SlidingExtreme& later) { add(std::isnan(later.best) ? best : later.best); }
};

/// Population variance by pairs (Chan, Golub and LeVeque), the means compensated.
struct SlidingVariance {
  double count = 0;
  CompensatedSum mean;
  double squares = 0;

  void add(double value) {
    SlidingVariance one;
    one.count = 1;
    one.mean.sum = value;
    if (!std::isfinite(value)) one.squares = std::nan("");
    join(one);
  }
  void join(const SlidingVariance& later) {
    if (later.count == 0) return;
    if (count == 0) {
      *this = later;
      return;
    }
    const double all = count + later.count;
    const double delta = (later.mean.sum - mean.sum) + (later.mean.carry - mean.carry);
    mean.add(delta * (later.count / all));
    squares += later.squares + delta * delta * (count * later.count / all);
    count = all;
  }
  /// Where the values hardly differ beside what they are, the digits are those of rounding, which come out as
  /// Prometheus's only by going the same way.
  bool depends_on_order() const {
    constexpr double kSpread = 1e-8;
    const double value = mean.value();
    return !(squares / count >= kSpread * value * value) || value > 1e150;
  }
};

}  // namespace vigil::promql
