#include "agent/containers/cgroup_paths.h"

#include "agent/containers/container.h"
#include "agent/files/proc_file.h"
#include "agent/files/scan.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>

namespace vigil::agent {
namespace {

bool is_directory(const std::string& path) {
  return ::access((path + "/.").c_str(), F_OK) == 0;
}

/// A host's path as we see it.
std::string seen_from(const Roots& roots, std::string_view path) {
  if (path.starts_with("/sys/")) return roots.sysfs + std::string(path.substr(4));
  return (roots.rootfs == "/" ? "" : roots.rootfs) + std::string(path);
}

void take_mount(std::string_view fields, std::string_view after_dash, const Roots& roots,
                CgroupMounts& mounts) {
  Fields before(fields);
  before.skip(3);
  const std::string_view root = before.next();
  const std::string_view point = before.next();
  Fields after(after_dash);
  const std::string_view type = after.next();
  if (type == "cgroup2" && mounts.unified.directory.empty())
    mounts.unified = {seen_from(roots, point), std::string(root)};
  if (type != "cgroup") return;
  after.skip(1);  // the source
  std::string_view options = after.next();
  while (!options.empty()) {
    const auto [option, rest] = split_once(options, ',');
    for (std::size_t i = 0; i < kControllers; ++i) {
      if (option == kControllerNames[i] && mounts.v1[i].directory.empty())
        mounts.v1[i] = {seen_from(roots, point), std::string(root)};
    }
    options = rest;
  }
}

/// A path of a cgroup below a mount; "" when the mount does not show it.
std::string below(const CgroupMount& mount, std::string_view path) {
  if (mount.directory.empty() || !path.starts_with('/') || path.find("/..") != std::string_view::npos)
    return {};
  if (mount.root != "/") {
    if (!path.starts_with(mount.root)) return {};
    path.remove_prefix(mount.root.size());
    if (!path.empty() && path.front() != '/') return {};
  }
  return mount.directory + std::string(path == "/" ? "" : path);
}

}  // namespace

bool CgroupMounts::any() const {
  return !unified.directory.empty() ||
         std::any_of(v1.begin(), v1.end(), [](const auto& mount) { return !mount.directory.empty(); });
}

const CgroupMount& CgroupMounts::primary() const {
  for (const Controller controller : {Controller::memory, Controller::cpu, Controller::pids}) {
    const CgroupMount& mount = v1[static_cast<std::size_t>(controller)];
    if (!mount.directory.empty()) return mount;
  }
  return unified;
}

bool CgroupDirs::any() const {
  return !unified.empty() ||
         std::any_of(v1.begin(), v1.end(), [](const auto& directory) { return !directory.empty(); });
}

CgroupMounts parse_cgroup_mounts(std::string_view mountinfo, const Roots& roots) {
  CgroupMounts mounts;
  for (Lines lines(mountinfo); lines.next();) {
    const std::size_t dash = lines.line().find(" - ");
    if (dash == std::string_view::npos) continue;
    take_mount(lines.line().substr(0, dash), lines.line().substr(dash + 3), roots, mounts);
  }
  return mounts;
}

CgroupMounts find_cgroup_mounts(const Roots& roots) {
  for (const char* const process : {"/1", "/self"}) {
    const auto text = read_small_file(roots.procfs + process + "/mountinfo", 1 << 20);
    if (!text) continue;
    CgroupMounts mounts = parse_cgroup_mounts(*text, roots);
    if (mounts.any()) return mounts;
  }
  CgroupMounts mounts;
  const std::string base = roots.sysfs + "/fs/cgroup";
  if (::access((base + "/cgroup.controllers").c_str(), F_OK) == 0) mounts.unified.directory = base;
  if (is_directory(base + "/unified")) mounts.unified.directory = base + "/unified";
  for (std::size_t i = 0; i < kControllers; ++i) {
    const std::string directory = base + "/" + std::string(kControllerNames[i]);
    if (is_directory(directory)) mounts.v1[i].directory = directory;
  }
  return mounts;
}

std::optional<CgroupDirs> dirs_from_proc(std::string_view proc_cgroup, std::string_view id,
                                         const CgroupMounts& mounts) {
  CgroupDirs dirs;
  if (id.empty()) return std::nullopt;
  for (Lines lines(proc_cgroup); lines.next();) {
    const auto [number, rest] = split_once(lines.line(), ':');
    auto [controllers, path] = split_once(rest, ':');
    const std::size_t at = path.find(id);
    if (at == std::string_view::npos) continue;
    path = path.substr(0, path.find('/', at));
    if (number == "0" && controllers.empty()) dirs.unified = below(mounts.unified, path);
    while (!controllers.empty()) {
      const auto [controller, others] = split_once(controllers, ',');
      for (std::size_t i = 0; i < kControllers; ++i) {
        if (controller == kControllerNames[i]) dirs.v1[i] = below(mounts.v1[i], path);
      }
      controllers = others;
    }
  }
  if (!dirs.any()) return std::nullopt;
  return dirs;
}

std::optional<CgroupDirs> dirs_of(const std::string& relative, const CgroupMounts& mounts) {
  CgroupDirs dirs;
  const auto existing = [&](const CgroupMount& mount) {
    if (mount.directory.empty()) return std::string();
    std::string path = mount.directory + relative;
    return is_directory(path) ? path : std::string();
  };
  dirs.unified = existing(mounts.unified);
  for (std::size_t i = 0; i < kControllers; ++i) dirs.v1[i] = existing(mounts.v1[i]);
  if (!dirs.any()) return std::nullopt;
  return dirs;
}

std::optional<CgroupDirs> dirs_by_pattern(std::string_view id, const CgroupMounts& mounts) {
  for (const auto& pattern :
       {fmt::format("/docker/{}", id), fmt::format("/system.slice/docker-{}.scope", id),
        fmt::format("/machine.slice/libpod-{}.scope", id), fmt::format("/libpod_parent/libpod-{}", id),
        fmt::format("/system.slice/cri-containerd-{}.scope", id)}) {
    if (auto dirs = dirs_of(pattern, mounts)) return dirs;
  }
  return std::nullopt;
}

std::optional<CgroupMatch> match_cgroup_name(std::string_view name, std::string_view parent) {
  constexpr std::size_t kIdSize = 64;
  if (name.ends_with(".scope")) name.remove_suffix(6);
  if (name.size() < kIdSize) return std::nullopt;
  const std::string_view id = name.substr(name.size() - kIdSize);
  if (id.find_first_not_of("0123456789abcdef") != std::string_view::npos) return std::nullopt;
  const std::string_view prefix = name.substr(0, name.size() - kIdSize);
  const bool in_pod = parent.find("kubepods") != std::string_view::npos;
  if (prefix == "docker-") return CgroupMatch{in_pod ? "kubernetes" : "docker", id};
  if (prefix == "libpod-") return CgroupMatch{"podman", id};
  if (prefix == "cri-containerd-" || prefix == "crio-") return CgroupMatch{"kubernetes", id};
  if (prefix == "nerdctl-") return CgroupMatch{"containerd", id};
  if (!prefix.empty())
    return std::nullopt;  // "libpod-conmon-" and "crio-conmon-": the runtime's monitors, not containers
  if (in_pod) return CgroupMatch{"kubernetes", id};
  if (parent.ends_with("/docker")) return CgroupMatch{"docker", id};
  return CgroupMatch{"unknown", id};  // below a --cgroup-parent of the user's
}

namespace {

/// Directories in `path`, by the type readdir(3) gives: kernfs always fills it in; recorded trees on disk do
/// as well.
std::vector<std::string> subdirectories(const std::string& path) {
  std::vector<std::string> names;
  DIR* dir = ::opendir(path.c_str());
  if (dir == nullptr) return names;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string_view name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") names.emplace_back(name);
  }
  ::closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

std::vector<DiscoveredCgroup> scan_cgroups(const CgroupMounts& mounts, std::size_t max_directories) {
  constexpr std::size_t kDeepest = 10;
  std::vector<DiscoveredCgroup> found;
  const std::string& base = mounts.primary().directory;
  if (base.empty()) return found;
  std::vector<std::pair<std::string, std::size_t>> open = {{"", 0}};  // relative path and depth
  for (std::size_t read = 0; !open.empty() && read < max_directories; ++read) {
    const auto [relative, depth] = std::move(open.back());
    open.pop_back();
    for (const std::string& name : subdirectories(base + relative)) {
      std::string path = fmt::format("{}/{}", relative, name);
      const auto match = match_cgroup_name(name, relative);
      if (match && found.size() < kMaxContainers) {
        found.push_back({std::string(match->runtime), std::string(match->id), std::move(path)});
      } else if (!match && depth + 1 < kDeepest) {
        open.emplace_back(std::move(path), depth + 1);
      }
    }
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return found;
}

}  // namespace vigil::agent
