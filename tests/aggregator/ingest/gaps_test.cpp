// What the aggregator cannot keep is declared, within bounds.
#include "tests/aggregator/ingest/intake_fixture.h"
#include "tests/aggregator/ingest/life.h"
#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator;
using namespace vigil::aggregator::testing;

namespace {

/// Sends at a time of ours that is not kT0.
void send_at(Life& life, const std::shared_ptr<FakeLink>& link, const v1::AgentMessage& message,
             std::int64_t now_ms) {
  life.intake->feed(link.get(), message.SerializeAsString(), now_ms);
}

std::vector<GapRecord> gaps_of(Life& life) {
  life.commit();
  return life.history->gaps(0, 0, std::numeric_limits<std::int64_t>::max()).value();
}

/// An agent that tells of a collector.
FakeAgent agent_with_collector(const std::string& name = "web-1", char stream = 's') {
  FakeAgent agent(name, stream);
  agent.named = {
      {"node_scrape_collector_success", {{"collector", "cpu"}}, SeriesType::gauge, Encoding::decimal, 0}};
  return agent;
}

/// Rows of the seconds [from, to) after kT0.
std::vector<std::int64_t> rows(std::int64_t from_s, std::int64_t to_s) {
  std::vector<std::int64_t> times;
  for (std::int64_t s = from_s; s < to_s; ++s) times.push_back(kT0 + s * 1000);
  return times;
}

std::string told(FleetView& view, std::int64_t end_ms, const std::string& host = "") {
  const auto gaps = view.gaps({host, kT0, end_ms, end_ms, {}});
  REQUIRE(gaps);
  std::string text;
  for (const HostGap& gap : gaps->gaps)
    text += fmt::format("{} {} {}-{}\n", gap.host, gap.reason, (gap.first_ms - kT0) / 1000,
                        (gap.last_ms - kT0) / 1000);
  return text;
}

}  // namespace

