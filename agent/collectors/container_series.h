// The series of containers: which families there are, and how what is known of a container becomes samples.
// Names are cAdvisor's where it has the metric. Labels are `name` and `image` only: the id changes with every
// deployment and stands on container_info, which joins by name.
#pragma once

#include "agent/containers/sources.h"
#include "agent/containers/usage.h"
#include "agent/sampling/sheet.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace vigil::agent {

/// cAdvisor's label `device`, "/dev/sda", from the kernel's name of a device number; "8:0" when it has none.
class DeviceNames {
 public:
  explicit DeviceNames(std::string sysfs) : sysfs_(std::move(sysfs)) {}
  std::string_view of(const DeviceIo& device);

 private:
  std::string look_up(const DeviceIo& device) const;

  std::string sysfs_;
  std::unordered_map<std::uint64_t, std::string> names_;
};

/// A container at one tick.
struct SeenContainer {
  const KnownContainer* known;
  std::string_view short_id;
  bool alive;                // its cgroup could be read
  std::int64_t last_seen_s;  // Unix time; 0 never
  std::int64_t oom_events;
};

void put_runtime(const RuntimeView& view, Sheet& sheet);
/// Who it is, its state and its counters.
void put_identity(const SeenContainer& seen, Sheet& sheet);
/// What it uses.
void put_usage(const Container& container, const Usage& usage, DeviceNames& devices, Sheet& sheet);

}  // namespace vigil::agent
