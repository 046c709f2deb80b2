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

TEST_CASE("what nobody would repeat is taken by a full queue, too, and keeps its place") {
  Worker worker("test", 1);
  std::promise<void> release;
  std::promise<void> entered;
  worker.start();
  REQUIRE(worker.post([&] {
    entered.set_value();
    release.get_future().wait();
  }));
  entered.get_future().wait();
  std::vector<int> ran;
  CHECK(worker.post([&] { ran.push_back(1); }));
  CHECK_FALSE(worker.post([&] { ran.push_back(2); }));
  CHECK(worker.insist([&] { ran.push_back(3); }));
  release.set_value();
  worker.stop();
  CHECK(ran == std::vector<int>{1, 3});
  CHECK_FALSE(worker.insist([] {}));
}

TEST_CASE("how long a task runs is known to others, waiting for work is no work") {
  Worker worker("test");
  const auto later = [] { return std::chrono::steady_clock::now() + std::chrono::hours(1); };
  CHECK(worker.busy_for(later()).count() == 0);
  worker.start();
  std::promise<void> release;
  std::promise<void> entered;
  REQUIRE(worker.post([&] {
    entered.set_value();
    release.get_future().wait();
  }));
  entered.get_future().wait();
  CHECK(worker.busy_for(later()) >= std::chrono::minutes(59));
  CHECK(worker.busy_for(std::chrono::steady_clock::now()) < std::chrono::minutes(1));
  release.set_value();
  for (int i = 0; i < 10'000 && worker.busy_for(later()).count() != 0; ++i) std::this_thread::yield();
  for (int i = 0; i < 1000 && worker.busy_for(later()).count() != 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(worker.busy_for(later()).count() == 0);
}

TEST_CASE("after stop nothing is accepted") {
  Worker worker("test");
  worker.start();
  worker.stop();
  CHECK_FALSE(worker.post([] {}));
}

}  // namespace vigil
