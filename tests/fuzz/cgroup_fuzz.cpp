// Any bytes in place of a container's cgroup files, of mountinfo and of /proc/PID/{cgroup,net/dev}.
#include "agent/containers/cgroup_paths.h"
#include "agent/containers/cgroup_text.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vigil::agent;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view kId = "0aa5e04d6a6ea6f216b8bdce56424b4e0480394aa03fffd8d8b548b14cdc66ba";
  std::int64_t value = 0;
  take_keyed(text, std::array{KeyedValue{"usage_usec", &value}, KeyedValue{"total_rss", &value}});
  (void)single_number(text);
  (void)limit_number(text);
  (void)parse_cpu_max(text);
  (void)parse_pressure(text);
  static std::vector<DeviceIo> devices;
  parse_io_stat(text, devices);
  parse_blkio(text, BlkioUnit::bytes, devices);
  parse_blkio(text, BlkioUnit::operations, devices);
  static std::vector<InterfaceCounters> interfaces;
  parse_net_dev(text, interfaces);
  if (devices.size() > kMaxDevices || interfaces.size() > kMaxInterfaces) std::abort();
  CgroupMounts mounts = parse_cgroup_mounts(text, {});
  mounts.unified.directory = "/sys/fs/cgroup";
  if (const auto dirs = dirs_from_proc(text, kId, mounts)) {
    if (dirs->unified.find("/..") != std::string::npos) std::abort();  // never out of the hierarchy
  }
  (void)match_cgroup_name(text, text);
  return 0;
}
