// How often agents shall deliver (design decision 7): each message costs the same whatever it carries, so a
// busy aggregator asks for fewer, larger ones. Sampling goes on at the agents' own beat; nothing is lost,
// only later. Pure: figures and a time go in, an interval comes out.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vigil::aggregator {

/// What ingest costs and how it keeps up, as of now.
struct LoadFigures {
  std::size_t streams = 0;
  std::size_t cpus = 1;       // of the machine
  double cpu_ratio = 0;       // 0 to 1: of all CPUs, used by what receives, decodes, seals and commits
  double commit_seconds = 0;  // the latest commit
  double queue_ratio = 0;     // 0 to 1: how full the fullest queue is
};

/// 1: ingest takes all it should have (half of the CPUs, commits of a second, a queue that is half full).
double load_of(const LoadFigures& figures);

/// The least interval for so many streams, in milliseconds, whatever the load is just now: at about 0.1 ms a
/// message, one second as long as that costs a twenty-fifth of the CPUs, then as often as a fifth allows.
std::uint32_t delivery_interval_for(std::size_t streams, std::size_t cpus);

/// Owned by the service; one thread.
class Pacing {
 public:
  /// Once a second or so. Slower at once when there are more streams, or after 5 s of too much load; faster,
  /// a step at a time, after a minute in which the faster pace would have fitted.
  std::uint32_t decide(const LoadFigures& figures, std::int64_t now_ms);
  std::uint32_t interval_ms() const;

  static constexpr std::int64_t kSlowAfterMs = 5000;
  static constexpr std::int64_t kFastAfterMs = 60'000;

 private:
  bool lasted(std::int64_t& since_ms, std::int64_t now_ms, std::int64_t wanted_ms);
  void step_to(std::size_t step);

  std::size_t step_ = 0;
  std::int64_t too_much_since_ms_ = 0;  // 0: it is not
  std::int64_t room_since_ms_ = 0;      // 0: there is none
};

}  // namespace vigil::aggregator
