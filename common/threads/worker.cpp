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
    for (Task& task : batch) task();
    batch.clear();
    run_due_timers();
  }
}

}  // namespace vigil
