// An intake without gRPC: what it is told happens at once.
#pragma once

#include "aggregator/head/shard_set.h"
#include "aggregator/ingest/intake.h"
#include "tests/aggregator/ingest/fake_agent.h"
#include "tests/support/catch.h"

namespace vigil::aggregator::testing {

/// One shard without a thread and without a history: everything happens in the calls, and is durable at once.
struct IntakeFixture {
  explicit IntakeFixture(const ShardOptions& options = {}, const IntakeOptions& intake_options = {})
      : shards(1, options, nullptr), intake(shards.at(0), counters, intake_options, {delivery, backfill}) {}

  std::shared_ptr<FakeLink> connect(const FakeAgent& agent, std::int64_t now = kT0,
                                    const std::string& remote = "10.0.0.1:1", std::uint64_t first_kept = 0) {
    auto link = std::make_shared<FakeLink>(remote);
    intake.open(agent.greeting(first_kept), link, now);
    return link;
  }
  void send(const std::shared_ptr<FakeLink>& link, const v1::AgentMessage& message, std::int64_t now = kT0) {
    intake.feed(link.get(), message.SerializeAsString(), now);
  }
  std::string values(const std::string& name, const std::string& host = "web-1") {
    const auto found = shards.at(0).find(host)->head.select(everything_of(name), 1'000'000);
    REQUIRE(found);
    return text_of(*found);
  }

  self::Registry registry;
  IngestCounters counters{registry};
  std::atomic<std::uint32_t> delivery{1000};
  Backfill backfill;
  ShardSet shards;
  Intake intake;
};

}  // namespace vigil::aggregator::testing
