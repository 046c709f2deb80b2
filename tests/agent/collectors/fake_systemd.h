// A private D-Bus daemon with a manager on it that speaks as systemd does, so that replies are parsed as they
// come off a real bus.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace vigil::test {

/// A real dbus-daemon on a socket of its own; ends with the scope.
class PrivateBus {
 public:
  /// Null when this machine has no dbus-daemon.
  static std::unique_ptr<PrivateBus> start(const std::filesystem::path& folder);
  ~PrivateBus();
  PrivateBus(const PrivateBus&) = delete;
  PrivateBus& operator=(const PrivateBus&) = delete;
  const std::string& socket() const { return socket_; }

 private:
  explicit PrivateBus(std::string socket) : socket_(std::move(socket)) {}
  std::string socket_;
  int pid_ = -1;
};

struct FakeUnit {
  std::string name;
  std::string active_state = "active";
  std::string sub_state = "running";
  std::string load_state = "loaded";
  std::string type = "simple";          // of a service
  std::uint32_t restarts = 0;           // of a service
  std::uint64_t last_trigger_usec = 0;  // of a timer
};

/// Owns org.freedesktop.systemd1 on the bus and answers from a thread of its own until it is destroyed.
class FakeSystemd {
 public:
  enum class Manner { proper, silent, wrong_types };
  FakeSystemd(const std::string& socket, std::vector<FakeUnit> units, Manner manner = Manner::proper);
  ~FakeSystemd();
  FakeSystemd(const FakeSystemd&) = delete;
  FakeSystemd& operator=(const FakeSystemd&) = delete;

  void set(std::vector<FakeUnit> units);
  /// How often the property NRestarts was asked for.
  int restart_questions() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vigil::test
