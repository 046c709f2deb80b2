#include "agent/sampling/apart.h"

#include <pthread.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace vigil::agent {

Outcome run_collector(Collector& collector, const Tick& tick, Sheet& sheet) {
  const auto start = std::chrono::steady_clock::now();
  sheet.begin();
  Result<void> result = collector.collect(tick, sheet);
  sheet.end();
  return {std::move(result), std::chrono::steady_clock::now() - start};
}

struct Apart::Shared {
  enum class State { idle, running, done, quit, ended };

  Shared(std::unique_ptr<Collector> the_collector, std::size_t max_series, std::function<void()> the_done)
      : collector(std::move(the_collector)), sheet(max_series), done(std::move(the_done)) {}

  void loop();
  void name_thread() const;

  const std::unique_ptr<Collector> collector;
  Sheet sheet;  // the inner thread's while running, the owner's otherwise
  std::thread thread;

  std::mutex mutex;  // protects what follows
  std::condition_variable changed;
  State state = State::idle;
  bool quitting = false;
  Tick tick;
  std::optional<Outcome> outcome;
  std::function<void()> done;
};

void Apart::Shared::name_thread() const {
  const std::string name = std::string(collector->name()).substr(0, 15);
  ::pthread_setname_np(::pthread_self(), name.c_str());
}

void Apart::Shared::loop() {
  name_thread();
  std::unique_lock lock(mutex);
  while (!quitting) {
    if (state != State::running) {
      changed.wait(lock);
      continue;
    }
    const Tick now = tick;
    lock.unlock();
    Outcome brought = run_collector(*collector, now, sheet);
    lock.lock();
    outcome = std::move(brought);
    state = State::done;
    if (!quitting) done();
  }
  state = State::ended;
  changed.notify_all();
}

Apart::Apart(std::unique_ptr<Collector> collector, std::size_t max_series, std::function<void()> done)
    : shared_(std::make_shared<Shared>(std::move(collector), max_series, std::move(done))) {
  shared_->thread = std::thread([shared = shared_] { shared->loop(); });
}

Apart::~Apart() {
  std::unique_lock lock(shared_->mutex);
  shared_->quitting = true;
  shared_->changed.notify_all();
  const bool ended =
      shared_->changed.wait_for(lock, kPatience, [this] { return shared_->state == Shared::State::ended; });
  lock.unlock();
  if (ended) {
    shared_->thread.join();
  } else {
    shared_->thread.detach();  // it hangs inside the collector and holds all it needs
  }
}

const Collector& Apart::collector() const {
  return *shared_->collector;
}

bool Apart::start(const Tick& tick) {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->state != Shared::State::idle) return false;
  shared_->tick = tick;
  shared_->state = Shared::State::running;
  shared_->changed.notify_all();
  return true;
}

bool Apart::running() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->state == Shared::State::running;
}

bool Apart::done() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->state == Shared::State::done;
}

Outcome Apart::take() {
  const std::lock_guard lock(shared_->mutex);
  shared_->state = Shared::State::idle;
  Outcome brought = std::move(*shared_->outcome);
  shared_->outcome.reset();
  return brought;
}

Sheet& Apart::sheet() {
  return shared_->sheet;
}

}  // namespace vigil::agent
