#include "agent/delivery/session.h"

#include "common/delivery/backoff.h"
#include "tests/agent/delivery/model.h"
#include "tests/support/catch.h"

#include <random>

namespace vigil::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::ack;
using test::Host;
using test::Receiver;
using test::Stored;
using test::welcome;

constexpr Session::Time kStart{seconds(1000)};

Identity identity() {
  Identity me;
  me.name = "web-1";
  me.machine_id = std::string(16, 'm');
  me.stream_id = std::string(16, 's');
  return me;
}

/// A host, its buffer, and a strict aggregator, joined by sessions that may break at any message.
struct World {
  explicit World(std::size_t buffer_bytes = 1 << 20) : buffer({buffer_bytes, 0}) {}

  void sample(int ticks) {
    for (int i = 0; i < ticks; ++i) {
      host.tick(builder);
      ++rows;
      if (i % 2 == 0) builder.flush();
    }
    builder.flush();
  }
  /// One connection that carries at most `messages` messages; answers sent at the cut are lost with it.
  void connect(int messages) {
    Session session(buffer, me, kStart);
    Receiver receiver(stored);
    while (messages-- > 0) {
      const std::string* message = session.next(kStart, 1'700'000'000'000);
      if (message == nullptr) return;
      const auto answers = receiver.take(*message);
      CAPTURE(answers);
      REQUIRE(answers);
      if (messages == 0) return;
      for (const auto& answer : *answers) REQUIRE_FALSE(session.received(answer, kStart));
    }
  }

  Identity me = identity();
  Host host;
  Buffer buffer;
  BatchBuilder builder{[this](EncodedBatch batch) { buffer.push(std::move(batch)); }};
  Stored stored;
  int rows = 0;
};

