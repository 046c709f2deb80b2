#include "agent/containers/discovery.h"

#include "common/clock.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>

namespace vigil::agent {

DiscoveredView discover(const CgroupMounts& mounts) {
  constexpr std::size_t kShortId = 12;
  DiscoveredView view;
  for (DiscoveredCgroup& cgroup : scan_cgroups(mounts)) {
    Container container;
    container.name = cgroup.id.substr(0, kShortId);
    container.id = std::move(cgroup.id);
    container.runtime = std::move(cgroup.runtime);
    container.state = ContainerState::running;
    view.containers.push_back(std::move(container));
    view.relative_paths.push_back(std::move(cgroup.relative));
  }
  return view;
}

void SeenCgroups::take(const DiscoveredView& scan) {
  for (auto& [id, seen] : seen_) seen.in_scan = false;
  for (std::size_t i = 0; i < scan.containers.size(); ++i) {
    if (seen_.size() >= kMaxContainers + kMaxStopped && !seen_.contains(scan.containers[i].id)) continue;
    seen_[scan.containers[i].id] = {scan.containers[i], scan.relative_paths[i], true};
  }
}

void SeenCgroups::stop_absent(std::int64_t now_ms) {
  for (auto& [id, seen] : seen_) {
    // What is there and was not found: the scan was cut short.
    const bool running = seen.container.state == ContainerState::running;
    if (seen.in_scan || !running || exists_(seen.relative_path)) continue;
    seen.container.state = ContainerState::exited;
    seen.container.finished_ms = now_ms;
  }
  std::erase_if(seen_, [&](const auto& entry) {
    const Container& container = entry.second.container;
    if (container.state != ContainerState::exited) return false;
    return container.runtime == "kubernetes" || now_ms - container.finished_ms >= kStoppedForMs;
  });
}

void SeenCgroups::drop_surplus() {
  std::vector<std::pair<std::int64_t, std::string>> stopped;
  for (const auto& [id, seen] : seen_) {
    if (seen.container.state == ContainerState::exited) stopped.emplace_back(seen.container.finished_ms, id);
  }
  if (stopped.size() <= kMaxStopped) return;
  std::sort(stopped.begin(), stopped.end());
  for (std::size_t i = 0; i < stopped.size() - kMaxStopped; ++i) seen_.erase(stopped[i].second);
}

DiscoveredView SeenCgroups::after(const DiscoveredView& scan, std::int64_t now_ms) {
  take(scan);
  stop_absent(now_ms);
  drop_surplus();
  DiscoveredView view;
  for (const auto& [id, seen] : seen_) {
    view.containers.push_back(seen.container);
    view.relative_paths.push_back(seen.relative_path);
  }
  return view;
}

Discovery::Discovery(CgroupMounts mounts, std::chrono::milliseconds period)
    : mounts_(std::move(mounts)),
      period_(period),
      seen_([this](const std::string& relative_path) {
        return ::access((mounts_.primary().directory + relative_path).c_str(), F_OK) == 0;
      }),
      view_(std::make_shared<DiscoveredView>(seen_.after(discover(mounts_), wall_ms()))) {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "cgroup-scan");
}

Discovery::~Discovery() {
  stop_.request();
  thread_.join();
}

std::shared_ptr<const DiscoveredView> Discovery::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

void Discovery::run() {
  while (!stop_.wait_until(std::chrono::steady_clock::now() + period_)) {
    auto next = std::make_shared<DiscoveredView>(seen_.after(discover(mounts_), wall_ms()));
    const std::lock_guard lock(mutex_);
    // The same view as long as nothing changed, so that readers can tell by the pointer.
    if (*next != *view_) view_ = std::move(next);
  }
}

}  // namespace vigil::agent
