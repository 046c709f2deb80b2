// One run of a receiver's command: what is written to its standard input, what it says on standard error, and
// how it ends. Belongs to its courier's thread, which polls its pipes and is never held up: whoever reads,
// writes or ends slowly is looked at again.
//
// The program has no shell, no descriptors but 0, 1 and 2, an environment of its own, the working directory
// "/" and a session of its own; what it prints is thrown away.
#pragma once

#include "aggregator/notify/endpoint.h"
#include "aggregator/notify/lane.h"
#include "common/error.h"

#include <curl/curl.h>
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace vigil::notify {

/// How a run ended; without a failure the message is delivered. Exit status 75, EX_TEMPFAIL of sysexits.h, a
/// signal and a timeout are the receiver's state; another status is about this message.
struct ProgramEnd {
  std::optional<Failure> failure;
};

class Program {
 public:
  using Clock = std::chrono::steady_clock;

  Program() = default;
  Program(const Program&) = delete;
  ~Program() { kill(); }

  /// Where nothing runs. Errc::io: it could not be started.
  Result<void> start(Request request, std::chrono::milliseconds timeout, Clock::time_point now);
  bool is_running() const { return pid_ > 0; }
  /// What to poll while it runs, besides looking again soon: its end shows nowhere else.
  std::vector<curl_waitfd> waits() const;
  /// Goes on as far as that is possible without waiting; how it ended, once.
  std::optional<ProgramEnd> step(Clock::time_point now);
  /// Ends it and all of its process group at once.
  void kill();

 private:
  void write_input();
  void read_errors();
  void kill_group() const;
  ProgramEnd end_of(int status) const;
  void close_pipes();

  Request request_;
  std::chrono::milliseconds timeout_{0};
  Clock::time_point deadline_{};
  bool is_late_ = false;
  pid_t pid_ = 0;
  int input_ = -1;   // its standard input
  int errors_ = -1;  // its standard error
  std::size_t written_ = 0;
  std::string said_;  // the beginning of its standard error
};

}  // namespace vigil::notify
