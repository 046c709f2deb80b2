// Containers as the agent knows them: small values made by the watcher or by a scan of the cgroup tree, read
// by the collector.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::agent {

/// Docker's states, and one of ours: `missing` is a container that vanished without having been removed.
enum class ContainerState : std::uint8_t {
  running,
  exited,
  restarting,
  paused,
  created,
  removing,
  dead,
  missing
};
inline constexpr std::size_t kContainerStates = 8;
inline constexpr std::array<std::string_view, kContainerStates> kContainerStateNames = {
    "running", "exited", "restarting", "paused", "created", "removing", "dead", "missing"};

/// `none`: the container has no health check.
enum class ContainerHealth : std::uint8_t { healthy, unhealthy, starting, none };
inline constexpr std::array<std::string_view, 3> kContainerHealthNames = {"healthy", "unhealthy", "starting"};

/// States in which processes, and so a cgroup, exist.
inline bool has_processes(ContainerState state) {
  return state == ContainerState::running || state == ContainerState::paused ||
         state == ContainerState::removing;
}

/// What is kept of a container. Environment, command and mounts are never taken over: they hold secrets.
struct Container {
  std::string id;  // 64 hexadecimal digits; shorter only when a runtime says so
  std::string name;
  std::string image;  // as its creator wrote it
  std::string runtime;
  std::string compose_project;
  std::string compose_service;
  ContainerState state = ContainerState::created;
  ContainerHealth health = ContainerHealth::none;
  bool shares_network = false;  // the host's or another container's: its counters are not this container's
  bool oom_killed = false;
  int pid = 0;                              // of its init process; 0 when not running or not known
  std::int64_t exit_code = 0;               // of the latest end
  std::int64_t started_ms = 0;              // Unix milliseconds of the latest start; 0 never
  std::int64_t finished_ms = 0;             // Unix milliseconds of the latest end; 0 never
  std::int64_t restarts = 0;                // counted by name, so that a recreated container goes on counting
  std::int64_t oom_events = 0;              // likewise
  std::int64_t oom_events_before_life = 0;  // of oom_events, those before started_ms

  friend bool operator==(const Container&, const Container&) = default;
};

/// What one runtime says at one moment. Immutable once published.
struct RuntimeView {
  std::string runtime;        // "docker", "podman"
  bool known = false;         // its socket has been there at least once
  bool up = false;            // it answers
  bool listed = false;        // it has been able to list its containers at least once
  std::string version;        // "" when not known
  std::string trouble;        // why it is not up
  std::int64_t failures = 0;  // failed connections and requests, since the start
  std::int64_t refused = 0;   // containers past kMaxContainers at the latest listing
  std::vector<Container> containers;

  friend bool operator==(const RuntimeView&, const RuntimeView&) = default;
};

inline constexpr std::size_t kMaxContainers = 1000;  // per runtime
inline constexpr std::size_t kMaxLabelBytes = 256;   // of names and images

}  // namespace vigil::agent
