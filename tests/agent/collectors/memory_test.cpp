#include "tests/agent/collectors/support.h"
#include "tests/support/catch.h"

namespace vigil::test {

TEST_CASE("meminfo and vmstat: recorded hosts give their golden text") {
  for (const char* host : {"vm2", "cgroup2-host", "lxc", "hostile", "mixed"}) {
    check_golden(host, "meminfo");
    check_golden(host, "vmstat");
  }
}

TEST_CASE("meminfo and vmstat: every prefix gives a result") {
  for (const char* host : {"vm2", "cgroup2-host"}) {
    check_every_prefix(host, "meminfo", "proc/meminfo", Cut::keeps_values);
    check_every_prefix(host, "vmstat", "proc/vmstat", Cut::keeps_values);
  }
}

TEST_CASE("meminfo follows a kernel whose fields change between two ticks") {
  TempDir host;
  host.write("proc/meminfo", "MemTotal: 10 kB\nMemFree: 5 kB\nHugePages_Total: 3\n");
  agent::Sheet sheet;
  const auto collector = make_collector("meminfo", rooted(host.path()));
  REQUIRE(tick(*collector, sheet));
  host.write("proc/meminfo", "MemTotal: 10 kB\nZswap: 1 kB\nMemFree: 4 kB\nHugePages_Total: 4\n");
  REQUIRE(tick(*collector, sheet));
  CHECK(to_text(sheet) ==
        "node_memory_HugePages_Total 4\nnode_memory_MemFree_bytes 4096\nnode_memory_MemTotal_bytes "
        "10240\nnode_memory_Zswap_bytes 1024\n");
}

TEST_CASE("a host without /proc/meminfo is a failure, one without /proc/vmstat is not") {
  TempDir host;
  CHECK(collect_text("meminfo", rooted(host.path())) == "# error not_found\n");
  CHECK(collect_text("vmstat", rooted(host.path())) == "# error unsupported\n");
}

}  // namespace vigil::test
