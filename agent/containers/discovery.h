// Finds containers without asking anybody, by the cgroups they have: for hosts whose runtime's socket is not
// there, not ours to read, or not one we speak to. Runs on a thread of its own, since walking a large tree
// takes milliseconds. Such containers are called by the first twelve digits of their id, and are running as
// long as they have a cgroup. One that was seen running stays visible as `exited` when its cgroup has gone.
// Nobody tells whether it was stopped or removed, nor with which exit code.
#pragma once

#include "agent/containers/cgroup_paths.h"
#include "agent/containers/container.h"
#include "agent/containers/unix_http.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace vigil::agent {

/// What one scan found, as containers of runtime "docker", "podman", "kubernetes" or "containerd". `relative`
/// of each is kept beside.
struct DiscoveredView {
  std::vector<Container> containers;
  std::vector<std::string> relative_paths;  // of the same index

  friend bool operator==(const DiscoveredView&, const DiscoveredView&) = default;
};

DiscoveredView discover(const CgroupMounts& mounts);

/// What scan after scan has found since the start, by id. No clock and no I/O of its own: Unix milliseconds
/// come in, and `exists` says whether a cgroup is there that a scan did not come upon.
class SeenCgroups {
 public:
  /// As long as a container that a runtime has lost is called missing (roster.h).
  static constexpr std::int64_t kStoppedForMs = 24LL * 3600 * 1000;
  static constexpr std::size_t kMaxStopped = 50;  // the longest stopped leave first

  explicit SeenCgroups(std::function<bool(const std::string& relative_path)> exists)
      : exists_(std::move(exists)) {}
  /// Everything there is to show after a scan. Kubernetes replaces a container by one with a new id, on each
  /// restart too, so there an old one is of no use to anybody and ends with its cgroup.
  DiscoveredView after(const DiscoveredView& scan, std::int64_t now_ms);

 private:
  struct Seen {
    Container container;
    std::string relative_path;
    bool in_scan = false;
  };
  void take(const DiscoveredView& scan);
  void stop_absent(std::int64_t now_ms);
  void drop_surplus();

  std::function<bool(const std::string&)> exists_;
  std::map<std::string, Seen> seen_;
};

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
  SeenCgroups seen_;  // the thread's own, once it runs
  StopSignal stop_;
  mutable std::mutex mutex_;  // protects view_
  std::shared_ptr<const DiscoveredView> view_;
  std::thread thread_;
};

}  // namespace vigil::agent
