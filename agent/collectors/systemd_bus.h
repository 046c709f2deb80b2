// systemd's manager over D-Bus (org.freedesktop.systemd1(5)), as few typed questions. Read-only: nothing here
// can change a unit.
//
// libsystemd is loaded when it is first needed, not linked: the agent starts on hosts that do not have it,
// and those that are not asked about systemd do not pay for the library's memory.
#pragma once

#include "common/error.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

extern "C" struct sd_bus;

namespace vigil::agent {

struct SystemdUnit {
  std::string name;        // "nginx.service"
  std::string load_state;  // loaded, not-found, masked, ...
  std::string
      active_state;  // active, reloading, inactive, failed, activating, deactivating, maintenance, refreshing
  std::string sub_state;  // running, dead, auto-restart, ...; depends on the type of the unit
  std::string path;       // of its object on the bus
};

/// A connection to the bus. Used by one thread. Errors: unsupported (no libsystemd, no bus), timeout and
/// unavailable (the connection is of no more use), parse (a reply is not of the documented form), not_found
/// (no such unit or property).
class SystemdBus {
 public:
  /// Connects to the bus that listens on the Unix socket `socket_path`; each question waits at most
  /// `timeout`.
  static Result<SystemdBus> open(const std::string& socket_path, std::chrono::milliseconds timeout);

  Result<std::vector<SystemdUnit>> list_units();
  /// A string property of the manager: "Version", "SystemState".
  Result<std::string> manager_text(const char* property);
  /// Properties of a unit; `interface` is "Service", "Timer", "Mount", ...
  Result<std::string> unit_text(const std::string& path, const char* interface, const char* property);
  Result<std::uint32_t> unit_uint32(const std::string& path, const char* interface, const char* property);
  Result<std::uint64_t> unit_uint64(const std::string& path, const char* interface, const char* property);

 private:
  struct Close {
    void operator()(sd_bus* bus) const;
  };
  explicit SystemdBus(sd_bus* bus) : bus_(bus) {}
  Result<void> get(const std::string& path, const char* interface, const char* property, const char* type,
                   void* out);
  Result<std::string> get_text(const std::string& path, const char* interface, const char* property);

  std::unique_ptr<sd_bus, Close> bus_;
};

}  // namespace vigil::agent
