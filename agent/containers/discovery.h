// Finds containers without asking anybody, by the cgroups they have: for hosts whose runtime's socket is not
// there, not ours to read, or not one we speak to. Runs on a thread of its own, since walking a large tree
// takes milliseconds. Such containers are called by the first twelve digits of their id, and are running by
// definition; a stopped one has no cgroup and is not seen.
#pragma once

#include "agent/containers/cgroup_paths.h"
#include "agent/containers/container.h"
#include "agent/containers/unix_http.h"

#include <memory>
#include <mutex>
#include <thread>

namespace vigil::agent {

/// What one scan found, as containers of runtime "docker", "podman", "kubernetes" or "containerd". `relative`
/// of each is kept beside.
struct DiscoveredView {
  std::vector<Container> containers;
  std::vector<std::string> relative_paths;  // of the same index
};

DiscoveredView discover(const CgroupMounts& mounts);

class Discovery {
 public:
  /// Scans once before it returns, then every `period`.
  Discovery(CgroupMounts mounts, std::chrono::milliseconds period);
  ~Discovery();
  Discovery(const Discovery&) = delete;
  Discovery& operator=(const Discovery&) = delete;

  std::shared_ptr<const DiscoveredView> view() const;

 private:
  void run();

  const CgroupMounts mounts_;
  const std::chrono::milliseconds period_;
  StopSignal stop_;
  mutable std::mutex mutex_;  // protects view_
  std::shared_ptr<const DiscoveredView> view_;
  std::thread thread_;
};

}  // namespace vigil::agent
