// A seeded, scripted aggregator: random calls of a history, noted in a model. What an agent would keep and
// send again after a restart it keeps too.
#pragma once

#include "tests/aggregator/store/history_check.h"

#include <atomic>
#include <random>

namespace vigil::aggregator::testing {

class Workload {
 public:
  enum class Hosts : std::uint8_t { come_and_go, stay };

  /// `model` outlives it.
  Workload(HistoryModel& model, std::uint64_t seed, Hosts hosts = Hosts::come_and_go)
      : model_(model), random_(seed), hosts_(hosts) {}

  /// After an opening: takes what was recovered for the truth, as an aggregator does, and has agents connect
  /// anew. `open` must have passed check_history().
  void resume(const OpenHistory& open);
  /// One call, drawn at random. False: the history refused it.
  bool act(History& history);
  /// The model does not change now: act() waits for the history. From any thread.
  bool waits() const { return waits_; }
  /// What is sealed and a reader of the running aggregator does not see.
  Problems look(const OpenHistory& open) const;

 private:
  /// What the aggregator has in memory of a host.
  struct HostState {
    StreamId stream{};
    std::uint64_t next_seq = 1;
    std::int64_t next_ms = 0;
    bool starts_anew = false;                              // the next batch is a keyframe
    std::map<std::size_t, std::size_t> declared;           // schema versions of this connection, by source
    std::vector<SentBatch> open;                           // rows that are in no block yet
    std::map<std::size_t, std::vector<SentBatch>> newest;  // those of each source's newest block
  };
  using Action = bool (Workload::*)(History&, HostId);
  struct Choice {
    int weight = 0;
    Action action = nullptr;
  };

  bool send(History& history, HostId host);
  bool commit(History& history, HostId host);
  bool seal_open(History& history, HostId host);
  bool miss(History& history, HostId host);
  bool add_series(History& history, HostId host);
  bool change_series(History& history, HostId host);
  bool name_series(History& history, HostId host);
  bool drop_unused(History& history, HostId host);
  bool touch_host(History& history, HostId host);
  bool add_host(History& history, HostId host);
  bool replace_stream(History& history, HostId host);
  bool reconnect(History& history, HostId host);
  bool pass_time(History& history, HostId host);
  bool tidy(History& history, HostId host);
  bool remove_host(History& history, HostId host);
  static const std::vector<Choice>& choices();

  bool journal(History& history, HostId host, const SentBatch& batch);
  bool put_series(History& history, HostId host, SeriesRecord record);
  std::vector<SealedPart> blocks_of(HostId host);
  std::vector<SealCursor> cursors_of(HostId host);
  void resume_host(const OpenHistory& open, HostId host);
  void drop_unsafe(const OpenHistory& open, HostId host);
  StreamId fresh_stream();
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

  HistoryModel& model_;
  std::mt19937_64 random_;
  const Hosts hosts_;
  std::atomic<bool> waits_ = false;
  std::vector<HostState> states_;  // by host
};

}  // namespace vigil::aggregator::testing
