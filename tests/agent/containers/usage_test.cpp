#include "agent/containers/usage.h"

#include "tests/agent/collectors/support.h"
#include "tests/agent/containers/fixtures.h"

#include <fcntl.h>

namespace vigil::agent {
namespace {

/// The recorded container "healthy" of a host.
CgroupDirs healthy_dirs(const std::string& host) {
  const auto mounts = find_cgroup_mounts(test::rooted(test::host_path(host)).roots);
  const auto dirs =
      dirs_from_proc(test::fixture("hosts/" + host + "/proc/10491/cgroup"), test::kHealthyId, mounts);
  REQUIRE(dirs);
  return *dirs;
}

int open_descriptors() {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

ReadContext context_with(int descriptors) {
  ReadContext context;
  context.descriptors_left = descriptors;
  return context;
}

}  // namespace

TEST_CASE("version 2 files become usage in the units of the series") {
  UsageReader reader(healthy_dirs("docker-v2"),
                     (test::host_path("docker-v2") / "proc/10491/net/dev").string());
  ReadContext context = context_with(100);
  Usage usage;
  REQUIRE(reader.read(usage, context));
  CHECK(usage.cpu_us == 1234567);
  CHECK(usage.cpu_user_us + usage.cpu_system_us == 1234567);
  CHECK(usage.cfs_periods == 20);
  CHECK(usage.cfs_throttled_periods == 4);
  CHECK(usage.cfs_throttled_us == 170123);
  CHECK(usage.cpu_quota_us == 50000);
  CHECK(usage.cpu_period_us == 100000);
  CHECK(usage.memory_usage == 524288);
  CHECK(usage.memory_working_set == 524288 - 65536);
  CHECK(usage.memory_rss == 262144);
  CHECK(usage.memory_cache == 131072);
  CHECK(usage.memory_swap == 8192);
  CHECK(usage.memory_limit == 67108864);
  CHECK(usage.memory_failcnt == 12);
  CHECK(usage.oom_kills == 2);
  CHECK(usage.threads == 1);
  CHECK(usage.threads_max == 0);
  CHECK(usage.processes == 1);
  CHECK(usage.cpu_pressure.some_us == 410437);
  CHECK(usage.io_pressure.full_us == 105940);
  REQUIRE(usage.devices.size() == 1);
  CHECK(usage.devices[0].read_bytes == 1449984);
  REQUIRE(usage.interfaces.size() == 1);
}

TEST_CASE(
    "version 1 files become the same numbers, with user time from ticks and limits from their own files") {
  UsageReader reader(healthy_dirs("docker-v1"), "");
  ReadContext context = context_with(100);
  Usage usage;
  REQUIRE(reader.read(usage, context));
  const std::string base = "hosts/docker-v1/sys/fs/cgroup/cpu,cpuacct/docker/" + test::kHealthyId;
  CHECK(usage.cpu_us == std::stoll(test::fixture(base + "/cpuacct.usage")) / 1000);
  CHECK(usage.cpu_user_us == 590'000);
  CHECK(usage.cpu_system_us == 120'000);
  CHECK(usage.cpu_quota_us == 50000);
  CHECK(usage.memory_limit == 67108864);
  CHECK(usage.memory_failcnt == 0);
  CHECK(usage.oom_kills == 0);
  CHECK(usage.memory_swap == 0);
  CHECK(usage.threads_max == 50);
  CHECK(usage.cpu_pressure.some_us == kAbsent);
  REQUIRE(usage.devices.size() == 2);
  CHECK(usage.devices[0].reads == 91);
  CHECK(usage.interfaces.empty());
}

TEST_CASE("a hybrid host has numbers from version 1 and pressure from version 2") {
  UsageReader reader(healthy_dirs("docker-hybrid"), "");
  ReadContext context = context_with(100);
  Usage usage;
  REQUIRE(reader.read(usage, context));
  CHECK(usage.memory_limit == 67108864);
  CHECK(usage.cpu_pressure.some_us == 410437);
}

TEST_CASE("a version 1 container without a CPU limit has a period and no quota") {
  const auto mounts = find_cgroup_mounts(test::rooted(test::host_path("docker-v1")).roots);
  const std::string id = "b6a25d4007bfb54f1256f4353b59a28659317064444c0bea1f6637358e84b7ca";
  const auto dirs = dirs_by_pattern(id, mounts);
  REQUIRE(dirs);
  UsageReader reader(*dirs, "");
  ReadContext context = context_with(100);
  Usage usage;
  REQUIRE(reader.read(usage, context));
  CHECK(usage.cpu_quota_us == kAbsent);
  CHECK(usage.cpu_period_us == 100000);
  CHECK(usage.memory_limit == 0);
}

TEST_CASE("descriptors are kept from read to read and given back at the end") {
  const int before = open_descriptors();
  ReadContext context = context_with(100);
  {
    UsageReader reader(healthy_dirs("docker-v2"), "");
    Usage usage;
    REQUIRE(reader.read(usage, context));
    const int kept = open_descriptors() - before;
    CHECK(kept >= 12);
    CHECK(context.descriptors_left == 100 - kept);
    REQUIRE(reader.read(usage, context));
    CHECK(open_descriptors() - before == kept);
    reader.close(context);
  }
  CHECK(context.descriptors_left == 100);
  CHECK(open_descriptors() == before);
}

TEST_CASE("past the budget of descriptors files are opened for each read") {
  const int before = open_descriptors();
  UsageReader reader(healthy_dirs("docker-v2"), "");
  ReadContext context = context_with(3);
  Usage usage;
  REQUIRE(reader.read(usage, context));
  CHECK(open_descriptors() == before + 3);
  REQUIRE(reader.read(usage, context));
  CHECK(usage.io_pressure.full_us == 105940);
  reader.close(context);
}

TEST_CASE("a cgroup that is gone reads as gone") {
  test::TempDir dir;
  CgroupDirs dirs;
  dirs.unified = (dir.path() / "c").string();
  dir.write("c/cpu.stat", "usage_usec 5\n");
  Usage usage;
  ReadContext context = context_with(0);
  UsageReader reader(dirs, "");
  CHECK(reader.read(usage, context));
  CHECK(usage.cpu_us == 5);
  std::filesystem::remove_all(dir.path() / "c");
  CHECK_FALSE(reader.read(usage, context));
  CHECK(usage.cpu_us == kAbsent);
}

TEST_CASE("a limit that is changed is seen ten reads later at the latest") {
  test::TempDir dir;
  CgroupDirs dirs;
  dirs.unified = dir.path().string();
  dir.write("cpu.stat", "usage_usec 5\n");
  dir.write("memory.max", "max\n");
  Usage usage;
  ReadContext context = context_with(0);
  UsageReader reader(dirs, "");
  REQUIRE(reader.read(usage, context));
  CHECK(usage.memory_limit == 0);
  dir.write("memory.max", "1048576\n");
  for (int i = 0; i < 10; ++i) REQUIRE(reader.read(usage, context));
  CHECK(usage.memory_limit == 1048576);
}

TEST_CASE("working set is never negative") {
  test::TempDir dir;
  CgroupDirs dirs;
  dirs.unified = dir.path().string();
  dir.write("memory.current", "1000\n");
  dir.write("memory.stat", "anon 1\ninactive_file 4096\n");
  Usage usage;
  ReadContext context = context_with(10);
  UsageReader reader(dirs, "");
  REQUIRE(reader.read(usage, context));
  CHECK(usage.memory_working_set == 0);
  reader.close(context);
}

}  // namespace vigil::agent
