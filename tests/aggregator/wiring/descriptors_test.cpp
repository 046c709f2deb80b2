#include "aggregator/descriptors.h"

#include "tests/support/catch.h"

#include <algorithm>

namespace vigil::aggregator {

TEST_CASE("agents never use up the descriptors the rest of the process needs") {
  CHECK(room_for(1'000'000, 12'000).agents == 12'000);
  CHECK(room_for(12'512, 12'000).agents == 12'000);
  CHECK(room_for(12'511, 12'000).agents == 11'999);
  CHECK(room_for(1024, 12'000).agents == 512);
  CHECK(room_for(256, 12'000).agents == 128);
  CHECK(room_for(1'000'000, 12'000).http_connections == 256);
  CHECK(room_for(256, 12'000).http_connections == 32);
  for (std::uint64_t open_files = 32; open_files < 20'000; ++open_files) {
    const Room room = room_for(open_files, 12'000);
    REQUIRE(room.agents >= 1);
    REQUIRE(room.agents + room.http_connections <= open_files - std::min<std::uint64_t>(open_files / 8, 256));
  }
}

}  // namespace vigil::aggregator
