// What a port counts of its connections, and says in the log: one line a minute for each reason, however many
// are refused.
#pragma once

#include "aggregator/door/roster.h"
#include "aggregator/self/registry.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

namespace vigil::aggregator::door {

/// Why a connection was ended that its client did not end.
/// Of the HTTP port the first three, of gRPC's the others and room.
enum class Ending : std::uint8_t { slow, room, handshake, stranger, calls };

/// Any thread.
class Tally {
 public:
  /// `port`: "http" or "grpc", also the section of the configuration that has its limits. `registry` outlives
  /// this.
  Tally(std::string port, self::Registry& registry);

  void connected(std::size_t connections);
  void refused(Refusal why, const std::string& source, std::int64_t now_ms);
  void ended(Ending why, const std::string& source, std::int64_t now_ms);
  /// It cannot accept, most likely since descriptors are short; it accepted one. A line for the beginning,
  /// and one for the end.
  void stuck(const std::string& why);
  void accepted();

 private:
  /// Lines of one reason that were not written.
  struct Held {
    std::int64_t said_ms = INT64_MIN;
    std::uint64_t more = 0;
  };
  void say(Held& held, const std::string& sentence, const std::string& source, std::int64_t now_ms);

  const std::string port_;
  self::Gauge& connections_;
  std::array<self::Counter*, 3> refused_;  // by Refusal
  std::array<self::Counter*, 5> ended_;    // by Ending; null where the port has none such
  std::atomic<bool> is_stuck_ = false;
  std::mutex mutex_;  // protects what follows
  std::array<Held, 3> refusals_said_;
  std::array<Held, 5> endings_said_;
};

}  // namespace vigil::aggregator::door
