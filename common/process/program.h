// One run of a program of this machine: what is written to its standard input, what it says, and how it ends.
// Belongs to one thread, which polls its pipes and is never held up: whoever reads, writes or ends slowly is
// looked at again.
//
// The program has no shell, no descriptors but 0, 1 and 2, an environment of its own, the working directory
// "/" and a session of its own. The thread holds SIGPIPE back: a program need not read its input.
#pragma once

#include "common/error.h"

#include <poll.h>
#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil {

/// Writing to a program that has ended is an error like others, whatever the process makes of the signal.
void hold_back_sigpipe();

/// What keeps a program from being run, or ""; it runs as who may change it says.
std::string_view fault_of_program(const std::string& path);

struct ProgramCall {
  std::vector<std::string> command;      // an absolute path, and arguments as they are
  std::vector<std::string> environment;  // "NAME=value", all of it
  std::string input;                     // its standard input
  std::chrono::milliseconds timeout{};   // then it is killed with its process group
  enum class Keep : std::uint8_t { errors, everything };
  Keep keep = Keep::errors;        // what it prints is kept, too, or thrown away
  std::size_t most_bytes = 4'096;  // of what is kept; the beginning of it
};

/// How a run ended.
struct ProgramEnd {
  enum class Kind : std::uint8_t {
    exited,
    killed,   // by a signal
    late,     // killed, since it took too long
    unknown,  // somebody else has taken its status
  };
  Kind kind = Kind::exited;
  int code = 0;         // exit status, or number of the signal
  std::string output;   // bytes as they came
  bool is_cut = false;  // there was more

  bool is_fine() const { return kind == Kind::exited && code == 0; }
};
/// "exit status 3", "ended by signal 9", "killed: it took longer than 30s".
std::string to_string(const ProgramEnd& end, std::chrono::milliseconds timeout);

/// PATH of programs that are run for somebody, as "PATH=...".
inline constexpr const char* kProgramPath =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

class Program {
 public:
  using Clock = std::chrono::steady_clock;

  Program() = default;
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() { kill(); }

  /// Where nothing runs. Errc::io: it could not be started.
  Result<void> start(ProgramCall call, Clock::time_point now);
  bool is_running() const { return pid_ > 0; }
  /// It was killed for its time, so long ago that it hangs.
  bool hangs(Clock::time_point now) const;
  /// What to poll while it runs, besides looking again soon: its end shows nowhere else.
  std::vector<pollfd> waits() const;
  /// Goes on as far as that is possible without waiting; how it ended, once.
  std::optional<ProgramEnd> step(Clock::time_point now);
  /// Ends it and all of its process group at once.
  void kill();

 private:
  void write_input();
  void read_output();
  void kill_group() const;
  ProgramEnd end_of(int status);
  void close_pipes();

  ProgramCall call_;
  Clock::time_point deadline_{};
  bool is_late_ = false;
  pid_t pid_ = 0;
  int input_ = -1;   // its standard input
  int output_ = -1;  // what it says
  std::size_t written_ = 0;
  std::string said_;
  bool is_cut_ = false;
};

/// Waits for the end of a program that was started. Nothing when `stops` became true: it is killed then. One
/// that hangs in the kernel although it was killed is given up, and how it ended is unknown.
std::optional<ProgramEnd> run_to_end(Program& program, const std::atomic<bool>& stops);

}  // namespace vigil
