#include "agent/containers/sources.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <unordered_set>

namespace vigil::agent {
namespace {

constexpr auto kScanPeriod = std::chrono::seconds(10);

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

bool may_ask(const std::string& socket) {
  return ::access(socket.c_str(), R_OK | W_OK) == 0;
}

/// Whether a container that only its cgroup shows would be in some listing if it were one of that runtime's.
bool would_be_listed(const std::string& runtime, const SourcesSnapshot& snapshot) {
  return std::any_of(snapshot.runtimes.begin(), snapshot.runtimes.end(), [&](const auto& view) {
    return view != nullptr && view->listed && (view->runtime == runtime || runtime == "unknown");
  });
}

}  // namespace

std::vector<KnownContainer> merge_containers(const SourcesSnapshot& snapshot) {
  std::vector<KnownContainer> merged;
  std::unordered_set<std::string> names;
  std::unordered_set<std::string> ids;
  const auto add = [&](KnownContainer known) {
    Container& container = known.container;
    if (!ids.insert(container.id).second) return;
    if (!names.insert(container.name).second) {
      container.name += "@" + container.runtime;
      if (!names.insert(container.name).second) return;
    }
    merged.push_back(std::move(known));
  };
  for (const auto& view : snapshot.runtimes) {
    if (view == nullptr) continue;
    for (const Container& container : view->containers) add({container, view->up, false, {}});
  }
  if (snapshot.discovered == nullptr) return merged;
  for (std::size_t i = 0; i < snapshot.discovered->containers.size(); ++i) {
    const Container& container = snapshot.discovered->containers[i];
    if (would_be_listed(container.runtime, snapshot)) continue;
    add({container, true, true, snapshot.discovered->relative_paths[i]});
  }
  return merged;
}

std::vector<WatcherOptions> sockets_to_watch(const std::string& setting, const Roots& roots) {
  const auto options = [](std::string runtime, std::string path) {
    WatcherOptions made;
    made.runtime = std::move(runtime);
    made.socket_path = std::move(path);
    return made;
  };
  if (setting == "none" || setting.empty()) return {};
  if (setting != "auto") {
    const std::string path = setting.starts_with("unix://") ? setting.substr(7) : setting;
    WatcherOptions named = options(path.find("podman") != std::string::npos ? "podman" : "docker", path);
    named.configured = true;
    return {std::move(named)};
  }
  const std::string root = roots.rootfs == "/" ? "" : roots.rootfs;
  std::string docker = root + "/run/docker.sock";
  std::string podman = root + "/run/podman/podman.sock";
  if (!exists(docker) && exists(root + "/var/run/docker.sock")) docker = root + "/var/run/docker.sock";
  const char* const own =
      root.empty() ? std::getenv("XDG_RUNTIME_DIR") : nullptr;  // NOLINT(concurrency-mt-unsafe): at start
  if (own != nullptr) {  // rootless daemons of the user the agent runs as
    if (!exists(docker) && exists(std::string(own) + "/docker.sock"))
      docker = std::string(own) + "/docker.sock";
    if (!exists(podman) && exists(std::string(own) + "/podman/podman.sock"))
      podman = std::string(own) + "/podman/podman.sock";
  }
  // The package podman-docker makes one a link to the other.
  std::error_code error;
  const bool is_podman_only = std::filesystem::equivalent(docker, podman, error) && !error;
  if (may_ask(root + kPodmanReader)) podman = root + kPodmanReader;
  if (is_podman_only) return {options("podman", podman)};
  if (may_ask(root + kDockerReader)) docker = root + kDockerReader;
  return {options("docker", docker), options("podman", podman)};
}

ContainerSources::ContainerSources(const std::vector<WatcherOptions>& sockets, const CgroupMounts& mounts) {
  for (const WatcherOptions& socket : sockets) {
    if (watchers_.size() < kMaxRuntimes) watchers_.push_back(std::make_unique<Watcher>(socket));
  }
  if (mounts.any()) discovery_ = std::make_unique<Discovery>(mounts, kScanPeriod);
}

SourcesSnapshot ContainerSources::snapshot() const {
  SourcesSnapshot snapshot;
  for (std::size_t i = 0; i < watchers_.size(); ++i) snapshot.runtimes[i] = watchers_[i]->view();
  if (discovery_) snapshot.discovered = discovery_->view();
  return snapshot;
}

void ContainerSources::wait_for_first(std::chrono::milliseconds longest) const {
  const auto until = std::chrono::steady_clock::now() + longest;
  for (const auto& watcher : watchers_) {
    watcher->wait_for_first(
        std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()));
  }
}

}  // namespace vigil::agent
