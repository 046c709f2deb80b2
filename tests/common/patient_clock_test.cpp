#include "common/patient_clock.h"

#include "tests/support/catch.h"

using namespace vigil;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t kDayMs = 86'400'000;

/// A machine whose clocks run together until the wall clock is set.
struct Machine {
  PatientClock clock;
  PatientClock::Steady steady{100h};
  std::int64_t wall_ms = 1'764'000'000'000;

  /// How much of the wall clock it does not believe, some time later.
  std::int64_t doubted_after(std::chrono::milliseconds time) {
    steady += time;
    wall_ms += time.count();
    const std::int64_t now_ms = clock.now_ms(wall_ms, steady);
    CHECK(clock.ahead_ms() == wall_ms - now_ms);
    return wall_ms - now_ms;
  }
};

}  // namespace

TEST_CASE("A patient clock is the wall clock, also of one that is slewed or set back") {
  Machine machine;
  CHECK(machine.doubted_after(0ms) == 0);
  CHECK(machine.doubted_after(100h) == 0);
  for (int i = 0; i < 20; ++i) {
    machine.wall_ms += 60'000;
    CHECK(machine.doubted_after(1h) == 0);
  }
  machine.wall_ms -= 30 * kDayMs;
  CHECK(machine.doubted_after(1s) == 0);
}

TEST_CASE(
    "A step ahead is not believed before it has lasted for a day, and one that is taken back never was") {
  Machine machine;
  CHECK(machine.doubted_after(0ms) == 0);
  machine.wall_ms += 400 * kDayMs;
  CHECK(machine.doubted_after(1s) == 400 * kDayMs);
  CHECK(machine.doubted_after(23h) == 400 * kDayMs);
  SECTION("taken back") {
    machine.wall_ms -= 400 * kDayMs;
    CHECK(machine.doubted_after(1s) == 0);
    machine.wall_ms += kDayMs;
    CHECK(machine.doubted_after(2h) == kDayMs);
  }
  SECTION("lasting") {
    CHECK(machine.doubted_after(1h) == 0);
    CHECK(machine.doubted_after(1h) == 0);
  }
}
