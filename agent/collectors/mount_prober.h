// Asks mounts how full they are, when any of them may never answer: a hard NFS mount whose server is away, a
// FUSE daemon that is stuck, a dying disk. Such a statvfs(2) cannot be interrupted, so it costs the thread
// that made it and its own mount, nothing else.
//
// Threads: one for all local mounts, one for each network or FUSE mount, never two for one mount. When the
// local thread gets stuck in a mount, it stays with that mount as its own thread and a new one serves the
// others. A mount that is stuck is not asked again before the old call has returned.
//
// End: a destructor must not wait for a call that may never return, and a thread in such a call cannot be
// ended. Idle threads are joined; stuck ones are parked in a list of the process, together with everything
// they touch, and joined by the next prober once they have returned. Leaving the process does not wait for
// them: exit_group(2) kills them, since the kernel's waits for NFS and FUSE are killable. (A child process
// instead would need a fork of a process full of gRPC threads, and buys only that.)
#pragma once

#include <sys/statvfs.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace vigil::agent {

/// statvfs(3) as a function that a test may replace: 0 or an errno. It may block for ever, and is called from
/// several threads.
using StatvfsCall = std::function<int(const std::string& path, struct statvfs& out)>;
int call_statvfs(const std::string& path, struct statvfs& out);

struct MountQuestion {
  std::string path;  // what statvfs is asked, and the identity of the mount
  enum class Place : std::uint8_t { local, remote } place = Place::local;
};

struct MountAnswer {
  enum class State : std::uint8_t {
    answered,  // `stat` holds this moment's values
    refused,   // statvfs failed with `error_number`
    stuck,     // no answer within the deadline, or still none to an earlier question
  } state = State::stuck;
  int error_number = 0;
  struct statvfs stat {};
};

/// Used by one thread; that thread waits at most the deadline for all remote mounts together, and at most the
/// deadline for each local mount that has newly got stuck.
class MountProber {
 public:
  explicit MountProber(StatvfsCall call = call_statvfs,
                       std::chrono::milliseconds deadline = std::chrono::seconds(2));
  ~MountProber();
  MountProber(const MountProber&) = delete;
  MountProber& operator=(const MountProber&) = delete;

  /// One answer for each question, in their order. Never an old answer.
  std::vector<MountAnswer> ask(std::span<const MountQuestion> questions);

  /// Threads that exist now: for tests and self-metrics.
  std::size_t threads() const;
  /// Threads of destroyed probers that are still stuck; joins those that have returned.
  static std::size_t parked_threads();

 private:
  struct Board;
  class Worker;
  struct Round;
  using Clock = std::chrono::steady_clock;

  void release_workers(std::span<const MountQuestion> questions);
  void hand_out(std::span<const MountQuestion> questions, Round& round);
  Worker* worker_for(const MountQuestion& question, Round& round);
  void collect_answers(Worker& worker, Round& round) const;
  void give_up_late(Clock::time_point now, Round& round);
  void replace_local(Round& round);
  Clock::time_point next_deadline(const Round& round) const;
  static void park(std::unique_ptr<Worker> worker);

  std::chrono::milliseconds deadline_;
  std::shared_ptr<Board> board_;   // what the threads share with us; they keep it alive
  std::unique_ptr<Worker> local_;  // serves local mounts that are not stuck
  std::unordered_map<std::string, std::unique_ptr<Worker>>
      own_;  // path -> the thread that mount has for itself
  std::uint64_t rounds_ = 0;
};

}  // namespace vigil::agent
