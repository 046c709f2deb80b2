#include "agent/sampling/beat.h"

namespace vigil::agent {
namespace {

using std::chrono::duration_cast;
using std::chrono::nanoseconds;

/// How far `wall` is past the nearest multiple of `period`: from -period/2 to period/2.
nanoseconds phase(std::chrono::system_clock::time_point wall, nanoseconds period) {
  const nanoseconds since = duration_cast<nanoseconds>(wall.time_since_epoch()) % period;
  return since > period / 2 ? since - period : since;
}

}  // namespace

Beat::Beat(std::chrono::milliseconds period, const Now& start)
    : period_(period),
      due_(start.steady +
           (period - duration_cast<nanoseconds>(start.wall.time_since_epoch()) % nanoseconds(period))) {}

std::optional<Tick> Beat::take(const Now& now) {
  const std::int64_t late = now.steady > due_ ? (now.steady - due_) / period_ : 0;
  due_ += late * period_;
  missed_ += static_cast<std::uint64_t>(late);
  const auto wall_when_due = now.wall - duration_cast<std::chrono::system_clock::duration>(now.steady - due_);
  const nanoseconds off = phase(wall_when_due, period_);
  const auto aligned = wall_when_due - duration_cast<std::chrono::system_clock::duration>(off);
  due_ += nanoseconds(period_) - off;
  const auto stamped = stamp(duration_cast<std::chrono::milliseconds>(aligned.time_since_epoch()).count());
  if (!stamped) return {};
  return Tick{*stamped, now.steady};
}

std::optional<std::int64_t> Beat::stamp(std::int64_t aligned_ms) {
  const std::int64_t behind_ms = last_ms_ - aligned_ms;
  if (behind_ms >= 0 && behind_ms <= kMaxLeftOut * period_.count()) {
    ++left_out_;
    return {};
  }
  last_ms_ = aligned_ms;
  return last_ms_;
}

}  // namespace vigil::agent
