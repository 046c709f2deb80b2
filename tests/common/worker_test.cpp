#include "common/threads/worker.h"

#include "tests/support/catch.h"

#include <atomic>
#include <future>

namespace vigil {

TEST_CASE("tasks run in the order they were posted, on one thread") {
  Worker worker("test");
  worker.start();
  std::vector<int> seen;
  for (int i = 0; i < 1000; ++i) REQUIRE(worker.post([&seen, i] { seen.push_back(i); }));
  worker.stop();
  REQUIRE(seen.size() == 1000);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
}

TEST_CASE("a full queue refuses and counts, and work goes on") {
  Worker worker("test", 2);
  std::promise<void> release;
  std::promise<void> entered;
  worker.start();
  REQUIRE(worker.post([&] {
    entered.set_value();
    release.get_future().wait();
  }));
  entered.get_future().wait();
  std::atomic<int> ran = 0;
  CHECK(worker.post([&] { ++ran; }));
  CHECK(worker.post([&] { ++ran; }));
  CHECK_FALSE(worker.post([&] { ++ran; }));
  CHECK(worker.refused() == 1);
  release.set_value();
  worker.stop();
  CHECK(ran == 2);
}

TEST_CASE("after stop nothing is accepted") {
  Worker worker("test");
  worker.start();
  worker.stop();
  CHECK_FALSE(worker.post([] {}));
}

}  // namespace vigil
