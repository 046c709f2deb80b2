#include "aggregator/fleet/host_state.h"

#include "tests/support/catch.h"

using namespace vigil::aggregator;

namespace {

constexpr std::int64_t kStart = 1'000'000;

HostFacts heard(std::int64_t beat_ms) {
  HostFacts facts;
  facts.presence = Presence::heard;
  facts.last_rows_ms = kStart;
  facts.beat_ms = beat_ms;
  return facts;
}

}  // namespace

TEST_CASE("a host is up, then late after three beats, then down after fifteen seconds") {
  const HostFacts facts = heard(1000);
  const auto after = [&](std::int64_t ms) { return judge(facts, kStart + ms); };
  CHECK(after(0) == HostState::up);
  CHECK(after(2999) == HostState::up);
  CHECK(after(3000) == HostState::late);
  CHECK(after(14'999) == HostState::late);
  CHECK(after(15'000) == HostState::down);
  CHECK(after(86'400'000) == HostState::down);
}

TEST_CASE("slow deliveries make neither late nor down early, and late comes before down") {
  const HostFacts facts = heard(10'000);
  const auto after = [&](std::int64_t ms) { return judge(facts, kStart + ms); };
  CHECK(after(29'999) == HostState::up);
  CHECK(after(30'000) == HostState::late);
  CHECK(after(39'999) == HostState::late);
  CHECK(after(40'000) == HostState::down);
}

TEST_CASE("a host that said goodbye is left, however long ago") {
  HostFacts facts = heard(1000);
  facts.left = true;
  CHECK(judge(facts, kStart) == HostState::left);
  CHECK(judge(facts, kStart + 86'400'000) == HostState::left);
  CHECK_FALSE(has_verdict(facts, HostState::left));
}

TEST_CASE(
    "after a start nothing is known of a host: it is late without a verdict, and down only when time has "
    "passed") {
  HostFacts facts = heard(1000);
  facts.presence = Presence::unknown;
  CHECK(judge(facts, kStart + 1) == HostState::late);
  CHECK_FALSE(has_verdict(facts, HostState::late));
  // Until then it may be waiting for its turn to dial.
  CHECK(judge(facts, kStart + 74'999) == HostState::late);
  CHECK(judge(facts, kStart + 75'000) == HostState::down);
  CHECK(has_verdict(facts, HostState::down));
}

TEST_CASE("our clock set back makes nobody late") {
  CHECK(judge(heard(1000), kStart - 3'600'000) == HostState::up);
}
