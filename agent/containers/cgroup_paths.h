// Where a container's cgroup files are: which hierarchies the host mounts and where (cgroups(7)), and which
// directory in them is a container's, from /proc/PID/cgroup or from the way runtimes name directories.
#pragma once

#include "agent/sampling/collector.h"
#include "common/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::agent {

enum class Controller : std::uint8_t { cpu, cpuacct, memory, blkio, pids };
inline constexpr std::size_t kControllers = 5;
inline constexpr std::array<std::string_view, kControllers> kControllerNames = {"cpu", "cpuacct", "memory",
                                                                                "blkio", "pids"};

/// One mounted hierarchy. `root` is the cgroup that is mounted there: "/" unless we look from inside a
/// container.
struct CgroupMount {
  std::string directory;  // "" when not mounted
  std::string root = "/";
};

/// What a host mounts. Version 1 only, version 2 only, or hybrid: controllers in version 1, pressure in
/// version 2.
struct CgroupMounts {
  CgroupMount unified;
  std::array<CgroupMount, kControllers> v1;
  bool any() const;
  /// The hierarchy in which to look for containers.
  const CgroupMount& primary() const;
};

/// From mountinfo of process 1, else of our own, else the usual places; paths below "/sys" are moved to
/// roots.sysfs and others to roots.rootfs. Nothing mounted is not an error: then any() is false.
CgroupMounts find_cgroup_mounts(const Roots& roots);
/// For tests: from the text of a mountinfo file (proc_pid_mountinfo(5)).
CgroupMounts parse_cgroup_mounts(std::string_view mountinfo, const Roots& roots);

/// A container's directories; "" where the hierarchy is not mounted.
struct CgroupDirs {
  std::string unified;
  std::array<std::string, kControllers> v1;
  bool any() const;
};

/// From the text of /proc/PID/cgroup. The container's own directory is the path up to the part that names its
/// id, since a process may sit deeper (systemd inside, "libpod-ID.scope/container"). Nothing when no path
/// names the id: the pid is somebody else's now.
std::optional<CgroupDirs> dirs_from_proc(std::string_view proc_cgroup, std::string_view id,
                                         const CgroupMounts& mounts);
/// By the names runtimes give: docker/ID, system.slice/docker-ID.scope, machine.slice/libpod-ID.scope and so
/// on. Looks on disk.
std::optional<CgroupDirs> dirs_by_pattern(std::string_view id, const CgroupMounts& mounts);
/// The directories of `relative` ("/docker/ID") in every hierarchy that has it.
std::optional<CgroupDirs> dirs_of(const std::string& relative, const CgroupMounts& mounts);

/// A directory that a runtime named for a container.
struct CgroupMatch {
  std::string_view runtime;  // "docker", "podman", "kubernetes", "containerd", "unknown", "unknown"
  std::string_view id;       // 64 hexadecimal digits
};
/// `parent` is the path above, which tells bare ids apart.
std::optional<CgroupMatch> match_cgroup_name(std::string_view name, std::string_view parent);

struct DiscoveredCgroup {
  std::string runtime;
  std::string id;
  std::string relative;  // path in the hierarchy, "/docker/ID"
};
/// All containers the tree shows; at most kMaxContainers, and at most `max_directories` directories are read.
std::vector<DiscoveredCgroup> scan_cgroups(const CgroupMounts& mounts, std::size_t max_directories = 10'000);

}  // namespace vigil::agent
