#include "agent/collectors/table.h"
#include "tests/support/catch.h"

namespace vigil::agent {

TEST_CASE("the table names its collectors once") {
  for (const auto& entry : collector_table()) CHECK(entry.make({})->name() == entry.name);
}

}  // namespace vigil::agent
