// Runs the collectors: each at its own cadence, those that cannot hang one after the other on the beat's
// thread, the others apart. Collectors with the same job and cadence form one source; one that runs apart is
// a source by itself, so that it waits for nobody and nobody for it. How collectors are doing is a source
// too, every kStatusInterval.
//
// Nobody crowds the others out: one collector has at most three quarters of the series, and a few are kept
// for what tells how the agent itself does.
//
// In the steady state, when no column comes or goes, a beat allocates nothing.
#pragma once

#include "agent/sampling/apart.h"
#include "agent/sampling/health.h"
#include "agent/sampling/source.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace vigil::agent {

struct PlannedCollector {
  std::unique_ptr<Collector> collector;
  std::chrono::milliseconds interval;  // runs on the first beat at or after each multiple of it
};

struct RunnerOptions {
  std::size_t max_series = 5000;  // all sources together; further columns are left out and counted
  std::chrono::milliseconds apart_deadline{
      5000};  // then the series of a collector that runs apart are absent
};

/// Owned by the agent; used by the beat's thread alone.
class Runner {
 public:
  /// `wake` is called on another thread when a collector that runs apart has ended: call poll() soon.
  Runner(std::vector<PlannedCollector> planned, const RunnerOptions& options,
         const std::function<void()>& wake, std::chrono::steady_clock::time_point start);

  /// Runs what is due at `tick` and gives `sink` the rows; ticks come in ascending order.
  void beat(const Tick& tick, FrameSink& sink);
  /// Gives `sink` the rows of collectors that have ended apart, or passed their deadline, since the last
  /// call.
  void poll(std::chrono::steady_clock::time_point now, FrameSink& sink);
  /// Whether a collector that runs apart has yet to end or to pass its deadline.
  bool waiting() const;
  /// The row of how the collectors are doing, whether due or not: for --once.
  void report(const Tick& tick, FrameSink& sink);

  /// What the aggregator takes from this agent; applies where columns change next.
  void set_max_series(std::size_t max_series) { max_series_ = max_series; }
  std::size_t series() const { return series_; }
  /// Series seen at the latest runs and not sent, because a limit was reached.
  std::uint64_t series_left_out() const;

  static constexpr std::chrono::milliseconds kStatusInterval{5000};

 private:
  class Cadence;
  struct Inline;
  struct Group;
  struct Lone;
  struct Status;

  void add_inline(PlannedCollector planned);
  void add_lone(PlannedCollector planned, const std::function<void()>& wake);
  std::uint32_t next_source_id() { return ++last_source_id_; }
  void refresh(Source& source);
  bool about_agent(const Source& source) const;
  void run(Group& group, const Tick& tick, FrameSink& sink);
  void start(Lone& lone, const Tick& tick, FrameSink& sink);
  void poll(Lone& lone, std::chrono::steady_clock::time_point now, FrameSink& sink);

  std::size_t max_series_;
  const std::chrono::milliseconds apart_deadline_;
  const std::chrono::steady_clock::time_point start_;
  std::size_t series_ = 0;
  std::uint32_t last_source_id_ = 0;
  // Pointers, because sources keep the addresses of sheets. They are destroyed last to first: lone threads
  // end first.
  std::vector<std::unique_ptr<Group>> groups_;
  std::unique_ptr<Status> status_;
  std::vector<std::unique_ptr<Lone>> lone_;

 public:
  ~Runner();
};

}  // namespace vigil::agent
