#include "agent/containers/discovery.h"

#include <pthread.h>

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

Discovery::Discovery(CgroupMounts mounts, std::chrono::milliseconds period)
    : mounts_(std::move(mounts)),
      period_(period),
      view_(std::make_shared<DiscoveredView>(discover(mounts_))) {
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
    auto next = std::make_shared<DiscoveredView>(discover(mounts_));
    const std::lock_guard lock(mutex_);
    // The same view as long as nothing changed, so that readers can tell by the pointer.
    if (next->relative_paths != view_->relative_paths) view_ = std::move(next);
  }
}

}  // namespace vigil::agent
