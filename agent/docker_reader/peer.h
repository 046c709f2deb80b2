// A connection of who asks: one request, one answer, every wait with a deadline.
#pragma once

#include "agent/containers/unix_http.h"

#include <chrono>
#include <string>
#include <string_view>

namespace vigil::agent::docker {

/// Owns the descriptor of an accepted connection. One thread uses it; `stop` outlives it and ends its waits.
class Peer {
 public:
  using Clock = std::chrono::steady_clock;

  Peer(int fd, const StopSignal& stop) : fd_(fd), stop_(stop) {}
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  /// What came until the end of a request's head, and what came with it; at most a packet more than `most`
  /// bytes. Without an end: what came until `until`, or until it had no more to say. Errors: unavailable (it
  /// said nothing, or a stop), timeout (likewise).
  Result<std::string> receive_head(std::size_t most, Clock::time_point until);
  Result<void> send(std::string_view bytes, Clock::time_point until);
  /// Whether it still waits, and silently: who sends a second request is done with, too.
  bool is_waiting() const;

 private:
  Result<void> wait(short events, Clock::time_point until) const;

  const int fd_;
  const StopSignal& stop_;
};

}  // namespace vigil::agent::docker
