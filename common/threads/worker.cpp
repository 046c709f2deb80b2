#include "common/threads/worker.h"

#include <pthread.h>

#include <algorithm>

namespace vigil {

using Clock = std::chrono::steady_clock;

Worker::Worker(std::string name, std::size_t capacity) : name_(std::move(name)), capacity_(capacity) {}

Worker::~Worker() {
  stop();
}

bool Worker::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || queue_.size() >= capacity_) {
      ++refused_;
      return false;
    }
    queue_.push_back(std::move(task));
  }
  wake_.notify_one();
  return true;
}

bool Worker::insist(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      ++refused_;
      return false;
    }
    queue_.push_back(std::move(task));
  }
  wake_.notify_one();
  return true;
}

void Worker::every(std::chrono::milliseconds period, Task task) {
  timers_.push_back({period, {}, std::move(task)});
}

void Worker::start() {
  for (Timer& timer : timers_) timer.due = Clock::now() + timer.period;
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), name_.substr(0, 15).c_str());
}

void Worker::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Worker::begin_task() {
  const std::chrono::nanoseconds now = Clock::now().time_since_epoch();
  busy_since_ns_.store(now.count(), std::memory_order_relaxed);
}

std::chrono::nanoseconds Worker::busy_for(Clock::time_point now) const {
  const std::int64_t since = busy_since_ns_.load(std::memory_order_relaxed);
  if (since == 0) return std::chrono::nanoseconds(0);
  return std::max(now.time_since_epoch() - std::chrono::nanoseconds(since), std::chrono::nanoseconds(0));
}

std::size_t Worker::depth() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

std::uint64_t Worker::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

void Worker::run_due_timers() {
  for (Timer& timer : timers_) {
    const auto now = Clock::now();
    if (now < timer.due) continue;
    begin_task();
    timer.task();
    timer.due += timer.period;
    if (timer.due <= now)
      timer.due += (now - timer.due) / timer.period * timer.period + timer.period;  // skip what was missed
  }
}

void Worker::run() {
  std::deque<Task> batch;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      const auto ready = [this] { return stopping_ || !queue_.empty(); };
      if (timers_.empty()) {
        wake_.wait(lock, ready);
      } else {
        const auto next = std::min_element(timers_.begin(), timers_.end(),
                                           [](const Timer& a, const Timer& b) { return a.due < b.due; });
        wake_.wait_until(lock, next->due, ready);
      }
      if (stopping_ && queue_.empty()) return;
      batch.swap(queue_);
    }
    for (Task& task : batch) {
      begin_task();
      task();
    }
    batch.clear();
    run_due_timers();
    busy_since_ns_.store(0, std::memory_order_relaxed);
  }
}

}  // namespace vigil
