#include "aggregator/ingest/session.h"

#include "aggregator/ingest/payload.h"
#include "tests/aggregator/ingest/fake_agent.h"
#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator;
using namespace vigil::aggregator::testing;

namespace {

/// "append 3", "drop 2", "refused resend", ...: one word of what the session made of a message.
std::string say(const SessionEvent& event) {
  if (const auto* refused = std::get_if<Refused>(&event))
    return "refused " + std::string(to_string(refused->code));
  if (const auto* batch = std::get_if<NewBatch>(&event)) {
    return fmt::format("{} {}", batch->storing == Storing::append ? "append" : "drop", batch->seq);
  }
  if (const auto* lost = std::get_if<Lost>(&event))
    return fmt::format("lost {}-{}", lost->first_seq, lost->last_seq);
  if (std::get_if<NewSchema>(&event)) return "schema";
  return std::get_if<Farewell>(&event) ? "farewell" : "nothing";
}

std::string first_value(const SessionEvent& event) {
  const auto& batch = std::get<NewBatch>(event);
  return std::to_string(batch.sources[0].rows->values[0]);
}

std::string refusal_of_hello(const std::function<void(v1::Hello&)>& change) {
  v1::AgentMessage message = FakeAgent().hello();
  change(*message.mutable_hello());
  const auto read = read_hello(message);
  const auto* refused = std::get_if<Refused>(&read);
  return refused == nullptr ? "" : fmt::format("{}: {}", to_string(refused->code), refused->message);
}

}  // namespace

TEST_CASE("a proper Hello is read whole") {
  v1::AgentMessage message = FakeAgent("web-1").hello();
  auto* label = message.mutable_hello()->add_labels();
  label->set_name("env");
  label->set_value("prod");
  const auto read = read_hello(message);
  const auto& greeting = std::get<Greeting>(read);
  CHECK(greeting.name == "web-1");
  CHECK(greeting.stream[3] == 's');
  CHECK(greeting.labels == Labels{{"env", "prod"}});
  CHECK(greeting.interval_ms == 1000);
}

TEST_CASE("each rule of Hello is refused by name") {
  CHECK(refusal_of_hello([](v1::Hello& h) { h.set_protocol(2); }).starts_with("version: "));
  const auto broken = [](const std::function<void(v1::Hello&)>& change, std::string_view field) {
    const std::string message = refusal_of_hello(change);
    INFO(message);
    CHECK(message.find(field) != std::string::npos);
  };
  broken([](v1::Hello& h) { h.set_name(""); }, "Hello.name");
  broken([](v1::Hello& h) { h.set_name("a b"); }, "Hello.name");
  broken([](v1::Hello& h) { h.set_name(std::string(254, 'a')); }, "Hello.name");
  broken([](v1::Hello& h) { h.set_machine_id("short"); }, "Hello.machine_id");
  broken([](v1::Hello& h) { h.set_stream_id(std::string(17, 's')); }, "Hello.stream_id");
  broken([](v1::Hello& h) { h.set_next_seq(0); }, "Hello.next_seq");
  broken([](v1::Hello& h) { h.set_next_seq(~0ULL); }, "Hello.next_seq");
  broken([](v1::Hello& h) { h.set_first_kept_seq(1); }, "Hello.first_kept_seq");
  broken([](v1::Hello& h) { h.set_interval_ms(0); }, "Hello.interval_ms");
  broken(
      [](v1::Hello& h) {
        for (int i = 0; i < 17; ++i) h.add_labels()->set_name("a");
      },
      "Hello.labels");
  broken([](v1::Hello& h) { h.add_labels()->set_name("instance"); }, "'instance' cannot be a label");
  broken([](v1::Hello& h) { h.add_labels()->set_name("__x"); }, "'__x' cannot be a label");
  broken([](v1::Hello& h) { h.add_labels()->set_name("a"); }, "value of a");
  broken(
      [](v1::Hello& h) {
        for (const char* value : {"1", "2"}) {
          auto* label = h.add_labels();
          label->set_name("env");
          label->set_value(value);
        }
      },
      "names env twice");
  CHECK(std::holds_alternative<Refused>(read_hello(v1::AgentMessage())));
}

TEST_CASE("batches are taken in order, and deltas add up over batches") {
  FakeAgent agent;
  Session session(agent.greeting(), 0, 1000);
  CHECK(say(session.begin()) == "nothing");
  CHECK(say(session.feed(agent.schema())) == "schema");
  CHECK(say(session.feed(agent.batch({kT0 + 1000}, true))) == "append 1");
  const auto second = session.feed(agent.batch({kT0 + 5000, kT0 + 6000}));
  CHECK(say(second) == "append 2");
  CHECK(first_value(second) == "5");
}

