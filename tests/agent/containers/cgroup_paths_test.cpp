#include "agent/containers/cgroup_paths.h"

#include "tests/agent/collectors/support.h"
#include "tests/agent/containers/fixtures.h"

namespace vigil::agent {

using test::fixture;
using test::kHealthyId;

namespace {

const std::string kPodmanId = "5d7a0b1c2e3f405162738495a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f";

Roots roots_of(const std::string& host) {
  return test::rooted(test::host_path(host)).roots;
}

const std::string& v1(const CgroupDirs& dirs, Controller controller) {
  return dirs.v1[static_cast<std::size_t>(controller)];
}

}  // namespace

TEST_CASE("mounts of a version 1, a version 2 and a hybrid host are told apart") {
  const CgroupMounts one = find_cgroup_mounts(roots_of("docker-v1"));
  const std::string sys1 = roots_of("docker-v1").sysfs;
  CHECK(one.unified.directory.empty());
  CHECK(one.v1[0].directory == sys1 + "/fs/cgroup/cpu,cpuacct");
  CHECK(one.v1[1].directory == sys1 + "/fs/cgroup/cpu,cpuacct");
  CHECK(one.v1[2].directory == sys1 + "/fs/cgroup/memory");

  const CgroupMounts two = find_cgroup_mounts(roots_of("docker-v2"));
  CHECK(two.unified.directory == roots_of("docker-v2").sysfs + "/fs/cgroup");
  for (const CgroupMount& mount : two.v1) CHECK(mount.directory.empty());

  const CgroupMounts hybrid = find_cgroup_mounts(roots_of("docker-hybrid"));
  CHECK(hybrid.unified.directory.ends_with("/fs/cgroup/unified"));
  for (const CgroupMount& mount : hybrid.v1) CHECK_FALSE(mount.directory.empty());
  CHECK(hybrid.primary().directory.ends_with("/memory"));
}

TEST_CASE("without mountinfo the usual places are tried") {
  test::TempDir dir;
  const Roots roots = test::rooted(dir.path()).roots;
  CHECK_FALSE(find_cgroup_mounts(roots).any());
  dir.write("sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
  CHECK(find_cgroup_mounts(roots).unified.directory == roots.sysfs + "/fs/cgroup");
  dir.write("sys/fs/cgroup/memory/tasks", "");
  CHECK(find_cgroup_mounts(roots).v1[2].directory == roots.sysfs + "/fs/cgroup/memory");
}

TEST_CASE("a container's directories follow from the cgroups of its process") {
  const auto mounts = find_cgroup_mounts(roots_of("docker-hybrid"));
  const auto dirs = dirs_from_proc(fixture("hosts/docker-hybrid/proc/10491/cgroup"), kHealthyId, mounts);
  REQUIRE(dirs);
  CHECK(v1(*dirs, Controller::memory).ends_with("/fs/cgroup/memory/docker/" + kHealthyId));
  CHECK(v1(*dirs, Controller::cpuacct).ends_with("/fs/cgroup/cpuacct/docker/" + kHealthyId));
  CHECK(dirs->unified.ends_with("/fs/cgroup/unified/docker/" + kHealthyId));
}

TEST_CASE("a process deeper in the container leads to the container's own directory") {
  const auto mounts = find_cgroup_mounts(roots_of("docker-v2"));
  const auto dirs = dirs_from_proc(fixture("hosts/docker-v2/proc/2077/cgroup"), kPodmanId, mounts);
  REQUIRE(dirs);
  CHECK(dirs->unified.ends_with("/machine.slice/libpod-" + kPodmanId + ".scope"));
}

TEST_CASE("a pid that now belongs to somebody else leads nowhere") {
  const auto mounts = find_cgroup_mounts(roots_of("docker-v2"));
  CHECK_FALSE(dirs_from_proc("0::/system.slice/ssh.service\n", kHealthyId, mounts));
  CHECK_FALSE(dirs_from_proc("", kHealthyId, mounts));
  CHECK_FALSE(dirs_from_proc("0::/\n", "", mounts));
}

TEST_CASE("a mount that shows only part of the hierarchy is taken off the path") {
  const Roots roots;
  const auto mounts =
      parse_cgroup_mounts("35 24 0:30 /outer /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", roots);
  const auto dirs = dirs_from_proc("0::/outer/docker/" + kHealthyId + "\n", kHealthyId, mounts);
  REQUIRE(dirs);
  CHECK(dirs->unified == "/sys/fs/cgroup/docker/" + kHealthyId);
  CHECK_FALSE(dirs_from_proc("0::/outerspace/docker/" + kHealthyId + "\n", kHealthyId, mounts));
  CHECK_FALSE(dirs_from_proc("0::/../../docker/" + kHealthyId + "\n", kHealthyId, mounts));
}

TEST_CASE("runtimes' names for directories are known, their monitors are not containers") {
  const auto runtime = [](std::string_view name, std::string_view parent) -> std::string {
    const auto match = match_cgroup_name(name, parent);
    return match ? std::string(match->runtime) : "none";
  };
  const std::string id = kHealthyId;
  CHECK(runtime("docker-" + id + ".scope", "/system.slice") == "docker");
  CHECK(runtime(id, "/docker") == "docker");
  CHECK(runtime(id, "/user.slice/docker") == "docker");
  CHECK(runtime("libpod-" + id + ".scope", "/machine.slice") == "podman");
  CHECK(runtime("libpod-" + id, "/libpod_parent") == "podman");
  CHECK(runtime("cri-containerd-" + id + ".scope", "/kubepods.slice/x") == "kubernetes");
  CHECK(runtime("crio-" + id + ".scope", "/kubepods.slice/x") == "kubernetes");
  CHECK(runtime(id, "/kubepods/burstable/pod1") == "kubernetes");
  CHECK(runtime("nerdctl-" + id + ".scope", "/system.slice") == "containerd");
  CHECK(runtime(id, "/my-parent") == "unknown");
  CHECK(runtime("libpod-conmon-" + id + ".scope", "/machine.slice") == "none");
  CHECK(runtime("crio-conmon-" + id + ".scope", "/kubepods.slice/x") == "none");
  CHECK(runtime("docker-" + id.substr(1) + ".scope", "/system.slice") == "none");
  CHECK(runtime("ssh.service", "/system.slice") == "none");
  CHECK(runtime(std::string(64, 'g'), "/docker") == "none");
}

TEST_CASE("a scan finds the containers of every runtime in the tree") {
  const auto found = scan_cgroups(find_cgroup_mounts(roots_of("docker-v2")));
  REQUIRE(found.size() == 4);
  CHECK(found[0].runtime == "docker");
  CHECK(found[0].id == kHealthyId);
  CHECK(found[1].runtime == "podman");
  CHECK(found[2].runtime == "kubernetes");
  CHECK(found[3].relative.starts_with("/system.slice/docker-b6a25d"));
  CHECK(scan_cgroups(find_cgroup_mounts(roots_of("docker-v1"))).size() == 2);
  CHECK(scan_cgroups(find_cgroup_mounts(roots_of("docker-v2")), 2).size() <
        4);  // the bound on directories holds
  CHECK(scan_cgroups(CgroupMounts{}).empty());
}

TEST_CASE("without a process the directory is found by its name") {
  const auto dirs = dirs_by_pattern(kPodmanId, find_cgroup_mounts(roots_of("docker-v2")));
  REQUIRE(dirs);
  CHECK(dirs->unified.ends_with(".scope"));
  CHECK(dirs_by_pattern(kHealthyId, find_cgroup_mounts(roots_of("docker-v1"))));
  CHECK_FALSE(dirs_by_pattern(std::string(64, '0'), find_cgroup_mounts(roots_of("docker-v1"))));
}

TEST_CASE("every prefix of mountinfo and of a process's cgroups gives a result") {
  const Roots roots;
  for (const char* host : {"docker-v1", "docker-v2", "docker-hybrid"}) {
    const std::string mountinfo = fixture(std::string("hosts/") + host + "/proc/1/mountinfo");
    const auto mounts = parse_cgroup_mounts(mountinfo, roots);
    for (std::size_t size = 0; size <= mountinfo.size(); ++size) {
      (void)parse_cgroup_mounts(std::string_view(mountinfo).substr(0, size), roots);
    }
    const std::string cgroup = fixture(std::string("hosts/") + host + "/proc/10491/cgroup");
    for (std::size_t size = 0; size <= cgroup.size(); ++size) {
      const auto dirs = dirs_from_proc(std::string_view(cgroup).substr(0, size), kHealthyId, mounts);
      if (size < 64) CHECK_FALSE(dirs);
    }
    CHECK(dirs_from_proc(cgroup, kHealthyId, mounts));
  }
}

}  // namespace vigil::agent
