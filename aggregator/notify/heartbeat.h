// A sign of life to a service outside, which raises the alarm when it stays away: the one alert an aggregator
// cannot send is that it is gone.
#pragma once

#include "aggregator/notify/config.h"
#include "common/error.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace vigil::notify {

struct HeartbeatStats {
  std::uint64_t sent = 0;      // that were answered with 2xx
  std::uint64_t failures = 0;  // that were not
  std::uint64_t held = 0;      // not sent, since alerting does not get on
  std::string last_error;      // of the latest one; "" when it was sent
};

class Heartbeat {
 public:
  /// `trouble` says why alerting does not get on, "" when it does: then the beat is left out, so that the
  /// service outside raises the alarm. Called on a thread of the heartbeat's own. Errc::invalid_argument
  /// names the key. Null when the configuration has none.
  static Result<std::unique_ptr<Heartbeat>> create(const HeartbeatConfig& config,
                                                   std::chrono::milliseconds timeout,
                                                   std::function<std::string()> trouble);
  virtual ~Heartbeat() = default;

  virtual void start() = 0;
  /// A beat on the wire is cut.
  virtual void stop() = 0;
  virtual HeartbeatStats stats() const = 0;
};

}  // namespace vigil::notify
