// The answering side: a few threads, each with one connection at a time; no state but counters.
#pragma once

#include "agent/containers/unix_http.h"
#include "agent/docker_reader/peer.h"
#include "agent/docker_reader/question.h"
#include "agent/docker_reader/quiet_log.h"

#include <chrono>
#include <mutex>
#include <string>

namespace vigil::agent::docker {

struct ServerOptions {
  std::string engine = "/run/docker.sock";
  // Shorter than the agent's patience, so that the agent is told what it was that hung.
  HttpLimits limits{.deadline = std::chrono::seconds(4)};
  std::chrono::milliseconds patience =
      std::chrono::seconds(5);  // with who asks: for its question, for taking the answer
  std::chrono::milliseconds look =
      std::chrono::seconds(5);  // how often a silent stream's listener is looked for
  std::chrono::milliseconds idle = std::chrono::minutes(5);  // without a connection; then run() ends
};

/// Answers who connects to `listener`, at most kMostPeers at a time: further ones wait. One answer is in
/// memory at a time, as one line is of each stream of events.
class Server {
 public:
  static constexpr std::size_t kMostPeers = 8;

  Server(int listener, ServerOptions options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Until `stop` (a descriptor) can be read or nobody was connected for `idle`.
  void run(int stop);
  std::uint64_t answered() const;
  std::uint64_t refused() const { return refusals_.total(); }

 private:
  using Clock = std::chrono::steady_clock;
  void work();
  int accept();
  void release();
  bool close_when_idle();
  void serve(Peer& peer);
  void refuse(Peer& peer, const Error& why);
  void answer(Peer& peer, const Question& question);
  void stream(Peer& peer, const Question& question);
  Result<std::string> ask(const Question& question);

  const int listener_;
  const ServerOptions options_;
  StopSignal stop_;
  const HttpPeer engine_;
  QuietLog refusals_;
  std::mutex asking_;  // held by who has an answer in memory

  mutable std::mutex mutex_;  // protects what follows
  std::size_t peers_ = 0;
  std::uint64_t answered_ = 0;
  bool closed_ = false;
  Clock::time_point idle_since_;
};

}  // namespace vigil::agent::docker
