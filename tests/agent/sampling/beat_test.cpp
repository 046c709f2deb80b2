#include "agent/sampling/beat.h"

#include "tests/support/catch.h"

namespace vigil::agent {
namespace {

using std::chrono::milliseconds;

/// Two clocks under the test's control; the wall clock may be set.
struct Clocks {
  Now now() const {
    return {std::chrono::steady_clock::time_point(milliseconds(steady_ms)),
            std::chrono::system_clock::time_point(milliseconds(wall_ms))};
  }
  void pass(std::int64_t ms) {
    steady_ms += ms;
    wall_ms += ms;
  }
  /// Passes to the moment the beat is due, and takes it.
  std::optional<std::int64_t> next(Beat& beat, std::int64_t late_ms = 0) {
    pass(std::chrono::ceil<milliseconds>(beat.due() - now().steady).count() + late_ms);
    const auto tick = beat.take(now());
    if (!tick) return {};
    return tick->wall_ms;
  }

  std::int64_t steady_ms = 5'000'017;
  std::int64_t wall_ms = 1'700'000'000'250;
};

}  // namespace

TEST_CASE("beats fall on multiples of the period on the wall clock") {
  Clocks clocks;
  Beat beat(milliseconds(1000), clocks.now());
  CHECK(clocks.next(beat) == 1'700'000'001'000);
  CHECK(clocks.wall_ms == 1'700'000'001'000);
  CHECK(clocks.next(beat) == 1'700'000'002'000);
}

TEST_CASE("work that takes long neither shifts nor drifts the beats") {
  Clocks clocks;
  Beat beat(milliseconds(1000), clocks.now());
  for (int i = 1; i <= 1000; ++i) {
    CHECK(clocks.next(beat, i % 900) == 1'700'000'000'000 + i * 1000);
  }
  CHECK(beat.missed() == 0);
}

TEST_CASE("missed beats are skipped, never replayed") {
  Clocks clocks;
  Beat beat(milliseconds(1000), clocks.now());
  CHECK(clocks.next(beat) == 1'700'000'001'000);
  clocks.pass(7'300);
  const auto tick = beat.take(clocks.now());
  REQUIRE(tick);
  CHECK(tick->wall_ms == 1'700'000'008'000);
  CHECK(beat.missed() == 6);
  CHECK(clocks.next(beat) == 1'700'000'009'000);
}

TEST_CASE("a clock set forward is followed within a beat") {
  Clocks clocks;
  Beat beat(milliseconds(1000), clocks.now());
  clocks.next(beat);
  clocks.wall_ms += 3'600'400;
  const auto first = clocks.next(beat);
  REQUIRE(first);
  CHECK(*first % 1000 == 0);
  const auto second = clocks.next(beat);
  CHECK(second == *first + 1000);
  CHECK(clocks.wall_ms == *second);  // on the new clock's multiples again
}

TEST_CASE("a clock set back a little leaves out beats until stamps ascend again") {
  Clocks clocks;
  Beat beat(milliseconds(1000), clocks.now());
  std::int64_t last = 0;
  for (int i = 0; i < 5; ++i) last = clocks.next(beat).value();
  clocks.wall_ms -= 3'200;
  int left_out = 0;
  std::optional<std::int64_t> stamp;
  while (!(stamp = clocks.next(beat))) ++left_out;
  CHECK(left_out <= 4);
  CHECK(*stamp == last + 1000);
  CHECK(beat.left_out() == static_cast<std::uint64_t>(left_out));
}

TEST_CASE("a clock set back by an hour is followed at once") {
  Clocks clocks;
  Beat beat(milliseconds(1000), clocks.now());
  std::int64_t last = 0;
  for (int i = 0; i < 5; ++i) last = clocks.next(beat).value();
  clocks.wall_ms -= 3'600'000;
  const auto first = clocks.next(beat);
  REQUIRE(first);
  CHECK(*first <= last - 3'598'000);
  last = *first;
  for (int i = 0; i < 20; ++i) {
    const auto stamp = clocks.next(beat);
    REQUIRE(stamp);
    CHECK(*stamp == last + 1000);
    CHECK(*stamp == clocks.wall_ms);
    last = *stamp;
  }
}

TEST_CASE("stamps ascend whatever happens to the clocks, unless they are set far back") {
  std::uint64_t state = 1;
  const auto random = [&state](std::int64_t range) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::int64_t>((state >> 33) % static_cast<std::uint64_t>(range));
  };
  Clocks clocks;
  Beat beat(milliseconds(1000), clocks.now());
  std::int64_t last = 0;
  int taken = 0;
  for (int i = 0; i < 20'000; ++i) {
    if (random(20) == 0) clocks.wall_ms += random(40'000) - 20'000;
    const auto stamp = clocks.next(beat, random(10) == 0 ? random(5'000) : random(100));
    if (!stamp) continue;
    const bool set_back = *stamp < last - Beat::kMaxLeftOut * 1000;
    CHECK((*stamp > last || set_back));
    CHECK(*stamp % 1000 == 0);
    last = *stamp;
    ++taken;
  }
  CHECK(taken > 10'000);
}

}  // namespace vigil::agent
