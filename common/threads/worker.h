// A thread that owns state, and the bounded queue of work others hand it. The only way in is post(): no locks
// around the state.
#pragma once

#include <atomic>
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
  /// As post(), but also when the queue is full: for the few tasks that nobody would repeat. False when the
  /// worker is stopping.
  bool insist(Task task);
  /// Runs `task` every `period`, first after one period, on absolute ticks of the steady clock; missed ticks
  /// are skipped. Call before start().
  void every(std::chrono::milliseconds period, Task task);
  void start();
  /// Runs what is queued, then ends the thread. Safe to call twice; not from the worker itself.
  void stop();

  /// How long the task that runs now has been running; 0 when none does. A worker that waits for work is
  /// fine.
  std::chrono::nanoseconds busy_for(std::chrono::steady_clock::time_point now) const;
  /// For a long task, called by itself: it is getting on, and busy_for() begins anew.
  void getting_on() { begin_task(); }
  const std::string& name() const { return name_; }

  std::size_t depth() const;
  std::size_t capacity() const { return capacity_; }
  std::uint64_t refused() const;

 private:
  struct Timer {
    std::chrono::milliseconds period;
    std::chrono::steady_clock::time_point due;
    Task task;
  };
  void run();
  void run_due_timers();
  void begin_task();

  const std::string name_;
  const std::size_t capacity_;
  std::vector<Timer> timers_;  // constant after start() but for `due`, which only the worker touches
  std::thread thread_;
  std::atomic<std::int64_t> busy_since_ns_ = 0;  // of the steady clock; 0: idle

  mutable std::mutex mutex_;  // protects what follows
  std::condition_variable wake_;
  std::deque<Task> queue_;
  std::uint64_t refused_ = 0;
  bool stopping_ = false;
};

}  // namespace vigil