TEST_CASE("a missing batch is asked for, a repeated one breaks the rules, and numbers begin at 1") {
  FakeAgent agent;
  Session session(agent.greeting(), 0, 1000);
  (void)session.feed(agent.schema());
  (void)session.feed(agent.batch({kT0}, true));
  v1::AgentMessage repeated = agent.batch({kT0 + 1000});
  repeated.mutable_batch()->set_seq(1);
  v1::AgentMessage missing = agent.batch({kT0 + 1000});
  v1::AgentMessage zero = missing;
  zero.mutable_batch()->set_seq(0);
  v1::AgentMessage endless = missing;
  endless.mutable_batch()->set_seq(~0ULL);
  const auto which = GENERATE(0, 1, 2, 3);
  if (which == 0) CHECK(say(session.feed(repeated)) == "refused protocol");
  if (which == 1) CHECK(say(session.feed(missing)) == "refused resend");
  if (which == 2) CHECK(say(session.feed(zero)) == "refused protocol");
  if (which == 3) CHECK(say(session.feed(endless)) == "refused protocol");
}

TEST_CASE("after a reconnection what was stored is decoded and dropped, and what follows builds on it") {
  FakeAgent agent;
  const v1::AgentMessage schema = agent.schema();
  const v1::AgentMessage first = agent.batch({kT0 + 1000}, true);
  const v1::AgentMessage second = agent.batch({kT0 + 2000});
  const v1::AgentMessage third = agent.batch({kT0 + 3000});
  Session session(agent.greeting(1), 2, 1000);
  CHECK(say(session.begin()) == "nothing");
  (void)session.feed(schema);
  CHECK(say(session.feed(first)) == "drop 1");
  CHECK(say(session.feed(second)) == "drop 2");
  const auto event = session.feed(third);
  CHECK(say(event) == "append 3");
  CHECK(first_value(event) == "3");
}

TEST_CASE("a stream begins with a keyframe") {
  FakeAgent agent;
  Session session(agent.greeting(), 0, 1000);
  (void)session.feed(agent.schema());
  CHECK(say(session.feed(agent.batch({kT0}))) == "refused protocol");
}

TEST_CASE("a declared gap moves what is expected on, to a keyframe") {
  FakeAgent agent;
  Session session(agent.greeting(), 0, 1000);
  (void)session.feed(agent.schema());
  (void)session.feed(agent.batch({kT0}, true));
  agent.skip(3);
  v1::AgentMessage gap;
  gap.mutable_gap()->set_first_seq(2);
  gap.mutable_gap()->set_last_seq(4);
  gap.mutable_gap()->set_first_time_ms(kT0 + 1000);
  gap.mutable_gap()->set_last_time_ms(kT0 + 3000);
  const v1::AgentMessage delta = agent.batch({kT0 + 4000});
  const v1::AgentMessage keyframe = [&] {
    FakeAgent other;
    other.skip(4);
    return other.batch({kT0 + 5000}, true);
  }();
  const bool proper = GENERATE(true, false);
  CHECK(say(session.feed(gap)) == "lost 2-4");
  if (proper) CHECK(say(session.feed(keyframe)) == "append 5");
  if (!proper) CHECK(say(session.feed(delta)) == "refused protocol");
}

TEST_CASE("a gap that is none is refused") {
  FakeAgent agent;
  const auto gap = [&](std::uint64_t first, std::uint64_t last, std::int64_t from, std::int64_t to) {
    Session session(agent.greeting(), 0, 1000);
    v1::AgentMessage message;
    message.mutable_gap()->set_first_seq(first);
    message.mutable_gap()->set_last_seq(last);
    message.mutable_gap()->set_first_time_ms(from);
    message.mutable_gap()->set_last_time_ms(to);
    return say(session.feed(message));
  };
  CHECK(gap(0, 1, kT0, kT0) == "refused protocol");
  CHECK(gap(3, 2, kT0, kT0) == "refused protocol");
  CHECK(gap(1, ~0ULL, kT0, kT0) == "refused protocol");
  CHECK(gap(1, 2, kT0, kT0 - 1) == "refused protocol");
  CHECK(gap(1, 2, -1, kT0) == "refused protocol");
}

TEST_CASE("an agent that declares gaps without end is refused") {
  FakeAgent agent;
  Session session(agent.greeting(), 0, 1000);
  v1::AgentMessage gap;
  gap.mutable_gap()->set_first_seq(1);
  gap.mutable_gap()->set_last_seq(1);
  std::string answer;
  int taken = 0;
  for (; taken < 100'000; ++taken) {
    answer = say(session.feed(gap));
    if (answer == "refused protocol") break;
  }
  CHECK(answer == "refused protocol");
  CHECK(taken == 1000);
}

TEST_CASE("what the agent no longer has when it connects is a gap, not a reason to ask for ever") {
  FakeAgent agent;
  agent.skip(9);
  Session session(agent.greeting(8), 3, 1000);
  CHECK(say(session.begin()) == "nothing");
  FakeAgent kept;
  kept.skip(7);
  SECTION("told by a Gap, once") {
    v1::AgentMessage gap;
    gap.mutable_gap()->set_first_seq(4);
    gap.mutable_gap()->set_last_seq(7);
    CHECK(say(session.feed(gap)) == "lost 4-7");
  }
  (void)session.feed(kept.schema());
  const auto event = session.feed(kept.batch({kT0}, true));
  CHECK(say(event) == "append 8");
  SECTION("or, without one, by Hello alone") {
    const auto& lost = std::get<NewBatch>(event).lost;
    REQUIRE(lost);
    CHECK(say(*lost) == "lost 4-7");
  }
}

