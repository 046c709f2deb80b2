#include "agent/collectors/table.h"
#include "tests/agent/collectors/support.h"
#include "tests/support/catch.h"

namespace vigil::test {

TEST_CASE("the table names its collectors once") {
  for (const auto& entry : agent::collector_table()) CHECK(entry.make({})->name() == entry.name);
}

TEST_CASE("cpu: recorded hosts give their golden text") {
  for (const char* host : {"vm2", "cgroup2-host", "lxc", "hostile", "mixed"}) check_golden(host, "cpu");
}

TEST_CASE("cpu: every prefix of /proc/stat gives a result") {
  for (const char* host : {"vm2", "cgroup2-host", "mixed"})
    check_every_prefix(host, "cpu", "proc/stat", Cut::keeps_values);
}

}  // namespace vigil::test
