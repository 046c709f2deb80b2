// How far an agent's clock is from ours, measured all the time and without extra messages.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace vigil::aggregator {

/// A row that just arrived was sampled at most a delivery ago, so (row time - arrival) is the skew minus the
/// time under way. The largest of the last minute had the shortest way; what was buffered during an outage
/// only ever looks smaller and so drops out.
class ClockSkew {
 public:
  /// The agent's clock against ours at the same moment, in milliseconds: Hello, or the newest row of a batch
  /// at its arrival.
  void observe(std::int64_t agent_ms, std::int64_t now_ms) {
    if (now_ms - turned_ms_ >= kHalfMs || now_ms < turned_ms_) {
      previous_ = current_;
      current_ = kNone;
      turned_ms_ = now_ms;
    }
    current_ = std::max(current_, agent_ms - now_ms);
  }
  /// Positive: the agent is ahead. 0 before anything was observed.
  double seconds() const {
    const std::int64_t best = std::max(previous_, current_);
    return best == kNone ? 0.0 : static_cast<double>(best) / 1000.0;
  }

 private:
  static constexpr std::int64_t kHalfMs = 30'000;
  static constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::min();
  std::int64_t previous_ = kNone;
  std::int64_t current_ = kNone;
  std::int64_t turned_ms_ = 0;
};

}  // namespace vigil::aggregator
