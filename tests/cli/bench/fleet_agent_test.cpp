#include "cli/bench/fleet_agent.h"

#include "tests/support/catch.h"

namespace vigil::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kT0 = 1'700'000'000'000;

/// An agent in front of an aggregator that the test plays.
struct Talk {
  explicit Talk(milliseconds interval = seconds(1)) : plan{&replay, "abc", interval, kT0}, agent(plan, 7) {}

  v1::AgentMessage next() {
    v1::AgentMessage message;
    const auto bytes = agent.next(now, kT0);
    if (bytes) REQUIRE(message.ParseFromString(*bytes));
    return message;
  }
  std::optional<Goodbye> welcome(std::uint64_t durable, std::uint32_t delivery_ms = 1000) {
    v1::AggregatorMessage message;
    message.mutable_welcome()->set_durable_seq(durable);
    message.mutable_welcome()->set_delivery_interval_ms(delivery_ms);
    return agent.received(message, now, waited);
  }
  std::optional<Goodbye> ack(std::uint64_t durable) {
    v1::AggregatorMessage message;
    message.mutable_ack()->set_durable_seq(durable);
    return agent.received(message, now, waited);
  }
  /// Connects and is welcomed.
  void connect(std::uint64_t durable = 0) {
    REQUIRE(next().has_hello());
    REQUIRE_FALSE(welcome(durable));
  }

  Replay replay = *Replay::create(synthetic_trace(20, 5), 5);
  FleetPlan plan;
  FleetAgent agent;
  FleetAgent::Time now{seconds(1000)};
  std::vector<std::chrono::microseconds> waited;
};

}  // namespace

TEST_CASE("a simulated agent says hello, then its schema, then batches in order") {
  Talk talk;
  const v1::AgentMessage hello = talk.next();
  CHECK(hello.hello().name() == "vigil-bench-abc-00007");
  CHECK(hello.hello().machine_id().size() == 16);
  CHECK(hello.hello().stream_id().size() == 16);
  CHECK(hello.hello().next_seq() == 1);
  CHECK(hello.hello().first_kept_seq() == 0);
  talk.agent.deliver_to(0);
  CHECK(talk.next().kind_case() == v1::AgentMessage::KIND_NOT_SET);  // not welcomed yet
  talk.welcome(0);
  CHECK(talk.next().has_schema());
  talk.agent.deliver_to(2);
  CHECK(talk.next().batch().keyframe());
  const v1::AgentMessage second = talk.next();
  CHECK(second.batch().seq() == 2);
  CHECK_FALSE(second.batch().keyframe());
  CHECK(second.batch().sources(0).first_time_ms() == kT0 + 1000);
  CHECK(second.batch().sources(0).step_ms_size() == 1);
  CHECK(talk.agent.sent_rows() == 3);
  CHECK(talk.agent.durable_rows() == 0);
}

TEST_CASE("an acknowledgement tells how long its batches waited") {
  Talk talk;
  talk.connect();
  talk.agent.deliver_to(0);
  talk.next();
  talk.next();
  talk.now += milliseconds(30);
  talk.agent.deliver_to(1);
  talk.next();
  CHECK_FALSE(talk.agent.idle());
  talk.now += milliseconds(40);
  CHECK_FALSE(talk.ack(2));
  CHECK(talk.waited == std::vector<std::chrono::microseconds>{milliseconds(70), milliseconds(40)});
  CHECK(talk.agent.durable_rows() == 2);
  CHECK(talk.agent.all_durable());
  CHECK(talk.agent.idle());
  CHECK(talk.ack(3)->reason == "protocol: Ack of a batch never made");
}

