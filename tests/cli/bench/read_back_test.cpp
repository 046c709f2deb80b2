#include "cli/bench/read_back.h"

#include "tests/cli/bench/fake_history.h"
#include "tests/support/catch.h"

namespace vigil::cli {
namespace {

constexpr std::int64_t kStart = 1'700'000'000'000;

/// Three agents of four series, 30 rows each; one row more of each was sent and not acknowledged.
struct Run {
  Run() : replay(*Replay::create(synthetic_trace(20, 4), 4)), sent{&replay, kStart, 1000, {}} {
    for (const char* name : {"a", "b", "c"}) sent.agents.push_back({name, 3, 30, 31});
    history.store(sent);
  }
  ReadBack read(const ReadBackLimits& limits) {
    auto read = read_back(history, sent, limits, [](std::size_t, std::size_t) { return true; });
    REQUIRE(read);
    return *read;
  }
  Replay replay;
  Sent sent;
  testing::FakeHistory history;
};

/// Both ways of looking: value by value, and by number.
ReadBackLimits way() {
  ReadBackLimits limits;
  if (GENERATE(false, true)) limits.compared_samples = 0;  // one agent, then
  return limits;
}

}  // namespace

TEST_CASE("nothing is lost or doubled when all is there") {
  Run run;
  const ReadBack read = run.read(way());
  CHECK(read.lost == 0);
  CHECK(read.doubled == 0);
  CHECK(read.example.empty());
  CHECK(read.compared_agents + read.counted_agents == 3);
  CHECK(read.samples == 3 * 4 * 30);
}

TEST_CASE("what was sent and not acknowledged may be there or not") {
  Run run;
  run.sent.agents[2].acked_rows = 29;
  CHECK(run.read(way()).lost + run.read(way()).doubled == 0);
}

TEST_CASE("one sample that is missing is found, whichever") {
  Run run;
  const auto limits = way();
  const auto agent = GENERATE("a", "b", "c");
  const auto row = GENERATE(0, 13, 29);
  auto& points = run.history.points(agent, 2);
  points.erase(points.begin() + row);
  const ReadBack read = run.read(limits);
  CHECK(read.lost == 1);
  CHECK(read.doubled == 0);
  CHECK_THAT(read.example, Catch::StartsWith(fmt::format("{} series 2: ", agent)));
}

TEST_CASE("one sample that is there twice is found") {
  Run run;
  auto limits = way();
  const auto agent = GENERATE("a", "c");
  auto& points = run.history.points(agent, 1);
  points.insert(points.begin() + 5, points[5]);
  points.insert(points.begin() + 5, points[5]);
  const ReadBack read = run.read(limits);
  CHECK(read.lost == 0);
  CHECK(read.doubled >= 1);
}

TEST_CASE("a series that is not there at all is lost as a whole") {
  Run run;
  run.history.stored.erase({"b", "3"});
  CHECK(run.read(way()).lost == 30);
}

TEST_CASE("another value than the one sent counts as lost") {
  Run run;
  run.history.points("b", 0)[7].value += 1;
  const ReadBack read = run.read({});
  CHECK(read.lost == 1);
  CHECK(read.wrong == 1);
  CHECK_THAT(read.example, Catch::Contains("sent was"));
}

TEST_CASE("a sample at a time that was never sent is one too many") {
  Run run;
  run.history.points("a", 0).push_back({kStart + 500, 1});
  CHECK(run.read({}).doubled == 1);
}

TEST_CASE("more agents than the limits allow are read in part, and it says so") {
  Run run;
  ReadBackLimits limits;
  limits.compared_samples = 31 * 4;
  limits.counted_samples = 31 * 4;
  const ReadBack read = run.read(limits);
  CHECK(read.compared_agents == 1);
  CHECK(read.counted_agents == 1);
  CHECK(read.samples == 2 * 4 * 30);
}

TEST_CASE("counting asks for as many agents at once as one query may hold") {
  Run run;
  ReadBackLimits limits;
  limits.compared_samples = 0;
  run.read(limits);
  CHECK(run.history.asked.size() == 2);  // one compared, two counted
  run.history.asked.clear();
  limits.samples_at_once = 31 * 4;
  run.read(limits);
  CHECK(run.history.asked.size() == 3);
}

TEST_CASE("many agents are asked for by short regular expressions") {
  Run run;
  for (int i = 3; i < 400; ++i)
    run.sent.agents.push_back({fmt::format("host-of-some-fleet-{:05}", i), 3, 30, 31});
  for (int i = 0; i < 3; ++i)
    run.sent.agents[static_cast<std::size_t>(i)].name = fmt::format("host-of-some-fleet-{:05}", i);
  run.history.stored.clear();
  run.history.store(run.sent);
  ReadBackLimits limits;
  limits.compared_samples = 0;
  const ReadBack read = run.read(limits);
  CHECK(read.counted_agents == 399);
  CHECK(read.lost == 0);
  CHECK(run.history.asked.size() <= 5);
}

}  // namespace vigil::cli
