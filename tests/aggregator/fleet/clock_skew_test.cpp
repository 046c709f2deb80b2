#include "aggregator/fleet/clock_skew.h"

#include "tests/support/catch.h"

using vigil::aggregator::ClockSkew;

TEST_CASE("the skew is that of the row with the shortest way") {
  ClockSkew skew;
  CHECK(skew.seconds() == 0.0);
  skew.observe(100'000 + 5000 - 300, 100'000);  // five seconds ahead, 300 ms under way
  skew.observe(101'000 + 5000 - 20, 101'000);
  skew.observe(102'000 + 5000 - 900, 102'000);
  CHECK(skew.seconds() == Approx(4.98));
}

TEST_CASE("what was buffered during an outage does not look like a clock that is behind") {
  ClockSkew skew;
  skew.observe(99'990, 100'000);
  for (std::int64_t i = 0; i < 50; ++i) skew.observe(40'000 + i * 1000, 100'100 + i);
  CHECK(skew.seconds() == Approx(-0.01));
}

TEST_CASE("a clock that was set is seen within a minute") {
  ClockSkew skew;
  std::int64_t now = 1'000'000;
  for (int i = 0; i < 30; ++i, now += 1000) skew.observe(now + 60'000, now);
  CHECK(skew.seconds() == Approx(60));
  for (int i = 0; i < 61; ++i, now += 1000) skew.observe(now - 10, now);
  CHECK(skew.seconds() == Approx(-0.01));
}