TEST_CASE("after a lost connection an agent goes on with the keyframe before what is not durable") {
  Talk talk;
  talk.connect();
  for (std::uint64_t beat = 0; beat < 70; ++beat) {
    talk.agent.deliver_to(beat);
    if (beat == 0) talk.next();
    talk.next();
  }
  talk.ack(65);
  talk.agent.lost(Goodbye{"unavailable"}, 0.5);
  const v1::AgentMessage hello = talk.next();
  CHECK(hello.hello().first_kept_seq() == 61);
  CHECK(hello.hello().next_seq() == 71);
  CHECK(hello.hello().durable_seq() == 65);
  talk.welcome(66);
  CHECK(talk.next().has_schema());
  const v1::AgentMessage first = talk.next();
  CHECK(first.batch().seq() == 61);
  CHECK(first.batch().keyframe());
  CHECK(first.batch().sources(0).first_time_ms() == kT0 + 60'000);
  for (std::uint64_t seq = 62; seq <= 70; ++seq) CHECK(talk.next().batch().seq() == seq);
  CHECK(talk.agent.sent_rows() == 70);
  CHECK(talk.agent.durable_rows() == 66);
}

TEST_CASE("an agent delivers as often as the aggregator asks") {
  Talk talk;
  talk.next();
  talk.welcome(0, 10'000);
  CHECK(talk.agent.delivers_at(0));
  for (std::uint64_t beat = 1; beat < 10; ++beat) CHECK_FALSE(talk.agent.delivers_at(beat));
  CHECK(talk.agent.delivers_at(10));
  CHECK_FALSE(talk.agent.idle());  // that long it waits for the answer
  talk.agent.deliver_to(0);
  talk.next();
  talk.next();
  talk.agent.deliver_to(10);
  CHECK(talk.next().batch().sources(0).step_ms_size() == 9);
}

TEST_CASE("a refusal is said, and waited for as long as it asks") {
  Talk talk;
  talk.next();
  v1::AggregatorMessage message;
  message.mutable_refusal()->set_code(v1::Refusal::CODE_FULL);
  message.mutable_refusal()->set_message("600 new hosts a minute");
  message.mutable_refusal()->set_retry_after_ms(5000);
  const auto goodbye = talk.agent.received(message, talk.now, talk.waited);
  REQUIRE(goodbye);
  CHECK(goodbye->reason == "full: 600 new hosts a minute");
  CHECK(talk.agent.lost(goodbye, 0.5) == milliseconds(5500));
  CHECK(talk.next().has_hello());
}

TEST_CASE("a silent aggregator is given up after as long as an agent waits") {
  Talk talk;
  talk.next();
  CHECK_FALSE(talk.agent.silent(talk.now + seconds(19)));
  CHECK(talk.agent.silent(talk.now + seconds(20)));
  talk.welcome(0);
  CHECK_FALSE(talk.agent.silent(talk.now + seconds(100)));
  talk.agent.deliver_to(0);
  talk.next();
  talk.next();
  CHECK_FALSE(talk.agent.silent(talk.now + seconds(29)));
  CHECK(talk.agent.silent(talk.now + seconds(30)));
}

TEST_CASE("an agent that leaves sends all it has and says goodbye") {
  Talk talk;
  talk.connect();
  talk.agent.deliver_to(0);
  talk.agent.leave();
  CHECK(talk.next().has_schema());
  CHECK(talk.next().has_batch());
  CHECK(talk.next().has_bye());
  CHECK_FALSE(talk.agent.left());
  talk.ack(1);
  CHECK(talk.agent.left());
  CHECK(talk.next().kind_case() == v1::AgentMessage::KIND_NOT_SET);
}

TEST_CASE("long rows are cut into several batches") {
  Talk talk(milliseconds(100));
  talk.connect();
  talk.agent.deliver_to(29'999);  // of 5 series: 150,000 cells
  talk.next();
  for (int i = 0; i < 3; ++i) CHECK(talk.next().batch().sources(0).deltas_size() == 50'000);
  CHECK(talk.next().kind_case() == v1::AgentMessage::KIND_NOT_SET);
}

}  // namespace vigil::cli
