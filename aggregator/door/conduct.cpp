#include "aggregator/door/conduct.h"

#include <algorithm>
#include <utility>

namespace vigil::aggregator::door {
namespace {

/// What a bucket gains until `now_ms`. A clock that was set back gives nothing.
double gained(std::int64_t& at_ms, std::int64_t now_ms, double per_second) {
  const std::int64_t passed_ms = std::max<std::int64_t>(now_ms - std::exchange(at_ms, now_ms), 0);
  return static_cast<double>(passed_ms) / 1000 * per_second;
}

}  // namespace

bool Conduct::sent(std::uint64_t bytes, std::int64_t now_ms) {
  left_bytes_ += gained(at_ms_, now_ms, static_cast<double>(kStrangerRate));
  left_bytes_ = std::min(left_bytes_, static_cast<double>(kStrangerBytes));
  left_bytes_ -= static_cast<double>(bytes - std::min(bytes, seen_bytes_));
  seen_bytes_ = std::max(bytes, seen_bytes_);
  return is_known_ || left_bytes_ >= 0;
}

bool Conduct::begun() {
  ++begun_;
  return begun_ <= kMostBegun;
}

void Conduct::arrived(bool shows) {
  if (begun_ > 0) --begun_;
  if (shows) is_known_ = true;
}

bool Conduct::refused(std::int64_t now_ms) {
  left_refusals_ = std::min(kMostRefused, left_refusals_ + gained(refused_at_ms_, now_ms, kRefusedRate));
  left_refusals_ -= 1;
  return left_refusals_ >= 0;
}

}  // namespace vigil::aggregator::door
