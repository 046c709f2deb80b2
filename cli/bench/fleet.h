// A fleet of simulated agents on one thread: connections, beats, deliveries. Nothing here knows what the run
// is for; the command drives it from phase to phase and reads its figures.
#pragma once

#include "cli/bench/fleet_agent.h"
#include "cli/bench/fleet_stream.h"
#include "cli/bench/latency.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <vector>

namespace vigil::cli {

/// When the agents of a fleet deliver: at the same moment, as real ones with synchronized clocks do, or each
/// at its own moment within the delivery interval.
enum class Phase : std::uint8_t { together, spread };

struct FleetOptions {
  ChannelOptions channel;
  std::size_t agents = 0;
  std::chrono::milliseconds interval{1000};
  Phase phase = Phase::together;
  std::string run;  // a part of each host's name
};

struct FleetFigures {
  std::size_t open = 0;            // streams that are not over
  std::size_t welcomed = 0;        // connected, and taken by the aggregator
  std::size_t all_durable = 0;     // agents with nothing left to send
  std::uint64_t samples_sent = 0;  // each once, however often it was sent
  std::uint64_t samples_acked = 0;
  std::uint64_t bytes_sent = 0;  // messages, before HTTP/2
  std::chrono::milliseconds delivery_interval{0};
  std::chrono::microseconds latest_delivery{0};  // how late one was made: this program had no time
};

class Fleet {
 public:
  using Time = FleetAgent::Time;

  /// The replay outlives the fleet.
  Fleet(FleetOptions options, const Replay& replay);
  /// Ends what is still open.
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  /// Lets the agents connect, one after the other over this time.
  void connect_over(std::chrono::milliseconds ramp);
  /// Lets them sample from the next beat on.
  void begin_sampling();
  /// Forgets latencies and lateness up to here.
  void begin_measuring();
  /// Ends sampling; the agents send what they have and say goodbye.
  void leave();
  /// Does what comes up until then.
  void poll(Time until);
  /// Cancels what is open and waits for it.
  void close();

  FleetFigures figures() const;
  const Latencies& latencies() const { return latencies_; }
  /// Ends of streams that no agent wished for, by kind ("full", "unavailable", ...): how many, and the latest
  /// reason.
  struct Ends {
    std::uint64_t count = 0;
    std::string latest;
  };
  const std::map<std::string, Ends>& ends() const { return ends_; }
  const FleetPlan& plan() const { return plan_; }
  const FleetAgent& agent(std::size_t number) const { return members_[number]->agent; }
  std::size_t size() const { return members_.size(); }

 private:
  struct Member {
    Member(const FleetPlan& plan, std::size_t number) : agent(plan, number) {}
    FleetAgent agent;
    std::unique_ptr<FleetStream> stream;
    std::uint64_t bytes_before = 0;  // of earlier streams
  };
  struct Timer {
    Time due;
    enum class Kind : std::uint8_t { connect, deliver } kind;
    std::size_t number;
    std::uint64_t beat;
    bool operator>(const Timer& other) const { return due > other.due; }
  };
  Time time_of(std::uint64_t beat) const;
  void beat(Time due);
  void sweep(Time now);
  std::size_t fire(Time now);
  void deliver(const Timer& timer, Time now);
  bool take_event(Time until);
  void handle(void* tag, bool ok);
  void after_end(Member& member, Time now);
  Time next_timer(Time until) const;
  double random() { return std::uniform_real_distribution<double>(0, 1)(random_); }

  const FleetOptions options_;
  FleetPlan plan_;
  std::vector<std::unique_ptr<Member>> members_;  // agents hold references to the plan, streams to agents
  grpc::CompletionQueue queue_;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
  std::mt19937_64 random_{1};
  enum class Stage : std::uint8_t { idle, sampling, leaving, closed };
  Stage stage_ = Stage::idle;
  Time first_beat_{};  // when beat 0 is due, once sampling has begun
  std::uint64_t next_beat_ = 0;
  Time next_sweep_{};
  Latencies latencies_;
  std::vector<std::chrono::microseconds> waited_;
  std::chrono::microseconds latest_{0};
  std::map<std::string, Ends> ends_;
};

}  // namespace vigil::cli
