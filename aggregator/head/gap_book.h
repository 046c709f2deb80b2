// The gaps of one host on their way to the history. A person reads a few an hour: so many are stored one by
// one, what is beyond them as one. Pure.
#pragma once

#include "aggregator/head/allowance.h"
#include "aggregator/store/records.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

namespace vigil::aggregator {

class GapBook {
 public:
  /// What is to be stored now: the gap, together with those that had to wait. Nothing: it waits, too.
  std::optional<GapRecord> put(GapRecord gap, std::int64_t now_ms) {
    if (waiting_) {
      gap.first_ms = std::min(gap.first_ms, waiting_->first_ms);
      gap.last_ms = std::max(gap.last_ms, waiting_->last_ms);
    }
    waiting_ = std::move(gap);
    return flush(now_ms);
  }
  /// What has waited, as soon as it may be stored.
  std::optional<GapRecord> flush(std::int64_t now_ms) {
    if (!waiting_ || !one_by_one_.take(kOneByOne, now_ms)) return {};
    return std::exchange(waiting_, std::nullopt);
  }
  /// What waits when its agent goes, perhaps for good, or we do; not for each of many connections.
  std::optional<GapRecord> leave(std::int64_t now_ms) {
    if (auto due = flush(now_ms)) return due;
    if (!waiting_ || !at_leaving_.take(kAtLeaving, now_ms)) return {};
    return std::exchange(waiting_, std::nullopt);
  }
  /// Whether one that is not stored, since nobody knows when it was, may be told.
  bool may_tell(std::int64_t now_ms) { return one_by_one_.take(kOneByOne, now_ms); }

  static constexpr AllowanceRate kOneByOne{200.0 / 3600, 200};
  static constexpr AllowanceRate kAtLeaving{1.0 / 600, 1};

 private:
  std::optional<GapRecord> waiting_;
  Allowance one_by_one_;
  Allowance at_leaving_;
};

}  // namespace vigil::aggregator
