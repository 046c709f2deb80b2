#include "agent/containers/attachment.h"

#include "agent/files/proc_file.h"
#include "agent/files/scan.h"

#include <unistd.h>

namespace vigil::agent {
namespace {

int first_process_in(const std::string& directory) {
  const auto text = read_small_file(directory + "/cgroup.procs");
  if (!text) return 0;
  const std::int64_t pid = parse_integer(split_once(*text, '\n').first).value_or(0);
  return pid > 0 && pid <= std::numeric_limits<int>::max() ? static_cast<int>(pid) : 0;
}

int first_process(const CgroupDirs& dirs) {
  for (const std::string& directory : dirs.v1) {
    if (!directory.empty()) return first_process_in(directory);
  }
  return first_process_in(dirs.unified);
}

/// Nobody told us how a discovered container is connected. Namespaces are compared where we may (ptrace(2)
/// rights, so as root); counting the host's traffic a second time would be worse than not counting.
bool has_own_network(int pid, const std::string& procfs) {
  std::array<char, 64> theirs{};
  std::array<char, 64> hosts{};
  const std::string path = fmt::format("{}/{}/ns/net", procfs, pid);
  if (::readlink(path.c_str(), theirs.data(), theirs.size() - 1) <= 0) return false;
  if (::readlink((procfs + "/1/ns/net").c_str(), hosts.data(), hosts.size() - 1) <= 0) return false;
  return theirs != hosts;
}

}  // namespace

std::optional<UsageReader> attach(const KnownContainer& known, const CgroupMounts& mounts,
                                  const std::string& procfs) {
  const Container& container = known.container;
  std::optional<CgroupDirs> dirs;
  int pid = container.pid;
  if (known.discovered) dirs = dirs_of(known.relative_cgroup, mounts);
  if (!dirs && pid > 0) {
    const auto text = read_small_file(fmt::format("{}/{}/cgroup", procfs, pid));
    if (text) dirs = dirs_from_proc(*text, container.id, mounts);
  }
  if (!dirs) {
    pid = 0;  // not its process any more
    dirs = dirs_by_pattern(container.id, mounts);
  }
  if (!dirs) return std::nullopt;
  if (pid == 0) pid = first_process(*dirs);
  const bool own_network =
      pid > 0 && !container.shares_network && (!known.discovered || has_own_network(pid, procfs));
  return UsageReader(*dirs, own_network ? fmt::format("{}/{}/net/dev", procfs, pid) : "");
}

}  // namespace vigil::agent
