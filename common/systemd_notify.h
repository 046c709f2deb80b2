// The service manager's side channel, sd_notify(3): one datagram, no library needed.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace vigil {

/// Sends "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=…" to $NOTIFY_SOCKET. Does nothing without one.
void systemd_notify(std::string_view state);

/// How often "WATCHDOG=1" is due (half of $WATCHDOG_USEC), when the service manager watches this process.
std::optional<std::chrono::milliseconds> systemd_watchdog_interval();

}  // namespace vigil
