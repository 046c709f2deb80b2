// What the beat's thread waits for between beats: a signal that ends the program or has its configuration
// read again, a collector that ended apart, the time.
#pragma once

#include "common/error.h"

#include <chrono>

namespace vigil::agent {

/// Owned by the agent. wake() may be called on any thread, everything else by the beat's thread.
class Waiter {
 public:
  /// Blocks SIGTERM, SIGINT and SIGHUP in this thread and those it will start, and takes them in wait().
  static Result<Waiter> open();
  ~Waiter();
  Waiter(Waiter&& other) noexcept;
  Waiter& operator=(Waiter&&) = delete;

  enum class Woken : std::uint8_t { by_time, by_call, to_reload, to_end };
  Woken wait(std::chrono::steady_clock::time_point until);
  void wake() const;

 private:
  Waiter(int signals, int calls) : signals_(signals), calls_(calls) {}
  int signals_;  // signalfd(2)
  int calls_;    // eventfd(2)
};

}  // namespace vigil::agent
