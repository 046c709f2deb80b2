#include "aggregator/ingest/pacing.h"

#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator;

namespace {

constexpr std::int64_t kStart = 1'700'000'000'000;

/// So many seconds of the same; the interval in the end.
std::uint32_t after(Pacing& pacing, const LoadFigures& figures, int seconds, std::int64_t& now_ms) {
  std::uint32_t interval = pacing.interval_ms();
  for (int i = 0; i < seconds; ++i) interval = pacing.decide(figures, now_ms += 1000);
  return interval;
}

LoadFigures cpu(double ratio) {
  LoadFigures figures;
  figures.streams = 100;
  figures.cpus = 2;
  figures.cpu_ratio = ratio;
  return figures;
}

}  // namespace

TEST_CASE("the number of streams sets the least interval, by what their messages cost these CPUs") {
  const auto f = [](std::size_t streams, std::size_t cpus, std::uint32_t wanted) {
    CAPTURE(streams, cpus);
    CHECK(delivery_interval_for(streams, cpus) == wanted);
  };
  f(0, 2, 1000);
  f(800, 2, 1000);
  f(801, 2, 2000);
  f(8000, 2, 2000);
  f(8001, 2, 5000);
  f(10'000, 2, 5000);
  f(10'000, 32, 1000);
  f(1'000'000, 1, 10'000);
  f(10'000, 0, 5000);
}

TEST_CASE("too much load for five seconds slows delivery a step, up to ten seconds") {
  LoadFigures busy_cpu = cpu(0.6);
  LoadFigures slow_disk = cpu(0);
  slow_disk.commit_seconds = 1.5;
  LoadFigures queueing = cpu(0);
  queueing.queue_ratio = 0.6;
  for (const LoadFigures& figures : {busy_cpu, slow_disk, queueing}) {
    Pacing pacing;
    std::int64_t now = kStart;
    CHECK(after(pacing, figures, 5, now) == 1000);
    CHECK(after(pacing, figures, 1, now) == 2000);
    CHECK(after(pacing, figures, 5, now) == 2000);
    CHECK(after(pacing, figures, 1, now) == 5000);
    CHECK(after(pacing, figures, 100, now) == 10'000);
  }
}

TEST_CASE("a spike changes nothing") {
  Pacing pacing;
  std::int64_t now = kStart;
  for (int i = 0; i < 100; ++i) {
    CHECK(after(pacing, cpu(0.9), 4, now) == 1000);
    CHECK(after(pacing, cpu(0.1), 1, now) == 1000);
  }
}

TEST_CASE("delivery gets faster a step a minute, when the faster pace would fit") {
  Pacing pacing;
  std::int64_t now = kStart;
  CHECK(after(pacing, cpu(0.6), 100, now) == 10'000);
  CHECK(after(pacing, cpu(0.01), 60, now) == 10'000);
  CHECK(after(pacing, cpu(0.01), 1, now) == 5000);
  CHECK(after(pacing, cpu(0.01), 61, now) == 2000);
  CHECK(after(pacing, cpu(0.18), 1000, now) == 2000);  // at twice as many messages 0.36 of 0.5: too close
  CHECK(after(pacing, cpu(0.16), 61, now) == 1000);
}

TEST_CASE("a load that follows the number of messages comes to rest, whatever it is") {
  for (int percent = 1; percent <= 300; ++percent) {
    CAPTURE(percent);
    const double at_one_second = percent / 100.0;
    Pacing pacing;
    int changes = 0;
    std::uint32_t interval = 1000;
    for (std::int64_t s = 1; s <= 3600; ++s) {
      const double ratio = at_one_second * (0.2 + 0.8 * 1000 / interval);  // a part does not shrink
      const std::uint32_t next = pacing.decide(cpu(std::min(ratio, 1.0)), kStart + s * 1000);
      changes += next != interval ? 1 : 0;
      interval = next;
    }
    CHECK(changes <= 3);
  }
}

TEST_CASE("a fleet that grows is slowed at once, and stays so however idle the CPUs are") {
  Pacing pacing;
  LoadFigures figures = cpu(0.01);
  std::int64_t now = kStart;
  CHECK(after(pacing, figures, 1, now) == 1000);
  figures.streams = 10'000;
  CHECK(after(pacing, figures, 1, now) == 5000);
  CHECK(after(pacing, figures, 1000, now) == 5000);
  figures.streams = 100;
  CHECK(after(pacing, figures, 130, now) == 1000);
}

TEST_CASE("a clock that is set back holds nothing up for long") {
  Pacing pacing;
  std::int64_t now = kStart;
  CHECK(after(pacing, cpu(0.9), 3, now) == 1000);
  now -= 3'600'000;
  CHECK(after(pacing, cpu(0.9), 7, now) == 2000);
}
