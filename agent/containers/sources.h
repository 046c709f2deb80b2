// Everything that knows of containers on this host: a watcher per runtime socket and the scan of the cgroup
// tree, and the one list that follows from them.
#pragma once

#include "agent/containers/cgroup_paths.h"
#include "agent/containers/discovery.h"
#include "agent/containers/watcher.h"
#include "agent/sampling/collector.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace vigil::agent {

inline constexpr std::size_t kMaxRuntimes = 2;

/// What all sources said last. Pointers stay the same as long as nothing changes.
struct SourcesSnapshot {
  std::array<std::shared_ptr<const RuntimeView>, kMaxRuntimes> runtimes;  // null where there is none
  std::shared_ptr<const DiscoveredView> discovered;
  friend bool operator==(const SourcesSnapshot&, const SourcesSnapshot&) = default;
};

/// A container of the merged list.
struct KnownContainer {
  Container container;
  bool current = true;      // false: its runtime does not answer now, so state and health are what they were
  bool discovered = false;  // known from its cgroup only
  std::string relative_cgroup;  // of a discovered one: path in the hierarchy
};

/// Names are unique: a second container of the same name is called "name@runtime". Discovered ones count only
/// where no runtime that lists its containers would have named them.
std::vector<KnownContainer> merge_containers(const SourcesSnapshot& snapshot);

// Where vigil-docker-reader (agent/docker_reader) listens for each engine.
inline constexpr const char* kDockerReader = "/run/vigil/docker.sock";
inline constexpr const char* kPodmanReader = "/run/vigil/podman.sock";

/// Sockets to follow for the setting `docker_socket` ("auto", "none" or a path). "auto" is the reader's where
/// this process may ask it, else the engine's own.
std::vector<WatcherOptions> sockets_to_watch(const std::string& setting, const Roots& roots);

class ContainerSources {
 public:
  ContainerSources(const std::vector<WatcherOptions>& sockets, const CgroupMounts& mounts);
  SourcesSnapshot snapshot() const;
  /// Waits until each socket has answered or failed once, at most `longest` in all.
  void wait_for_first(std::chrono::milliseconds longest) const;

 private:
  std::vector<std::unique_ptr<Watcher>> watchers_;
  std::unique_ptr<Discovery> discovery_;  // null without cgroups
};

}  // namespace vigil::agent
