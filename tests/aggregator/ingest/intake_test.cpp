#include "aggregator/ingest/intake.h"

#include "tests/aggregator/ingest/intake_fixture.h"
#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator;
using namespace vigil::aggregator::testing;

TEST_CASE("an agent connects, sends, is acknowledged, and its samples are in the head") {
  IntakeFixture f;
  FakeAgent agent;
  const auto link = f.connect(agent);
  REQUIRE(link->welcomes.size() == 1);
  CHECK(link->welcomes[0].durable_seq() == 0);
  CHECK(link->welcomes[0].max_series() == 20'000);
  f.send(link, agent.schema());
  f.send(link, agent.batch({kT0}, true));
  f.send(link, agent.batch({kT0 + 1000, kT0 + 2000}));
  CHECK(link->acks == std::vector<std::uint64_t>{1, 2});
  CHECK(link->taken_count == 3);
  CHECK(f.values("m1") == "0 1 2 ");
  CHECK(f.counters.samples.value() == 6);
  CHECK(f.shards.at(0).find("web-1")->state == HostState::up);
}

TEST_CASE("a series that a new schema leaves out goes stale, one it brings begins") {
  IntakeFixture f;
  FakeAgent agent;
  const auto link = f.connect(agent);
  f.send(link, agent.schema());
  f.send(link, agent.batch({kT0}, true));
  agent.set_width(1);
  f.send(link, agent.schema());
  f.send(link, agent.batch({kT0 + 1000}));
  CHECK(f.values("m0") == "0 1 ");
  CHECK(f.values("m1") == "0 stale ");
}

TEST_CASE("what comes again over a new connection is stored once and acknowledged again") {
  IntakeFixture f;
  FakeAgent agent;
  const auto first = f.connect(agent);
  const v1::AgentMessage schema = agent.schema();
  const v1::AgentMessage one = agent.batch({kT0}, true);
  const v1::AgentMessage two = agent.batch({kT0 + 1000});
  f.send(first, schema);
  f.send(first, one);
  f.send(first, two);
  f.intake.closed(first.get(), kT0);
  const auto second = f.connect(agent, kT0 + 1000, "10.0.0.1:2", 1);
  CHECK(second->welcomes.at(0).durable_seq() == 2);
  f.send(second, schema);
  f.send(second, one);
  f.send(second, two);
  f.send(second, agent.batch({kT0 + 2000}));
  CHECK(second->acks == std::vector<std::uint64_t>{2, 2, 3});
  CHECK(f.values("m0") == "0 1 2 ");
  CHECK(f.counters.repeated_batches.value() == 2);
}

TEST_CASE("two agents with one name: the second is refused and reported while the first is live") {
  IntakeFixture f;
  FakeAgent agent("web-1", 'a');
  FakeAgent twin("web-1", 'b');
  twin.machine = GENERATE('m', 'n');
  const auto first = f.connect(agent, kT0, "10.0.0.1:1");
  const auto second = f.connect(twin, kT0 + 1000, "10.0.0.2:1");
  REQUIRE(second->refusals.size() == 1);
  CHECK(second->refusals[0].code == v1::Refusal::CODE_DUPLICATE);
  CHECK(second->refusals[0].retry_after_ms > 0);
  CHECK(second->welcomes.empty());
  const Host& host = *f.shards.at(0).find("web-1");
  CHECK(host.duplicates == 1);
  CHECK(host.duplicate_remote == "10.0.0.2:1");
  CHECK(f.counters.duplicates.value() == 1);
  // The first is not disturbed, and the second may come once the first is gone.
  f.send(first, agent.schema());
  f.send(first, agent.batch({kT0}, true));
  CHECK(first->acks == std::vector<std::uint64_t>{1});
  f.intake.closed(second.get(), kT0);
  f.intake.closed(first.get(), kT0);
  const auto third = f.connect(twin, kT0 + 2000);
  CHECK(third->welcomes.size() == 1);
  CHECK(third->welcomes[0].durable_seq() == 0);  // its numbers are its own
}

TEST_CASE("the same agent takes over from its own half-open connection, anybody from a silent one") {
  IntakeFixture f;
  FakeAgent agent("web-1", 'a');
  const auto first = f.connect(agent);
  const auto again = f.connect(agent, kT0 + 1000);
  CHECK(again->welcomes.size() == 1);
  REQUIRE(first->refusals.size() == 1);
  CHECK(first->refusals[0].code == v1::Refusal::CODE_UNAVAILABLE);
  const auto other = f.connect(FakeAgent("web-1", 'b'), kT0 + 7000);
  CHECK(other->welcomes.size() == 1);
  CHECK(f.intake.streams() == 1);
  f.intake.closed(first.get(), kT0 + 7000);  // late words of the first change nothing
  CHECK(f.shards.at(0).find("web-1")->connected);
}

TEST_CASE(
    "a Hello that the network delivers after its agent came back takes nothing from the newer connection") {
  IntakeFixture f;
  FakeAgent agent;
  const FakeAgent before = agent;
  const auto live = f.connect(agent);
  f.send(live, agent.schema());
  f.send(live, agent.batch({kT0}, true));
  const auto stale = f.connect(before, kT0 + 100);
  REQUIRE(stale->refusals.size() == 1);
  CHECK(stale->refusals[0].message == "this stream went on over a newer connection");
  CHECK(live->refusals.empty());
  f.send(live, agent.batch({kT0 + 1000}));
  CHECK(f.values("m0") == "0 1 ");
  // The machine was set back to an earlier state: nothing else speaks for the stream any more.
  const auto restored = f.connect(before, kT0 + 60'000);
  REQUIRE(restored->refusals.size() == 1);
  CHECK(restored->refusals[0].code == v1::Refusal::CODE_PROTOCOL);
  CHECK(live->refusals.size() == 1);
}

TEST_CASE("hostile bytes end their own stream only, and are counted") {
  IntakeFixture f;
  FakeAgent good("web-1");
  FakeAgent evil("web-2");
  const auto good_link = f.connect(good);
  const auto evil_link = f.connect(evil);
  f.intake.feed(evil_link.get(), std::string("\xff\xfe\xfd", 3), kT0);
  REQUIRE(evil_link->refusals.size() == 1);
  CHECK(evil_link->refusals[0].code == v1::Refusal::CODE_PROTOCOL);
  f.intake.feed(evil_link.get(), "more", kT0);
  CHECK(evil_link->refusals.size() == 1);
  CHECK_FALSE(f.shards.at(0).find("web-2")->connected);
  f.send(good_link, good.schema());
  f.send(good_link, good.batch({kT0}, true));
  CHECK(good_link->acks.size() == 1);
  CHECK(f.registry.exposition().find("vigil_aggregator_refused_total{reason=\"protocol\"} 1\n") !=
        std::string::npos);
}

TEST_CASE("rows from the far future or beyond retention are refused one by one; the stream goes on") {
  ShardOptions options;
  options.retention_ms = 3'600'000;
  IntakeFixture f(options);
  FakeAgent agent;
  const auto link = f.connect(agent);
  f.send(link, agent.schema());
  f.send(link, agent.batch({kT0 - 3'601'000, kT0 - 1000, kT0, kT0 + 601'000}, true));
  CHECK(link->acks == std::vector<std::uint64_t>{1});
  CHECK(f.values("m0") == "-1 0 ");
  CHECK(f.counters.rows_too_old.value() == 1);
  CHECK(f.counters.rows_in_future.value() == 1);
  CHECK(f.shards.at(0).find("web-1")->skew.seconds() == Approx(601));
}

TEST_CASE("an agent that sends too much is read more slowly, and nothing of it is lost") {
  IntakeOptions slow;
  slow.bytes_per_second = 100;  // a burst of 1,600 bytes
  IntakeFixture f({}, slow);
  FakeAgent agent;
  const auto link = f.connect(agent);
  f.send(link, agent.schema());
  for (int i = 0; i < 200; ++i) f.send(link, agent.batch({kT0 + i * 1000}, i == 0));
  const int taken = link->taken_count;
  CHECK(taken < 201);
  CHECK(f.counters.throttled.value() > 0);
  f.intake.resume(kT0 + 1000);
  CHECK(link->taken_count > taken);
  for (int s = 2; s < 200 && link->taken_count < 201; ++s) f.intake.resume(kT0 + s * 1000);
  CHECK(link->taken_count == 201);
  CHECK(link->acks.back() == 200);
  CHECK(f.counters.rows.value() == 200);
}

TEST_CASE("an agent that says goodbye has left, and is back when it connects again") {
  IntakeFixture f;
  FakeAgent agent;
  const auto link = f.connect(agent);
  f.send(link, agent.schema());
  f.send(link, agent.batch({kT0}, true));
  f.send(link, FakeAgent::bye());
  f.intake.closed(link.get(), kT0 + 1000);
  f.shards.at(0).tick(kT0 + 60'000);
  CHECK(f.shards.at(0).find("web-1")->state == HostState::left);
  f.connect(agent, kT0 + 61'000, "10.0.0.1:2", 1);
  f.shards.at(0).tick(kT0 + 61'000);
  CHECK(f.shards.at(0).find("web-1")->state == HostState::up);  // not down for having been away
}

TEST_CASE("an agent is asked for an action over its live stream, and what it answers is told with its name") {
  std::vector<std::string> answers;
  IntakeOptions options;
  options.on_answer = [&answers](const std::string& host, const v1::ActionResult& result) {
    answers.push_back(host + " " + result.id());
  };
  IntakeFixture f({}, options);
  FakeAgent agent;
  v1::ActionRequest action;
  action.set_id("7");
  CHECK(f.intake.request("web-1", action).error().message == "the agent of web-1 is not connected");
  const auto link = f.connect(agent);
  REQUIRE(f.intake.request("web-1", action));
  REQUIRE(link->requests.size() == 1);
  CHECK(link->requests[0].id() == "7");
  v1::AgentMessage answer;
  answer.mutable_result()->set_id("7");
  f.send(link, answer);
  CHECK(answers == std::vector<std::string>{"web-1 7"});
  f.intake.closed(link.get(), kT0 + 1000);
  CHECK_FALSE(f.intake.request("web-1", action));
}

TEST_CASE("rows after a goodbye are refused: their series have ended") {
  IntakeFixture f;
  FakeAgent agent;
  const auto link = f.connect(agent);
  f.send(link, agent.schema());
  f.send(link, agent.batch({kT0}, true));
  f.send(link, FakeAgent::bye());
  f.send(link, agent.batch({kT0 + 1000}));
  REQUIRE(link->refusals.size() == 1);
  CHECK(link->refusals[0].message.find("after Bye") != std::string::npos);
}

TEST_CASE("an agent is told how often to deliver") {
  IntakeFixture f;
  f.delivery = 5000;
  CHECK(f.connect(FakeAgent())->welcomes.at(0).delivery_interval_ms() == 5000);
  CHECK(f.shards.at(0).find("web-1")->facts.beat_ms == 5000);
}

TEST_CASE(
    "a new host past the limit is refused with its key, counted, and told no time: its back-off decides") {
  ShardOptions options;
  options.enrol = {25'000, 1};  // two at once
  IntakeFixture f(options);
  for (const char* name : {"web-1", "web-2"}) CHECK(f.connect(FakeAgent(name))->welcomes.size() == 1);
  const auto refused = f.connect(FakeAgent("web-3"));
  REQUIRE(refused->refusals.size() == 1);
  CHECK(refused->refusals[0].code == v1::Refusal::CODE_FULL);
  CHECK(refused->refusals[0].retry_after_ms == 0);
  CHECK(refused->refusals[0].message.find("ingest.max_new_hosts") != std::string::npos);
  CHECK(f.registry.exposition().find("vigil_aggregator_refused_total{reason=\"full\"} 1\n") !=
        std::string::npos);
  CHECK(f.connect(FakeAgent("web-1"), kT0, "10.0.0.1:2")->welcomes.size() == 1);  // a known one always may
  CHECK(f.connect(FakeAgent("web-3"), kT0 + 60'000)->welcomes.size() == 1);
}
