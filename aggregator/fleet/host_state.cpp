#include "aggregator/fleet/host_state.h"

#include "common/delivery/backoff.h"

#include <algorithm>

namespace vigil::aggregator {

std::string_view to_string(HostState state) {
  switch (state) {
    case HostState::up:
      return "up";
    case HostState::late:
      return "late";
    case HostState::down:
      return "down";
    case HostState::left:
      return "left";
  }
  return "down";
}

HostState judge(const HostFacts& facts, std::int64_t now_ms) {
  if (facts.left) return HostState::left;
  const std::int64_t silence_ms =
      now_ms - facts.last_rows_ms;  // negative when our clock was set back: then nothing is late
  const std::int64_t late_after_ms = 3 * facts.beat_ms;
  // A slow beat must not make a host down before it can be late.
  std::int64_t down_after_ms = std::max(facts.down_after_ms, late_after_ms + facts.beat_ms);
  // Since our start it may be waiting for its turn to dial again: that we were away is no fault of its.
  if (facts.presence == Presence::unknown) down_after_ms += Backoff::kLongest.count();
  if (silence_ms >= down_after_ms) return HostState::down;
  if (facts.presence == Presence::unknown || silence_ms >= late_after_ms) return HostState::late;
  return HostState::up;
}

bool has_verdict(const HostFacts& facts, HostState state) {
  if (state == HostState::left) return false;
  return facts.presence == Presence::heard || state == HostState::down;
}

}  // namespace vigil::aggregator