bool each_second_once(const std::vector<std::int64_t>& times, int count) {
  if (times.size() != static_cast<std::size_t>(count)) return false;
  for (std::size_t i = 1; i < times.size(); ++i) {
    if (times[i] != times[i - 1] + 1000) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("connections that break at any message lose and double nothing") {
  for (int cut = 1; cut <= 40; ++cut) {
    CAPTURE(cut);
    World world;
    for (int round = 0; round < 12; ++round) {
      world.sample(5 + round * 3);
      if (round % 3 == 1) world.host.add_column();
      world.connect(cut);
    }
    world.connect(1'000'000);
    CHECK(each_second_once(world.stored.times_ms[1], world.rows));
    CHECK(world.stored.gaps.empty());
    CHECK(world.buffer.durable_seq() + 1 == world.buffer.next_seq());
  }
}

TEST_CASE("an aggregator restored from an older state gets again what is still kept, and the rest declared") {
  World world;
  world.sample(400);
  world.connect(1'000'000);
  world.stored = {};
  world.sample(2);
  world.connect(1'000'000);
  REQUIRE(world.stored.gaps.size() == 1);
  CHECK(world.stored.gaps[0].first_seq() == 1);
  CHECK(world.stored.gaps[0].reason() == "aggregator_lost");
  CHECK(world.stored.times_ms[1].size() >= 2);
  CHECK(world.stored.durable_seq + 1 == world.buffer.next_seq());
}

TEST_CASE("what a full buffer dropped is declared, and the rest arrives") {
  World world(20'000);
  world.sample(2'000);
  world.connect(10);
  world.sample(2'000);
  world.connect(1'000'000);
  REQUIRE_FALSE(world.stored.gaps.empty());
  for (const v1::Gap& gap : world.stored.gaps) {
    CHECK(gap.reason() == "buffer_full");
    CHECK(gap.first_time_ms() > 0);
    CHECK(gap.last_time_ms() > gap.first_time_ms());
  }
  CHECK(world.stored.durable_seq + 1 == world.buffer.next_seq());
}

TEST_CASE("batches dropped under a live connection are declared before it goes on") {
  World world(20'000);
  world.sample(10);
  Session session(world.buffer, world.me, kStart);
  Receiver receiver(world.stored);
  const auto pump = [&](int messages) {
    for (int i = 0; i < messages; ++i) {
      const std::string* message = session.next(kStart, 0);
      if (message == nullptr) return;
      const auto answers = receiver.take(*message);
      CAPTURE(answers);
      REQUIRE(answers);
      for (const auto& answer : *answers) REQUIRE_FALSE(session.received(answer, kStart));
    }
  };
  pump(4);
  world.sample(3'000);
  pump(1'000'000);
  CHECK(world.stored.gaps.size() == 1);
  CHECK(world.stored.durable_seq + 1 == world.buffer.next_seq());
}

TEST_CASE("Hello says who is there and what is kept") {
  World world;
  world.me.labels = {{"rack", "7"}};
  world.sample(30);
  world.connect(1);
  Session session(world.buffer, world.me, kStart);
  v1::AgentMessage message;
  REQUIRE(message.ParseFromString(*session.next(kStart, 42)));
  const v1::Hello& hello = message.hello();
  CHECK(hello.protocol() == 1);
  CHECK(hello.name() == "web-1");
  CHECK(hello.first_kept_seq() == 1);
  CHECK(hello.next_seq() == world.buffer.next_seq());
  CHECK(hello.wall_time_ms() == 42);
  CHECK(hello.labels(0).value() == "7");
  CHECK(session.next(kStart, 42) == nullptr);  // nothing before Welcome
}

TEST_CASE("a stream of an earlier run ends, also when its newest were sent and then lost from the disk") {
  World world;
  world.sample(20);
  Session session(world.buffer, world.me, kStart);
  session.back_fill();
  v1::AgentMessage message;
  REQUIRE(message.ParseFromString(*session.next(kStart, 42)));
  CHECK(message.hello().ended());
  const std::uint64_t ahead = world.buffer.next_seq() + 5;
  auto hello = welcome(ahead);
  hello.mutable_welcome()->set_backfill_credit(1 << 20);
  REQUIRE_FALSE(session.received(hello, kStart));
  REQUIRE_FALSE(session.received(ack(ahead), kStart));
  CHECK_FALSE(session.left());
  while (const std::string* next = session.next(kStart, 42)) REQUIRE(message.ParseFromString(*next));
  CHECK(message.bye().reason() == "delivered");
  CHECK(session.left());
}

TEST_CASE("back-fill keeps to its credit, message by message, and goes on when there is more") {
  World world;
  world.sample(100);
  Session session(world.buffer, world.me, kStart);
  session.back_fill();
  session.next(kStart, 0);
  REQUIRE_FALSE(session.received(welcome(0), kStart));
  CHECK(session.next(kStart, 0) == nullptr);  // none yet
  CHECK_FALSE(session.deadline());            // and nothing to wait for
  std::uint64_t sent = 0;
  auto more = ack(0);
  for (const std::uint64_t credit : {1U, 1000U, 3000U}) {
    more.mutable_ack()->set_backfill_credit(credit);
    REQUIRE_FALSE(session.received(more, kStart));
    while (const std::string* message = session.next(kStart, 0)) {
      CHECK(sent < credit);
      sent += message->size();
    }
    CHECK(sent >= credit);
  }
  more.mutable_ack()->set_backfill_credit(10);  // it does not shrink
  REQUIRE_FALSE(session.received(more, kStart));
  CHECK(session.next(kStart, 0) == nullptr);
}

TEST_CASE("what an earlier stream lost is told before the next batch") {
  World world;
  world.sample(1);
  Session session(world.buffer, world.me, kStart);
  session.next(kStart, 0);
  REQUIRE_FALSE(session.received(welcome(0), kStart));
  CHECK(session.declare({0, 0, 1000, 2000, "spool_full", 7}) == 1);
  v1::AgentMessage message;
  REQUIRE(message.ParseFromString(*session.next(kStart, 0)));
  CHECK(message.gap().first_seq() == 0);
  CHECK(message.gap().batches() == 7);
  CHECK(message.gap().last_time_ms() == 2000);
}

TEST_CASE("the aggregator asks for an action, and is answered beside the batches") {
  World world;
  world.sample(1);
  Session session(world.buffer, world.me, kStart);
  session.answer("an answer of before");
  CHECK(session.next(kStart, 0) != nullptr);  // Hello comes first
  REQUIRE_FALSE(session.received(welcome(0), kStart));
  v1::AggregatorMessage asked;
  asked.mutable_action()->set_id("7");
  for (std::size_t i = 0; i < Session::kMostRequests + 9; ++i) REQUIRE_FALSE(session.received(asked, kStart));
  CHECK(session.take_requests().size() == Session::kMostRequests);
  CHECK(session.take_requests().empty());
  CHECK(*session.next(kStart, 0) == "an answer of before");
  v1::AgentMessage message;
  REQUIRE(message.ParseFromString(*session.next(kStart, 0)));
  CHECK(message.has_schema());
  session.answer("not sent");
  CHECK(session.take_answers() == std::deque<std::string>{"not sent"});
}

TEST_CASE("an aggregator that breaks the protocol ends the conversation, whatever it says") {
  World world;
  world.sample(3);
  const auto ends = [&](const std::vector<v1::AggregatorMessage>& said) {
    Session session(world.buffer, world.me, kStart);
    session.next(kStart, 0);
    std::optional<End> end;
    for (const auto& message : said) end = session.received(message, kStart);
    return end.has_value();
  };
  CHECK(ends({ack(1)}));
  CHECK(ends({welcome(0), welcome(0)}));
  CHECK(ends({welcome(0), ack(world.buffer.next_seq())}));  // nobody made it yet
  CHECK(ends({welcome(0), ack(~0ULL)}));
  CHECK_FALSE(ends({welcome(0), ack(0)}));
  CHECK_FALSE(ends({v1::AggregatorMessage()}));  // a kind from the future
}

TEST_CASE("what an earlier connection brought may become durable before it is sent again") {
  World world;
  world.sample(10);
  Session session(world.buffer, world.me, kStart);
  session.next(kStart, 0);
  REQUIRE_FALSE(session.received(welcome(0), kStart));
  REQUIRE_FALSE(session.received(ack(3), kStart));  // of batches that came over the connection before
  CHECK(world.buffer.durable_seq() == 0);
  while (session.next(kStart, 0) != nullptr) {
  }
  REQUIRE_FALSE(session.received(ack(3), kStart));
  CHECK(world.buffer.durable_seq() == 3);
}

TEST_CASE("a durable number nobody gave away is not believed") {
  World world;
  world.sample(3);
  Session session(world.buffer, world.me, kStart);
  session.next(kStart, 0);
  REQUIRE_FALSE(session.received(welcome(1'000'000), kStart));
  CHECK(world.buffer.durable_seq() == 0);
  CHECK(session.next(kStart, 0) != nullptr);
}

TEST_CASE("refusals say when another attempt makes sense") {
  World world;
  const auto refused = [&](v1::Refusal::Code code, std::uint32_t retry_after_ms = 0) {
    Session session(world.buffer, world.me, kStart);
    session.next(kStart, 0);
    v1::AggregatorMessage message;
    message.mutable_refusal()->set_code(code);
    message.mutable_refusal()->set_message("because");
    message.mutable_refusal()->set_retry_after_ms(retry_after_ms);
    const auto end = session.received(message, kStart);
    REQUIRE(end);
    CHECK_THAT(end->error.message, Catch::Contains("because"));
    return *end;
  };
  CHECK(refused(v1::Refusal::CODE_RESEND).kind == End::Kind::resend);
  CHECK(refused(v1::Refusal::CODE_DUPLICATE, 7000).kind == End::Kind::duplicate);
  CHECK(refused(v1::Refusal::CODE_DUPLICATE, 7000).retry_after == milliseconds(7000));
  CHECK(refused(v1::Refusal::CODE_DUPLICATE, ~0U).retry_after == milliseconds(3'600'000));
  CHECK(refused(v1::Refusal::CODE_VERSION).kind == End::Kind::version);
  CHECK(refused(v1::Refusal::CODE_LIMIT).kind == End::Kind::rejected);
  CHECK(refused(v1::Refusal::CODE_UNAVAILABLE).kind == End::Kind::away);
  CHECK_FALSE(refused(v1::Refusal::CODE_UNAVAILABLE).retry_after);
  CHECK(refused(static_cast<v1::Refusal::Code>(99)).kind == End::Kind::away);
}

TEST_CASE("an aggregator that never answers is given up") {
  World world;
  world.sample(3);
  Session session(world.buffer, world.me, kStart);
  session.next(kStart, 0);
  CHECK_FALSE(session.check(kStart + seconds(19)));
  CHECK(session.check(kStart + seconds(20)));

  REQUIRE_FALSE(session.received(welcome(0), kStart + seconds(10)));
  CHECK_FALSE(session.check(kStart + seconds(1000)));  // nothing sent, nothing to wait for
  while (session.next(kStart + seconds(12), 0) != nullptr) {
  }
  CHECK_FALSE(session.check(kStart + seconds(41)));
  CHECK(session.check(kStart + seconds(42)));
  REQUIRE_FALSE(session.received(ack(1), kStart + seconds(41)));
  CHECK_FALSE(session.check(kStart + seconds(70)));  // progress starts the wait anew
  CHECK(session.check(kStart + seconds(71)));
}

TEST_CASE("a stop says Bye after the last batch and is over when all is durable") {
  World world;
  world.sample(3);
  Session session(world.buffer, world.me, kStart);
  Receiver receiver(world.stored);
  session.leave();
  while (const std::string* message = session.next(kStart, 0)) {
    const auto answers = receiver.take(*message);
    REQUIRE(answers);
    CHECK(session.left() == world.stored.left);
    for (const auto& answer : *answers) REQUIRE_FALSE(session.received(answer, kStart));
  }
  CHECK(world.stored.left);
  CHECK(session.left());
}

TEST_CASE("the aggregator sets the delivery interval and the number of series") {
  World world;
  world.sample(1);
  Session session(world.buffer, world.me, kStart);
  session.next(kStart, 0);
  auto hello = welcome(0);
  hello.mutable_welcome()->set_delivery_interval_ms(10'000);
  hello.mutable_welcome()->set_max_series(500);
  REQUIRE_FALSE(session.received(hello, kStart));
  CHECK(session.delivery_interval() == milliseconds(10'000));
  CHECK(session.max_series() == 500);
  while (session.next(kStart, 0) != nullptr) {
  }
  auto later = ack(1);
  later.mutable_ack()->set_delivery_interval_ms(2'000);
  REQUIRE_FALSE(session.received(later, kStart));
  CHECK(session.delivery_interval() == milliseconds(2'000));
}

TEST_CASE("a message larger than the aggregator takes is not sent, and counts as refused") {
  World world;
  Session session(world.buffer, world.me, kStart);
  const std::string exactly(wire::kMaxMessageBytes, 'x');
  CHECK_FALSE(session.check_size(exactly));  // the protocol's own limit
  CHECK(session.check_size(exactly + 'x'));
  session.next(kStart, 0);
  auto hello = welcome(0);
  hello.mutable_welcome()->set_max_message_bytes(1000);
  REQUIRE_FALSE(session.received(hello, kStart));
  CHECK_FALSE(session.check_size(std::string(1000, 'x')));
  const auto end = session.check_size(std::string(1001, 'x'));
  REQUIRE(end);
  CHECK(end->kind == End::Kind::rejected);
}

TEST_CASE("retries are jittered over the whole range, quick at first, a minute at most") {
  Backoff backoff;
  CHECK(backoff.next(0.0) == milliseconds(0));
  CHECK(backoff.next(1.0) == milliseconds(2000));
  for (int i = 0; i < 20; ++i) backoff.next(0.5);
  CHECK(backoff.next(0.0) == milliseconds(1000));
  CHECK(backoff.next(1.0) == milliseconds(60'000));
  backoff.reset();
  CHECK(backoff.next(0.999) < milliseconds(1000));
}

TEST_CASE("a host refused because there are too many keeps all it has and tries again by its own back-off") {
  World world;
  world.sample(10);
  Session session(world.buffer, world.me, kStart);
  REQUIRE(session.next(kStart, 0) != nullptr);
  v1::AggregatorMessage answer;
  answer.mutable_refusal()->set_code(v1::Refusal::CODE_FULL);
  answer.mutable_refusal()->set_message("new hosts come too fast");
  const auto end = session.received(answer, kStart);
  REQUIRE(end);
  CHECK(end->kind == End::Kind::away);  // after three `rejected` the oldest batches would be given up
  CHECK_FALSE(end->retry_after);
}

TEST_CASE("Hello says what was ever acknowledged, so that an aggregator can see what it lost") {
  World world;
  world.sample(30);
  world.connect(1'000'000);
  world.sample(3);
  Session session(world.buffer, world.me, kStart);
  v1::AgentMessage hello;
  REQUIRE(hello.ParseFromString(*session.next(kStart, 0)));
  CHECK(hello.hello().durable_seq() == world.buffer.durable_seq());
  CHECK(hello.hello().durable_seq() > 0);
}

}  // namespace vigil::agent
