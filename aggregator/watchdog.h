// Whether the threads that must never stand still get on. The service manager is fed only while they do: a
// process whose shard hangs is as good as dead, however lively its main thread is.
//
// Standing still is one task that takes longer than the limit. A full disk is none: its transactions fail
// quickly, and are tried again.
#pragma once

#include "common/threads/worker.h"

#include <chrono>
#include <string>
#include <vector>

namespace vigil::aggregator {

class Watchdog {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// `worker` outlives this. Before the first check().
  void watch(const Worker& worker) { workers_.push_back(&worker); }

  /// Once a second, one thread: whether all get on. Logs when one does not, and when it does again.
  bool check(Time now);
  /// Any thread, after the last watch(): "shard-0 has been busy with one thing for 40 s", for each.
  std::vector<std::string> complaints(Time now) const;

  const std::vector<const Worker*>& workers() const { return workers_; }

  static constexpr std::chrono::seconds kLimit{30};

 private:
  std::vector<const Worker*> workers_;
  std::vector<bool> stalled_;  // as last seen by check()
};

}  // namespace vigil::aggregator
