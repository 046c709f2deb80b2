// While the aggregator stops: a second SIGTERM or SIGINT means "now". Both must be blocked in all threads.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace vigil::aggregator {

/// For main(), before any thread begins: SIGTERM, SIGINT and SIGHUP are waited for, by Aggregator::run() and
/// below, so that no thread takes them; a connection that breaks is no signal, and commands are waited for.
void block_signals();

class SecondSignal {
 public:
  /// Calls `act` with the signal's number, on a thread of its own, once. From then on a third one ends the
  /// process by itself, whatever `act` waits for.
  explicit SecondSignal(std::function<void(int number)> act);
  /// Waits no longer.
  ~SecondSignal();
  SecondSignal(const SecondSignal&) = delete;
  SecondSignal& operator=(const SecondSignal&) = delete;

 private:
  void wait();

  const std::function<void(int number)> act_;
  std::atomic<bool> over_ = false;
  std::thread thread_;
};

}  // namespace vigil::aggregator
