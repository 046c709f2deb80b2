#include "aggregator/access/attempts.h"

#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator::access;

namespace {

constexpr std::int64_t kNow = 1'800'000'000'000;

}  // namespace

TEST_CASE("of a source five wrong ones a minute are looked at, and it is told when the next one is") {
  Attempts attempts;
  for (int i = 0; i < 5; ++i) {
    REQUIRE(attempts.begin("192.0.2.1", kNow));
    attempts.wrong("192.0.2.1", kNow);
  }
  const auto refused = attempts.begin("192.0.2.1", kNow);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::limit);
  CHECK(refused.error().message ==
        "too many wrong secrets from 192.0.2.1: none is looked at now, try again in 12 s");
  CHECK(attempts.begin("192.0.2.2", kNow));
  CHECK_FALSE(attempts.begin("192.0.2.1", kNow + 11'999));
  CHECK(attempts.begin("192.0.2.1", kNow + 12'000));
}

TEST_CASE("right ones are limited only together: a fleet that enrolls from one address gets through") {
  Attempts attempts;
  for (int i = 0; i < 200; ++i) REQUIRE(attempts.begin("192.0.2.1", kNow));
  const auto refused = attempts.begin("192.0.2.9", kNow);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message == "too many secrets at once, from everywhere together: try again in 1 s");
  for (int second = 1; second <= 10; ++second) {
    for (int i = 0; i < 20; ++i) REQUIRE(attempts.begin("192.0.2.1", kNow + second * 1000));
  }
}

TEST_CASE("who is wrong again and again takes nothing of what is for all") {
  Attempts attempts;
  for (int i = 0; i < 10'000; ++i) {
    if (attempts.begin("192.0.2.1", kNow)) attempts.wrong("192.0.2.1", kNow);
  }
  for (int i = 0; i < 195; ++i) REQUIRE(attempts.begin("192.0.2.2", kNow));
}

TEST_CASE("who comes with what was right once is no guesser, and is not looked at without end") {
  Attempts attempts;
  for (int i = 0; i < 60; ++i) {
    REQUIRE(attempts.begin("192.0.2.1", kNow));
    attempts.over("192.0.2.1", kNow);
  }
  const auto refused = attempts.begin("192.0.2.1", kNow);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message ==
        "too many secrets from 192.0.2.1 that count no more: none is looked at now, try again in 1 s");
  CHECK(attempts.begin("192.0.2.2", kNow));
  CHECK(attempts.begin("192.0.2.1", kNow + 1000));
}
