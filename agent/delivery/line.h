// One way to the aggregator over which streams are delivered one after the other: its connection, if there is
// one, and when to try again. The delivery has two, for what is live and for back-fill.
#pragma once

#include "agent/delivery/connection.h"
#include "common/delivery/backoff.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <random>

namespace vigil::agent {

/// Owned by the delivery's loop; its thread. Plain state and the rules of trying again.
class Line {
 public:
  using Time = Session::Time;

  /// What tells the events of this line's connections from another's, see Connection::Queue.
  explicit Line(std::uintptr_t mark) : mark(mark), random_(std::random_device{}()) {}

  bool owns(void* tag) const { return (reinterpret_cast<std::uintptr_t>(tag) & ~kEventMask) == mark; }
  static Connection::Event event_of(void* tag) {
    return static_cast<Connection::Event>(reinterpret_cast<std::uintptr_t>(tag) & kEventMask);
  }

  /// The connection is over without having delivered all: when the next one may begin. Resets by progress().
  std::chrono::milliseconds wait_after(const End& end);
  /// Something became durable.
  void progress() {
    backoff_.reset();
    rejections_ = 0;
  }
  /// The aggregator found our bytes wrong so often in a row that it always will.
  bool poisoned(const End& end);

  const std::uintptr_t mark;
  std::unique_ptr<Connection> connection;
  Time next_attempt{};
  bool complained = false;  // about the present outage
  bool explained = false;   // why it is
  bool welcomed = false;    // the present connection

 private:
  static constexpr std::uintptr_t kEventMask = 15;

  Backoff backoff_;
  std::mt19937_64 random_;
  int rejections_ = 0;  // in a row, without progress between them
};

}  // namespace vigil::agent
