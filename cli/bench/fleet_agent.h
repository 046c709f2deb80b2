// One simulated agent, as the aggregator knows agents: what to say next, and what an answer means. It keeps
// no bytes: what is not durable is encoded again when it must be sent again. Pure: time comes in as an
// argument.
#pragma once

#include "cli/bench/replay.h"
#include "common/delivery/backoff.h"
#include "common/delivery/pace.h"
#include "vigil/v1/ingest.pb.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vigil::cli {

/// What all agents of a fleet have in common; outlives them.
struct FleetPlan {
  const Replay* replay = nullptr;
  std::string run;  // tells this run's hosts from another's
  std::chrono::milliseconds interval{1000};
  std::int64_t first_time_ms = 0;  // of the beat 0; a multiple of the interval. 0: nobody samples yet
};

/// Why a conversation is over, and when to try again.
struct Goodbye {
  std::string reason;  // "full: ...", "no aggregator answers", ...
  std::chrono::milliseconds retry_after{0};
};

class FleetAgent {
 public:
  using Time = std::chrono::steady_clock::time_point;
  FleetAgent(const FleetPlan& plan, std::size_t number);

  std::string name() const;
  /// Beats from `first_time_ms` on are beats 0, 1, 2, …: makes batches of all up to and including `beat`.
  void deliver_to(std::uint64_t beat);
  /// Whether a batch is made at this beat: when the aggregator's interval begins anew.
  bool delivers_at(std::uint64_t beat) const;

  // A connection, from its first message to its end.

  /// The next message to write, or nothing now.
  std::optional<std::string> next(Time now, std::int64_t wall_ms);
  /// How long each batch that became durable had waited for it; a reason when the conversation is over.
  std::optional<Goodbye> received(const v1::AggregatorMessage& message, Time now,
                                  std::vector<std::chrono::microseconds>& waited);
  /// Says Bye once everything was sent.
  void leave() { leaving_ = true; }
  bool left() const { return said_bye_ && all_durable(); }
  /// Has nothing to hear for now, as the agent's own session has it.
  bool idle() const;
  /// The connection is over: when to try again.
  std::chrono::milliseconds lost(const std::optional<Goodbye>& why, double random);
  /// The aggregator has been silent for longer than an agent waits.
  bool silent(Time now) const;

  bool welcomed() const { return phase_ == Phase::streaming; }
  bool all_durable() const { return durable_seq_ + 1 == next_seq(); }
  std::chrono::milliseconds delivery_interval() const { return delivery_interval_; }
  /// Rows sent at least once, and rows acknowledged: of beats 0, 1, 2, … as many.
  std::uint64_t sent_rows() const { return sent_rows_; }
  std::uint64_t durable_rows() const { return durable_rows_; }
  /// The replay's row of beat 0.
  std::uint64_t first_row() const { return first_row_; }

 private:
  enum class Phase : std::uint8_t { hello, waiting, streaming };
  struct Kept {
    std::uint64_t first_beat = 0;
    std::uint32_t rows = 0;
    bool keyframe = false;
    Time sent{};  // at first; Time{}: not yet
  };
  std::uint64_t next_seq() const { return first_kept_seq_ + kept_.size(); }
  const Kept& kept(std::uint64_t seq) const { return kept_[seq - first_kept_seq_]; }
  Kept& kept(std::uint64_t seq) { return kept_[seq - first_kept_seq_]; }
  std::string hello(std::int64_t wall_ms);
  std::string batch(Time now);
  void make_batch(std::uint64_t first_beat, std::uint32_t rows);
  void take_pace(std::uint32_t interval_ms);
  void durable(std::uint64_t seq, Time now, std::vector<std::chrono::microseconds>& waited);
  void forget();

  const FleetPlan& plan_;
  const std::uint32_t number_;
  const std::uint64_t first_row_;
  std::vector<Kept> kept_;  // from the keyframe on that a new connection begins with
  std::uint64_t first_kept_seq_ = 1;
  std::uint64_t durable_seq_ = 0;
  std::uint64_t cursor_ = 1;     // next batch to send
  std::uint64_t next_beat_ = 0;  // not in a batch yet
  std::uint64_t sent_rows_ = 0;
  std::uint64_t durable_rows_ = 0;
  std::size_t batches_since_keyframe_ = kBatchesPerKeyframe;  // the first is one
  std::size_t bytes_since_keyframe_ = 0;
  std::optional<Time> waiting_since_;  // for an answer
  std::chrono::milliseconds delivery_interval_{1000};
  Backoff backoff_;
  Phase phase_ = Phase::hello;
  bool schema_sent_ = false;
  bool leaving_ = false;
  bool said_bye_ = false;
};

}  // namespace vigil::cli
