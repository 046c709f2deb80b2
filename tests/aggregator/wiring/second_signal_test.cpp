#include "aggregator/second_signal.h"

#include "tests/support/catch.h"

#include <csignal>
#include <future>

namespace vigil::aggregator {
TEST_CASE("a signal that comes while something is stopping is acted on") {
  block_signals();
  const int number = GENERATE(SIGTERM, SIGINT);
  std::promise<int> seen;
  const SecondSignal second([&seen](int got) { seen.set_value(got); });
  REQUIRE(kill(getpid(), number) == 0);
  CHECK(seen.get_future().get() == number);
}

TEST_CASE("without one it ends with what was stopping") {
  block_signals();
  int calls = 0;
  {
    const SecondSignal second([&calls](int) { ++calls; });
  }
  CHECK(calls == 0);
}

}  // namespace vigil::aggregator
