#include "aggregator/descriptors.h"

#include "tests/support/catch.h"

#include <algorithm>

namespace vigil::aggregator {

TEST_CASE("agents never use up the descriptors the rest of the process needs") {
  const Wanted wanted{12'000, 256};
  CHECK(room_for(1'000'000, wanted).agents == 12'000);
  CHECK(room_for(12'512, wanted).agents == 12'000);
  CHECK(room_for(12'511, wanted).agents == 11'999);
  CHECK(room_for(1024, wanted).agents == 512);
  CHECK(room_for(256, wanted).agents == 128);
  CHECK(room_for(1'000'000, wanted).grpc_connections == 12'128);
  CHECK(room_for(256, wanted).grpc_connections == 160);
  CHECK(room_for(1'000'000, wanted).http_connections == 256);
  CHECK(room_for(256, wanted).http_connections == 32);
  CHECK(room_for(1'000'000, {12'000, 1000}).http_connections == 1000);
  for (std::uint64_t open_files = 64; open_files < 20'000; ++open_files) {
    const Room room = room_for(open_files, wanted);
    REQUIRE(room.agents >= 1);
    REQUIRE(room.grpc_connections + room.http_connections <=
            open_files - std::min<std::uint64_t>(open_files / 8, 128));
  }
}

}  // namespace vigil::aggregator