TEST_CASE("rows with times nobody can use are acknowledged and declared, as one gap while it lasts") {
  const TemporaryFolder folder;
  Life life(folder.path());
  FakeAgent agent;
  const auto link = life.connect(agent);
  life.send(link, agent.schema());
  send_at(life, link, agent.batch({kT0}, true), kT0);
  constexpr std::int64_t kAhead = 7'200'000;
  for (int s = 1; s <= 20; ++s) send_at(life, link, agent.batch({kT0 + kAhead + s * 1000}), kT0 + s * 1000);
  CHECK(gaps_of(life).empty());
  send_at(life, link, agent.batch({kT0 + 21'000}), kT0 + 21'000);
  CHECK(gaps_of(life) == std::vector<GapRecord>{{0, kT0 + 1000, kT0 + 20'000, "clock"}});
  CHECK(link->acks.back() == 22);
  CHECK(life.values("m0") == "0 21 ");
}

TEST_CASE("time of refused rows is stored each minute and when the agent goes, not only when it is over") {
  const TemporaryFolder folder;
  Life life(folder.path());
  FakeAgent agent;
  const auto link = life.connect(agent);
  life.send(link, agent.schema());
  send_at(life, link, agent.batch({kT0 + 7'200'000}, true), kT0);
  send_at(life, link, agent.batch({kT0 + 7'300'000}), kT0 + 60'000);
  CHECK(gaps_of(life) == std::vector<GapRecord>{{0, kT0, kT0 + 60'000, "clock"}});
  send_at(life, link, agent.batch({kT0 + 7'400'000}), kT0 + 70'000);
  life.intake->closed(link.get(), kT0 + 71'000);
  CHECK(gaps_of(life).back() == GapRecord{0, kT0 + 60'000, kT0 + 70'000, "clock"});
}

TEST_CASE("a declared gap ends when rows could, at the latest") {
  const TemporaryFolder folder;
  Life life(folder.path());
  FakeAgent agent;
  const auto link = life.connect(agent);
  v1::AgentMessage gap = FakeAgent::gap(1, 2, 7'000'000'000'000);
  gap.mutable_gap()->set_first_time_ms(kT0 - 1000);
  life.send(link, gap);
  CHECK(gaps_of(life) == std::vector<GapRecord>{{0, kT0 - 1000, kT0 + 600'000, "aggregator_lost"}});
}

TEST_CASE("who declares gaps without end, over ever new connections, has them stored as one") {
  const TemporaryFolder folder;
  Life life(folder.path());
  std::uint64_t seq = 1;
  std::shared_ptr<FakeLink> link;
  for (int connection = 0; connection < 5; ++connection) {
    FakeAgent agent;
    agent.skip(seq - 1);
    link = life.connect(agent);
    for (int i = 0; i < 300; ++i, ++seq) {
      v1::AgentMessage gap = FakeAgent::gap(seq, seq, kT0 - 100'000 + static_cast<std::int64_t>(seq));
      gap.mutable_gap()->set_first_time_ms(kT0 - 200'000);
      life.send(link, gap);
    }
  }
  CHECK(gaps_of(life).size() == 201);  // one more when the first of them went
  CHECK(life.host().gap_batches == 1500);
  life.intake->closed(link.get(), kT0);
  CHECK(gaps_of(life).size() == 201);
  FakeAgent agent;
  agent.skip(seq - 1);
  link = life.connect(agent);
  life.send(link, agent.schema());
  send_at(life, link, agent.batch({kT0}, true), kT0 + 60'000);  // now it may be
  const auto stored = gaps_of(life);
  CHECK(stored.size() == 202);
  CHECK(stored.back() == GapRecord{0, kT0 - 200'000, kT0 - 100'000 + 1500, "aggregator_lost"});
}

TEST_CASE("a clock that jumps back in every row slows its own agent, also over a new connection") {
  IntakeFixture f;
  FakeAgent agent;
  auto link = f.connect(agent);
  f.send(link, agent.schema());
  std::vector<std::int64_t> falling;
  for (int i = 0; i < 500; ++i) {
    falling.push_back(kT0 - i * 10);
    f.send(link, agent.batch({falling.back()}, i == 0));
  }
  CHECK(link->taken_count == 501);
  for (int i = 500; i < 3000; ++i) f.send(link, agent.batch({kT0 - i * 10}));
  const int taken = link->taken_count;
  CHECK(taken < 1200);  // 16 MiB at 16 KiB each
  CHECK(f.shards.at(0).find("web-1")->head.closed_blocks() < 1200);

  f.intake.closed(link.get(), kT0);
  link = f.connect(agent, kT0, "10.0.0.1:2", 1);
  f.send(link, agent.schema());
  CHECK(link->taken_count == 0);  // what it owes it owes still
  f.intake.resume(kT0 + 2000);
  CHECK(link->taken_count == 1);
  // Nobody else waits for it.
  FakeAgent other("web-2");
  const auto good = f.connect(other);
  f.send(good, other.schema());
  f.send(good, other.batch({kT0}, true));
  CHECK(good->taken_count == 2);
}

TEST_CASE("of more gaps than an answer may hold those that ended last are told, and that there are more") {
  const TemporaryFolder folder;
  Life life(folder.path());
  FakeAgent agent;
  FakeAgent other("web-2");
  for (FakeAgent* each : {&agent, &other}) {
    const auto link = life.connect(*each);
    life.send(link, each->schema());
    send_at(life, link, each->batch({kT0}, true), kT0);
  }
  const auto put = [&life](const std::string& host, std::int64_t first_ms) {
    REQUIRE(life.history->put_gap({life.host(host).record.id, first_ms, first_ms + 500, "agent_lost"}));
  };
  for (std::size_t i = 0; i < HostGaps::kMost; ++i) put("web-1", kT0 + static_cast<std::int64_t>(i) * 1000);
  put("web-2", kT0 + 5);
  life.commit();
  life.shards->at(0).worker().start();
  FleetView view(*life.shards, life.history.get());
  const auto few = view.gaps({"web-2", 0, kT0 * 2, kT0, {}});
  REQUIRE(few);
  CHECK(few->gaps.size() == 1);
  CHECK_FALSE(few->truncated);
  const auto all = view.gaps({"", 0, kT0 * 2, kT0, {}});
  REQUIRE(all);
  CHECK(all->truncated);
  REQUIRE(all->gaps.size() == HostGaps::kMost);
  CHECK(all->gaps.front().first_ms == kT0 + 1000);  // the oldest went
  CHECK(all->gaps.back().host == "web-2");
}

TEST_CASE("while nothing came the agent was down, and what comes later closes the gap") {
  const TemporaryFolder folder;
  Life life(folder.path());
  FakeAgent agent = agent_with_collector();
  FakeAgent next = agent_with_collector("web-1", 't');
  auto link = life.connect(agent);
  life.send(link, agent.schema());
  life.send(link, agent.batch(rows(1, 20), true));
  const std::int64_t later = kT0 + 100'000;
  life.intake->closed(link.get(), kT0 + 20'000);
  link = life.connect(next);
  life.send(link, next.schema());
  life.send(link, next.batch(rows(60, 100), true));
  life.shards->at(0).worker().start();
  FleetView view(*life.shards, life.history.get());
  CHECK(told(view, later) == "web-1 agent_down 20-59\n");
  CHECK(told(view, kT0 + 40'000) == "web-1 agent_down 20-40\n");
  CHECK(told(view, later, "web-1") == told(view, later));
  CHECK_FALSE(view.gaps({"web-9", kT0, later, later, {}}));
}

TEST_CASE("what was declared is not told of a second time as silence") {
  const TemporaryFolder folder;
  Life life(folder.path());
  FakeAgent agent = agent_with_collector();
  const auto link = life.connect(agent);
  life.send(link, agent.schema());
  life.send(link, agent.batch(rows(1, 20), true));
  life.send(link, agent.batch(rows(60, 80)));
  REQUIRE(life.history->put_gap({0, kT0 + 20'000, kT0 + 40'000, "buffer_full"}));
  life.commit();
  life.shards->at(0).worker().start();
  FleetView view(*life.shards, life.history.get());
  CHECK(told(view, kT0 + 80'000) == "web-1 buffer_full 20-40\nweb-1 agent_down 41-59\n");
}

TEST_CASE("while the aggregator was away it is the one that was down, and the agent before and after") {
  const TemporaryFolder folder;
  const auto run = [&](std::int64_t start_s, std::int64_t end_s, const std::vector<std::int64_t>& times,
                       char stream) {
    Life life(folder.path(), kT0 + start_s * 1000, {}, kT0 + start_s * 1000);
    FakeAgent agent = agent_with_collector("web-1", stream);
    const auto link = life.connect(agent);
    life.send(link, agent.schema());
    send_at(life, link, agent.batch(times, true), times.back());
    life.clock = kT0 + end_s * 1000;
    life.commit();
    life.shards->at(0).worker().start();
    FleetView view(*life.shards, life.history.get());
    return told(view, kT0 + end_s * 1000);
  };
  CHECK(run(0, 100, rows(1, 30), 's') == "");
  CHECK(run(200, 300, rows(260, 300), 't') ==
        "web-1 agent_down 30-99\nweb-1 aggregator_down 100-200\nweb-1 agent_down 200-259\n");
}

TEST_CASE("an agent that is down before and after a short restart of the aggregator is down meanwhile") {
  const TemporaryFolder folder;
  const auto live = [&](std::int64_t start_s, std::int64_t end_s, const std::vector<std::int64_t>& times,
                        char stream) {
    Life life(folder.path(), kT0 + start_s * 1000, {}, kT0 + start_s * 1000);
    FakeAgent agent = agent_with_collector("web-1", stream);
    if (!times.empty()) {
      const auto link = life.connect(agent);
      life.send(link, agent.schema());
      send_at(life, link, agent.batch(times, true), times.back());
    }
    life.clock = kT0 + end_s * 1000;
    life.commit();
    life.shards->at(0).worker().start();
    FleetView view(*life.shards, life.history.get());
    return told(view, kT0 + end_s * 1000);
  };
  live(0, 60, rows(1, 20), 's');
  live(70, 100, {}, 's');
  CHECK(live(105, 200, rows(150, 200), 't') == "web-1 agent_down 20-149\n");
}
