#include "aggregator/fleet/fleet_rows.h"

#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator;

TEST_CASE("each host has up and one series a state, and values stand in their order") {
  REQUIRE(fleet_series().size() == kFleetColumns);
  CHECK(fleet_series()[0].spec.name == "up");
  CHECK(fleet_series()[0].source.job == "node");
  for (const HostState state : kHostStates) {
    const auto values = fleet_values({state, true, -1.5, 2000});
    CHECK(values[0] == (state == HostState::down ? 0 : 1));
    for (std::size_t i = 1; i <= 4; ++i) {
      const bool mine = fleet_series()[i].spec.labels.get("state") == to_string(state);
      CHECK(values[i] == (mine ? 1 : 0));
    }
    CHECK(values[5] == -1500);
    CHECK(values[6] == 2000);
  }
}

TEST_CASE("without a verdict up has no value") {
  CHECK(fleet_values({HostState::late, false, 0, 0})[0] == kAbsent);
}
