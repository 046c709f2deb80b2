// A thread that owns state, and the bounded queue of work others hand it. The only way in is post(): no locks
// around the state.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace vigil {

class Worker {
 public:
  using Task = std::function<void()>;

  /// `name` is at most 15 bytes (pthread_setname_np) and shows in top -H.
  explicit Worker(std::string name, std::size_t capacity = 65536);
  /// stop()s.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Queues a task; false when the queue is full or the worker is stopping: the caller decides what that
  /// means.
  bool post(Task task);
  /// Runs `task` every `period`, first after one period, on absolute ticks of the steady clock; missed ticks
  /// are skipped. Call before start().
  void every(std::chrono::milliseconds period, Task task);
  void start();
  /// Runs what is queued, then ends the thread. Safe to call twice; not from the worker itself.
  void stop();

  std::size_t depth() const;
  std::uint64_t refused() const;

 private:
  struct Timer {
    std::chrono::milliseconds period;
    std::chrono::steady_clock::time_point due;
    Task task;
  };
  void run();
  void run_due_timers();

  const std::string name_;
  const std::size_t capacity_;
  std::vector<Timer> timers_;  // constant after start() but for `due`, which only the worker touches
  std::thread thread_;

  mutable std::mutex mutex_;  // protects what follows
  std::condition_variable wake_;
  std::deque<Task> queue_;
  std::uint64_t refused_ = 0;
  bool stopping_ = false;
};

}  // namespace vigil
