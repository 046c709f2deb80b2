#include "aggregator/watchdog.h"

#include "tests/support/catch.h"

#include <future>

namespace vigil::aggregator {

TEST_CASE("a thread that does one thing for too long is told, by name, until it gets on") {
  Worker lively("lively");
  Worker stuck("stuck");
  Watchdog watchdog;
  watchdog.watch(lively);
  watchdog.watch(stuck);
  lively.start();
  stuck.start();
  std::promise<void> entered;
  std::promise<void> release;
  REQUIRE(stuck.post([&] {
    entered.set_value();
    release.get_future().wait();
  }));
  entered.get_future().wait();
  const auto now = std::chrono::steady_clock::now();
  CHECK(watchdog.check(now));
  CHECK(watchdog.complaints(now).empty());
  const auto later = now + Watchdog::kLimit + std::chrono::seconds(1);
  CHECK_FALSE(watchdog.check(later));
  REQUIRE(watchdog.complaints(later).size() == 1);
  CHECK(watchdog.complaints(later)[0].starts_with("stuck has been busy with one thing for 3"));
  release.set_value();
  stuck.stop();
  CHECK(watchdog.check(later));
}

TEST_CASE("a long task that says it gets on is not stuck") {
  Worker worker("long");
  worker.start();
  std::promise<std::pair<std::chrono::nanoseconds, std::chrono::nanoseconds>> seen;
  REQUIRE(worker.post([&] {
    constexpr std::chrono::milliseconds kLong{5};
    const auto begun = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() < begun + kLong) {
    }
    const auto before = worker.busy_for(begun + kLong);
    worker.getting_on();
    seen.set_value({before, worker.busy_for(begun + kLong)});
  }));
  const auto [before, after] = seen.get_future().get();
  CHECK(before >= std::chrono::milliseconds(5));
  CHECK(after == std::chrono::nanoseconds(0));
  worker.stop();
}

}  // namespace vigil::aggregator
