#include "agent/collectors/table.h"
#include "tests/agent/collectors/support.h"
#include "tests/support/catch.h"

namespace vigil::test {

TEST_CASE("the table names its collectors once") {
  for (const auto& entry : agent::collector_table()) CHECK(entry.make({})->name() == entry.name);
}

TEST_CASE("cpu: recorded hosts give their golden text") {
  for (const char* host : {"vm2", "mixed"}) check_golden(host, "cpu");
}

TEST_CASE("cpu: every prefix of /proc/stat gives a result") {
  check_every_prefix("vm2", "cpu", "proc/stat");
  check_every_prefix("mixed", "cpu", "proc/stat");
}

}  // namespace vigil::test
