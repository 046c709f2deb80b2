#include "tests/agent/collectors/support.h"
#include "tests/support/catch.h"

namespace vigil::test {

TEST_CASE("loadavg and pressure: recorded hosts give their golden text") {
  for (const char* host : {"vm2", "cgroup2-host", "lxc", "hostile", "mixed"}) {
    check_golden(host, "loadavg");
    check_golden(host, "pressure");
  }
}

TEST_CASE("loadavg and pressure: every prefix gives a result") {
  check_every_prefix("vm2", "loadavg", "proc/loadavg", Cut::keeps_values);
  for (const char* resource : {"cpu", "memory", "io", "irq"}) {
    check_every_prefix("cgroup2-host", "pressure", std::string("proc/pressure/") + resource,
                       Cut::keeps_values);
  }
}

TEST_CASE("pressure that comes later is found, without asking at every beat") {
  TempDir host;
  host.write("proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n");
  agent::Sheet sheet;
  const auto collector = make_collector("pressure", rooted(host.path()));
  REQUIRE(tick(*collector, sheet));
  host.write("proc/pressure/irq", "full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n");
  REQUIRE(tick(*collector, sheet));
  CHECK(to_text(sheet) == "node_pressure_cpu_waiting_seconds_total 0.000005\n");
  for (int i = 0; i < 60; ++i) REQUIRE(tick(*collector, sheet));
  CHECK(
      to_text(sheet) ==
      "node_pressure_cpu_waiting_seconds_total 0.000005\nnode_pressure_irq_stalled_seconds_total 0.000007\n");
}

TEST_CASE("a kernel without pressure information is no failure") {
  TempDir host;
  CHECK(collect_text("pressure", rooted(host.path())) == "# error unsupported\n");
}

}  // namespace vigil::test
