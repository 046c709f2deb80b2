// When to sample and with which stamp: pure arithmetic, no clock is read here.
//
// Beats are absolute: the next one is due one period after this one was due, however long the work took.
// Beats that were missed (a suspended or overloaded host) are skipped, never replayed. Stamps are wall-clock
// multiples of the period, so that rows of different hosts fall together. The monotonic clock keeps the
// cadence; each beat is nudged onto the wall clock's multiples, so a clock that was set is followed within a
// beat.
//
// A clock set back would repeat stamps. Set back by a few beats: beats are left out until the clock has
// passed the last stamp. Set back further: stamps go back with it, since silence for hours would read as a
// dead host, and stamps ahead of the clock would be wrong for as long.
#pragma once

#include "agent/sampling/collector.h"

#include <chrono>
#include <cstdint>
#include <optional>

namespace vigil::agent {

/// Both clocks, read at one moment.
struct Now {
  std::chrono::steady_clock::time_point steady{};
  std::chrono::system_clock::time_point wall{};
};

class Beat {
 public:
  /// The first beat is due at the next multiple of `period` (at least 1 ms) on the wall clock.
  Beat(std::chrono::milliseconds period, const Now& start);

  std::chrono::steady_clock::time_point due() const { return due_; }
  /// Call when due() has come. The tick to sample now, or nothing when this beat is left out because the
  /// clock was set back a little.
  std::optional<Tick> take(const Now& now);

  std::uint64_t missed() const { return missed_; }      // beats skipped because they came too late
  std::uint64_t left_out() const { return left_out_; }  // beats left out after the clock was set back

  /// How many beats may be left out; a clock set back further is followed.
  static constexpr std::int64_t kMaxLeftOut = 10;

 private:
  std::optional<std::int64_t> stamp(std::int64_t aligned_ms);

  const std::chrono::milliseconds period_;
  std::chrono::steady_clock::time_point due_;
  std::int64_t last_ms_ = 0;
  std::uint64_t missed_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace vigil::agent
