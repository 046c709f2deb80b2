// What the fleet knows of a host's presence. Pure: facts and a time go in, a state comes out.
//
//   up    rows keep coming
//   late  none for three delivery beats: shown, nothing is alerted yet
//   down  none for `down_after` (15 s unless deliveries are slower): `up` is 0. After our own start it has as
//         long again as agents take to dial anew (60 s)
//   left  the agent said Bye: nobody waits for it; `up` ends until it returns
// A host is never removed by itself: an enrolled host is expected until somebody says otherwise.
#pragma once

#include <cstdint>
#include <string_view>

namespace vigil::aggregator {

enum class HostState : std::uint8_t { up, late, down, left };
inline constexpr HostState kHostStates[] = {HostState::up, HostState::late, HostState::down, HostState::left};

/// "up", "late", "down", "left": as in labels, tables and JSON.
std::string_view to_string(HostState state);

/// Whether rows were seen since this process began: what happened before is unknown, neither up nor down.
enum class Presence : std::uint8_t { unknown, heard };

struct HostFacts {
  Presence presence = Presence::unknown;
  bool left = false;  // a Bye was received and nothing since
  std::int64_t last_rows_ms =
      0;  // arrival of the latest rows, our clock; the start of the process when unknown
  std::int64_t beat_ms = 1000;  // how often rows are expected: the slower of sampling and delivery
  std::int64_t down_after_ms = 15'000;
};

HostState judge(const HostFacts& facts, std::int64_t now_ms);

/// True when `up` has a value at all: not for a host that left, nor before the process knows anything of it.
bool has_verdict(const HostFacts& facts, HostState state);

}  // namespace vigil::aggregator
