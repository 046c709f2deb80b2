// A collector on a thread of its own, because it may hang: statfs on a dead mount, a hwmon chip, a daemon
// that never answers. The beat's thread hands it a tick and later looks whether it is done; it never waits. A
// run that hangs is not started a second time, and at the end of the program its thread is left behind:
// nothing can interrupt a thread inside the kernel.
#pragma once

#include "agent/sampling/collector.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

namespace vigil::agent {

/// What one run of a collector brought.
struct Outcome {
  Result<void> result;
  std::chrono::nanoseconds duration{0};
};

/// Used by the beat's thread alone, but for the thread inside.
class Apart {
 public:
  /// `done` is called on the inner thread each time a run ends, for example to wake the beat's thread.
  Apart(std::unique_ptr<Collector> collector, std::size_t max_series, std::function<void()> done);
  /// Ends the thread, waiting at most `kPatience`; a thread that hangs keeps its memory and is left behind.
  ~Apart();
  Apart(const Apart&) = delete;
  Apart& operator=(const Apart&) = delete;

  const Collector& collector() const;
  /// Starts a run; false when the last one has not been taken yet. The sheet belongs to the inner thread
  /// until done().
  bool start(const Tick& tick);
  bool running() const;
  bool done() const;
  /// The outcome of the run that is done(); another may be started then.
  Outcome take();
  /// Not while running().
  Sheet& sheet();

  static constexpr std::chrono::milliseconds kPatience{200};

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;  // the inner thread holds it too: a hanging thread outlives this object
};

/// Runs a collector on its sheet: begin, collect, end, with the time it took.
Outcome run_collector(Collector& collector, const Tick& tick, Sheet& sheet);

}  // namespace vigil::agent