TEST_CASE("a stream whose numbers went back is refused: its new batches would look like old ones") {
  FakeAgent agent;
  agent.skip(4);
  Session session(agent.greeting(), 10, 1000);
  CHECK(say(session.begin()) == "refused protocol");
  // One that ended has no new batches: a power cut took from the agent's disk what we have.
  Greeting ended = agent.greeting();
  ended.ended = true;
  CHECK(say(Session(ended, 10, 1000).begin()) == "nothing");
}

TEST_CASE("schemas may come ahead of their batches, but never go back or change under one number") {
  FakeAgent agent;
  Session session(agent.greeting(), 0, 1000);
  const v1::AgentMessage old_schema = agent.schema();
  const v1::AgentMessage first = agent.batch({kT0}, true);
  agent.set_width(3);
  const v1::AgentMessage new_schema = agent.schema();
  const v1::AgentMessage second = agent.batch({kT0 + 1000});
  v1::AgentMessage changed = new_schema;
  changed.mutable_schema()->mutable_series(0)->set_scale(3);
  CHECK(say(session.feed(old_schema)) == "schema");
  CHECK(say(session.feed(new_schema)) == "schema");
  CHECK(say(session.feed(new_schema)) == "schema");
  CHECK(say(session.feed(first)) == "append 1");
  CHECK(say(session.feed(second)) == "append 2");
  const auto which = GENERATE(0, 1, 2);
  if (which == 0) CHECK(say(session.feed(old_schema)) == "refused protocol");
  if (which == 1) CHECK(say(session.feed(changed)) == "refused protocol");
  if (which == 2) {  // rows of the old version after the new one
    v1::AgentMessage late = second;
    late.mutable_batch()->set_seq(3);
    late.mutable_batch()->mutable_sources(0)->set_schema_version(1);
    CHECK(say(session.feed(late)) == "refused protocol");
  }
}

TEST_CASE("an agent's series are limited over all its sources") {
  FakeAgent agent;
  agent.set_width(101);
  Session session(agent.greeting(), 0, 150);
  CHECK(say(session.feed(agent.schema())) == "schema");
  v1::AgentMessage second = agent.schema();
  second.mutable_schema()->set_source_id(2);
  CHECK(say(session.feed(second)) == "refused limit");
}

TEST_CASE("rows that contradict their schema, and a second Hello, are refused") {
  FakeAgent agent;
  const auto broken = [&](const std::function<void(v1::AgentMessage&)>& change) {
    FakeAgent fresh;
    Session session(fresh.greeting(), 0, 1000);
    (void)session.feed(fresh.schema());
    v1::AgentMessage message = fresh.batch({kT0, kT0 + 1000}, true);
    change(message);
    return say(session.feed(message));
  };
  CHECK(broken([](v1::AgentMessage&) {}) == "append 1");
  CHECK(broken([](v1::AgentMessage& m) { m.mutable_batch()->mutable_sources(0)->add_deltas(1); }) ==
        "refused protocol");
  CHECK(broken([](v1::AgentMessage& m) { m.mutable_batch()->mutable_sources(0)->set_source_id(9); }) ==
        "refused protocol");
  CHECK(broken([](v1::AgentMessage& m) { m.mutable_batch()->mutable_sources(0)->set_step_ms(0, 0); }) ==
        "refused protocol");
  CHECK(broken([](v1::AgentMessage& m) { m.mutable_batch()->mutable_sources(0)->set_first_time_ms(-1); }) ==
        "refused limit");
  CHECK(broken([&](v1::AgentMessage& m) { m = agent.hello(); }) == "refused protocol");
  CHECK(broken([](v1::AgentMessage& m) { m.Clear(); }) == "nothing");
  CHECK(broken([](v1::AgentMessage& m) { m.mutable_bye(); }) == "farewell");
}

TEST_CASE("the journal gets the bytes inside the message, whatever form it came in") {
  FakeAgent agent;
  const v1::AgentMessage message = agent.batch({kT0}, true);
  const std::string wire = message.SerializeAsString();
  CHECK(payload(message, wire) == message.batch().SerializeAsString());
  // The same message in two pieces, as protobuf allows: parsers merge them.
  v1::AgentMessage head;
  head.mutable_batch()->set_seq(1);
  v1::AgentMessage merged;
  const std::string pieces = head.SerializeAsString() + wire;
  REQUIRE(merged.ParseFromString(pieces));
  CHECK(payload(merged, pieces) == merged.batch().SerializeAsString());
  CHECK(payload(agent.hello(), agent.hello().SerializeAsString()).size() > 0);
}
