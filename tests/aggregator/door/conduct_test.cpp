#include "aggregator/door/conduct.h"

#include "tests/support/catch.h"

using namespace vigil::aggregator::door;

TEST_CASE("a stranger may send what a handshake and a call need, and no more at once") {
  Conduct conduct(0);
  CHECK(conduct.sent(20'000, 0));
  CHECK(conduct.sent(kStrangerBytes, 0));
  CHECK_FALSE(conduct.sent(kStrangerBytes + 1, 0));
}

TEST_CASE("a stranger who asks for little goes on for days, and saves up nothing for a flood") {
  Conduct conduct(0);
  std::uint64_t bytes = 0;
  for (std::int64_t second = 1; second <= 2 * 86'400; ++second) {
    bytes += kStrangerRate;
    REQUIRE(conduct.sent(bytes, second * 1000));
  }
  CHECK(conduct.sent(bytes, 3 * 86'400'000LL));
  CHECK_FALSE(conduct.sent(bytes + kStrangerBytes + 1, 3 * 86'400'000LL));
}

TEST_CASE("a clock that is set back gives a stranger nothing, and takes nothing from him") {
  Conduct conduct(100'000);
  CHECK(conduct.sent(kStrangerBytes, 0));
  CHECK_FALSE(conduct.sent(kStrangerBytes + kStrangerRate + 1, 1000));
}

TEST_CASE(
    "what somebody sends who was let in is not counted, but a call that is open to all makes nobody known") {
  Conduct conduct(0);
  conduct.arrived(false);
  CHECK_FALSE(conduct.is_known());
  CHECK_FALSE(conduct.sent(10 * kStrangerBytes, 0));
  conduct.arrived(true);
  CHECK(conduct.is_known());
  CHECK(conduct.sent(100 * kStrangerBytes, 0));
}

TEST_CASE("calls that come to their services are never too many, those that do not are") {
  Conduct conduct(0);
  for (int i = 0; i < 100'000; ++i) {
    REQUIRE(conduct.begun());
    conduct.arrived(true);
  }
  for (std::size_t i = 0; i < kMostBegun; ++i) REQUIRE(conduct.begun());
  CHECK_FALSE(conduct.begun());
}

TEST_CASE("refusals have a number at once and a rate") {
  Conduct conduct(0);
  for (int i = 0; i < static_cast<int>(kMostRefused); ++i) REQUIRE(conduct.refused(0));
  CHECK_FALSE(conduct.refused(0));
  Conduct patient(0);
  for (int i = 1; i < 10'000; ++i)
    REQUIRE(patient.refused(i * static_cast<std::int64_t>(1000 / kRefusedRate)));
}
