#include "aggregator/ingest/recovery.h"

#include "tests/aggregator/ingest/life.h"

#include <sqlite3.h>

#include <algorithm>

using namespace vigil;
using namespace vigil::aggregator;
using namespace vigil::aggregator::testing;

TEST_CASE("nothing is acknowledged before it is on disk") {
  TemporaryFolder folder;
  Life life(folder.path());
  FakeAgent agent;
  const auto link = life.connect(agent);
  life.send(link, agent.schema());
  life.send(link, agent.batch({kT0}, true));
  CHECK(link->acks.empty());
  CHECK(life.values("m0") == "0 ");
  life.commit();
  CHECK(link->acks == std::vector<std::uint64_t>{1});
}

TEST_CASE("a batch refused for its new series is never acknowledged") {
  TemporaryFolder folder;
  ShardOptions limits;
  limits.max_known_series = 3;
  Life life(folder.path(), kT0, limits);
  FakeAgent agent;
  const auto link = life.connect(agent);
  life.send(link, agent.schema());
  life.send(link, agent.batch({kT0}, true));
  agent.set_width(5);
  life.send(link, agent.schema());
  life.send(link, agent.batch({kT0 + 1000}));
  REQUIRE(link->refusals.size() == 1);
  CHECK(link->refusals[0].code == v1::Refusal::CODE_LIMIT);
  life.commit();
  CHECK(life.connect(agent, 1)->welcomes.at(0).durable_seq() == 1);
  CHECK(life.values("m0") == "0 ");
}

TEST_CASE("a restart replays what was journalled, and the stream goes on where it was") {
  TemporaryFolder folder;
  FakeAgent agent;
  const v1::AgentMessage schema = agent.schema();
  const v1::AgentMessage one = agent.batch({kT0}, true);
  const v1::AgentMessage two = agent.batch({kT0 + 1000});
  {
    Life life(folder.path());
    const auto link = life.connect(agent);
    life.send(link, schema);
    life.send(link, one);
    life.send(link, two);
    life.commit();
    CHECK(link->acks.back() == 2);
  }
  Life life(folder.path());
  CHECK(life.summary.hosts == 1);
  CHECK(life.summary.rows == 2);
  CHECK(life.summary.undecodable == 0);
  CHECK(life.values("m0") == "0 1 ");
  CHECK_FALSE(has_verdict(life.host().facts, life.host().state));
  const auto link = life.connect(agent, 1);
  CHECK(link->welcomes.at(0).durable_seq() == 2);
  life.send(link, schema);
  life.send(link, one);
  life.send(link, two);
  life.send(link, agent.batch({kT0 + 2000}));
  CHECK(life.values("m0") == "0 1 2 ");
}

TEST_CASE("sealed, journalled and repeated batches over several restarts are each stored once") {
  TemporaryFolder folder;
  FakeAgent agent;
  const v1::AgentMessage schema = agent.schema();
  std::vector<v1::AgentMessage> sent;
  std::string expected;
  for (int life_number = 0; life_number < 5; ++life_number) {
    Life life(folder.path());
    CHECK((life_number == 0 || life.values("m1") == expected));
    CHECK(life.summary.undecodable == 0);
    const auto link = life.connect(agent, sent.empty() ? 0 : 1);
    life.send(link, schema);
    for (const auto& message : sent) life.send(link, message);  // an agent that resends everything it kept
    for (int i = 0; i < 4; ++i) {
      const std::int64_t second = life_number * 4 + i;
      sent.push_back(agent.batch({kT0 + second * 1000}, second % 7 == 0));
      life.send(link, sent.back());
      expected += fmt::format("{} ", second);
      if (i == life_number % 4) life.shards->at(0).seal(life.host(), kT0);
    }
    CHECK(life.values("m1") == expected);
    life.commit();
    CHECK(link->acks.back() == sent.size());
  }
}

TEST_CASE("batches resent from before a change of columns do not cost those after them at the next replay") {
  TemporaryFolder folder;
  {
    Life life(folder.path());
    FakeAgent agent;
    std::vector<v1::AgentMessage> sent{agent.schema(), agent.batch({kT0}, true)};
    agent.set_width(3);
    sent.push_back(agent.schema());
    sent.push_back(agent.batch({kT0 + 1000}));
    const auto before = life.connect(agent);
    for (const auto& message : sent) life.send(before, message);
    life.commit();
    const auto again = life.connect(agent, 1);
    for (const auto& message : sent) life.send(again, message);
    life.send(again, agent.batch({kT0 + 2000}));
    life.commit();
    REQUIRE(again->acks.back() == 3);
  }
  Life life(folder.path());
  CHECK(life.summary.undecodable == 0);
  CHECK(life.values("m0") == "0 1 2 ");
  CHECK(life.values("m2") == "1 2 ");
}

TEST_CASE(
    "batches resent from before several changes of columns do not cost those after them, however often they "
    "are resent") {
  TemporaryFolder folder;
  FakeAgent agent;
  std::vector<v1::AgentMessage> sent{agent.schema(), agent.batch({kT0}, true)};
  for (const int width : {3, 4, 5}) {
    agent.set_width(width);
    sent.push_back(agent.schema());
    sent.push_back(agent.batch({kT0 + (width - 2) * 1000}));
  }
  std::string expected = "0 1 2 3 ";
  for (int life_number = 0; life_number < 4; ++life_number) {
    Life life(folder.path());
    CHECK(life.summary.undecodable == 0);
    CHECK((life_number == 0 || life.values("m0") == expected));
    const auto link = life.connect(agent, life_number == 0 ? 0 : 1);
    for (const auto& message : sent) life.send(link, message);
    sent.push_back(agent.batch({kT0 + (life_number + 4) * 1000}));
    life.send(link, sent.back());
    expected += fmt::format("{} ", life_number + 4);
    life.commit();
    CHECK(life.values("m0") == expected);
  }
}

TEST_CASE("a stream that another one replaced is journalled again when it comes back") {
  TemporaryFolder folder;
  {
    Life life(folder.path());
    FakeAgent first;
    FakeAgent second("web-1", 't');
    const v1::AgentMessage keyframe = first.batch({kT0}, true);
    const auto begin = life.connect(first);
    life.send(begin, first.schema());
    life.send(begin, keyframe);
    life.commit();
    life.intake->closed(begin.get(), kT0);

    const auto other = life.connect(second);
    life.send(other, second.schema());
    life.send(other, second.batch({kT0 + 1000}, true));
    life.shards->at(0).seal(life.host(), kT0);
    life.commit();
    life.intake->closed(other.get(), kT0);

    const auto again = life.connect(first, 1);
    life.send(again, first.schema());
    life.send(again, keyframe);
    life.send(again, first.batch({kT0 + 2000}));
    life.commit();
    REQUIRE(again->acks.back() == 2);
    life.shards->at(0).tick(kT0);
    life.commit();  // drops the rows of the journal that are not needed
  }
  Life life(folder.path());
  CHECK(life.summary.undecodable == 0);
  CHECK(life.values("m0") == "0 1 2 ");
}

TEST_CASE("a clean stop leaves nothing to replay, and the window is in memory again") {
  TemporaryFolder folder;
  FakeAgent agent;
  {
    Life life(folder.path());
    const auto link = life.connect(agent);
    life.send(link, agent.schema());
    life.send(link, agent.batch({kT0}, true));
    life.shards->at(0).tick(kT0);
    life.shards->at(0).seal_all(kT0);
    life.history->close();
  }
  Life life(folder.path());
  CHECK(life.summary.rows == 0);
  const promql::Selection all{
      {*promql::Matcher::create(promql::MatchOp::equal, "__name__", "m0")}, 0, kT0 * 2};
  CHECK(life.host().head.select(all, 100)->size() == 1);  // memory alone
  CHECK(life.values("vigil_host_state").find('1') != std::string::npos);
  CHECK(life.host().head.registry().size() == 2 + kFleetColumns);
}

TEST_CASE("a host that left is still gone after a restart, and its labels are known") {
  TemporaryFolder folder;
  {
    Life life(folder.path());
    FakeAgent agent;
    Greeting greeting = agent.greeting();
    greeting.labels = {{"env", "prod"}};
    const auto link = std::make_shared<FakeLink>();
    life.intake->open(greeting, link, kT0);
    life.send(link, agent.schema());
    life.send(link, agent.batch({kT0}, true));
    life.send(link, FakeAgent::bye());
    life.commit();
  }
  Life life(folder.path());
  CHECK(life.host().state == HostState::left);
  const promql::Selection all{{*promql::Matcher::create(promql::MatchOp::equal, "env", "prod")}, 0, kT0 * 2};
  CHECK(life.host().head.select(all, 100)->size() == 2);
}

TEST_CASE("when the journal has no room the stream waits with its batch and goes on by itself") {
  TemporaryFolder folder;
  HistoryOptions options = test_options(folder.path());
  options.queue_bytes = 256;
  auto history = History::open(std::move(options));
  REQUIRE(history);
  ShardSet shards(1, {}, history->get());
  self::Registry registry;
  IngestCounters counters(registry);
  const std::atomic<std::uint32_t> delivery{1000};
  Backfill backfill;
  Intake intake(shards.at(0), counters, {}, {delivery, backfill});
  REQUIRE(recover(**history, shards, kT0));
  (*history)->start({[](std::span<const DurableBatch>) {}, [](const Error&) {}});
  FakeAgent agent;
  const auto link = std::make_shared<FakeLink>();
  intake.open(agent.greeting(), link, kT0);
  intake.feed(link.get(), agent.schema().SerializeAsString(), kT0);
  for (int i = 0; i < 40; ++i)
    intake.feed(link.get(), agent.batch({kT0 + i * 1000}, i == 0).SerializeAsString(), kT0);
  CHECK(link->taken_count < 41);  // so no more is read
  CHECK(link->refusals.empty());
  CHECK(counters.stalls.value() > 0);
  for (int i = 0; i < 100 && link->taken_count < 41; ++i) {
    REQUIRE((*history)->sync());
    intake.resume(kT0);
  }
  CHECK(link->taken_count == 41);
  CHECK(counters.rows.value() == 40);
}

TEST_CASE("what an older copy of the data has not got is declared, from the newest row that is there") {
  const TemporaryFolder folder;
  const TemporaryFolder copy;
  FakeAgent agent;
  {
    Life life(folder.path());
    const auto link = life.connect(agent);
    life.send(link, agent.schema());
    life.send(link, agent.batch({kT0, kT0 + 1000}, true));
    life.shards->at(0).seal_all(kT0 + 1000);
  }
  std::filesystem::copy(folder.path(), copy.path(), std::filesystem::copy_options::recursive);
  {
    Life life(folder.path());
    const v1::AgentMessage next = agent.batch({kT0 + 2000}, true);
    const auto link = life.connect(agent, 2);
    life.send(link, agent.schema());
    life.send(link, next);
    for (int i = 3; i < 5; ++i) life.send(link, agent.batch({kT0 + i * 1000}));
    life.commit();
    REQUIRE(link->acks.back() == 4);
  }
  Life life(copy.path(), kT0 + 3'600'000);  // long after: nothing of it is in memory
  life.shards->at(0).tick(kT0 + 3'600'000);
  agent.durable_seq = 4;
  const v1::AgentMessage next = agent.batch({kT0 + 5000}, true);
  const auto link = life.connect(agent, 5);
  CHECK(link->welcomes.at(0).durable_seq() == 1);
  life.send(link, FakeAgent::gap(2, 4, kT0 + 5000));
  life.send(link, agent.schema());
  life.send(link, next);
  life.commit();
  CHECK(life.values("m0") == "0 1 5 ");
  CHECK(life.host().lost_batches == 3);
  CHECK(life.host().gap_batches == 0);
  CHECK(life.counters.lost_acknowledged_batches.value() == 3);
  CHECK(life.history->gaps(0, 0, kT0 * 2).value() ==
        std::vector<GapRecord>{{0, kT0 + 1000, kT0 + 5000, "aggregator_lost"}});
}

TEST_CASE(
    "a gap of which nobody knows when begins at the host's newest row, whatever the fleet wrote since") {
  const TemporaryFolder folder;
  FakeAgent agent;
  Life life(folder.path());
  const auto first = life.connect(agent);
  life.send(first, agent.schema());
  life.send(first, agent.batch({kT0}, true));
  life.intake->closed(first.get(), kT0);
  life.shards->at(0).tick(kT0 + 60'000);
  agent.skip(5);
  (void)agent.batch({kT0 + 50'000}, true);
  const auto link = life.connect(agent, 7);
  life.send(link, FakeAgent::gap(2, 6, kT0 + 50'000));
  life.commit();
  CHECK(life.history->gaps(0, 0, kT0 * 2).value() ==
        std::vector<GapRecord>{{0, kT0, kT0 + 50'000, "aggregator_lost"}});
  CHECK(life.host().gap_batches == 5);  // never acknowledged here: not ours
}

TEST_CASE("an agent that comes from another aggregator has lost nothing here") {
  const TemporaryFolder folder;
  FakeAgent agent;
  agent.skip(100);
  agent.durable_seq = 100;
  Life life(folder.path());
  const v1::AgentMessage next = agent.batch({kT0}, true);
  const auto link = life.connect(agent, 101);
  life.send(link, FakeAgent::gap(1, 100, kT0));
  life.send(link, agent.schema());
  life.send(link, next);
  life.commit();
  CHECK(life.host().lost_batches == 0);
  CHECK(life.history->gaps(0, 0, kT0 * 2)->empty());
}

TEST_CASE("a forgotten host is gone after a restart, its journal with it, and its name begins anew") {
  const TemporaryFolder folder;
  FakeAgent agent;
  FakeAgent other("db-1");
  {
    Life life(folder.path());
    for (FakeAgent* each : {&agent, &other}) {
      const auto link = life.connect(*each);
      life.send(link, each->schema());
      life.send(link, each->batch({kT0}, true));
      life.intake->closed(link.get(), kT0);
    }
    life.commit();  // both in one row of the journal
    life.shards->at(0).tick(kT0 + 60'000);
    REQUIRE(life.shards->at(0).forget("web-1").value() == 2 + kFleetColumns);
    life.commit();
  }
  {
    Life life(folder.path());
    CHECK(life.summary.hosts == 1);
    CHECK(life.summary.rows == 1);
    CHECK(life.shards->at(0).find("web-1") == nullptr);
    CHECK(life.values("m0", "db-1") == "0 ");
    const v1::AgentMessage next = agent.batch({kT0 + 1000}, true);
    const auto link = life.connect(agent, 2);
    CHECK(link->welcomes.at(0).durable_seq() == 0);
    life.send(link, FakeAgent::gap(1, 1, kT0));
    life.send(link, agent.schema());
    life.send(link, next);
    life.commit();
    CHECK(life.host().record.id == 2);
    CHECK(life.values("m0") == "1 ");
    life.shards->at(0).seal_all(kT0 + 60'000);
  }
  Life life(folder.path());
  CHECK(life.values("m0") == "1 ");
  CHECK(life.shards->directory().hosts() == 2);
}

TEST_CASE("what can never be decoded is read once, not at each start for ever") {
  const TemporaryFolder folder;
  {
    Life life(folder.path());
    FakeAgent agent;
    const auto link = life.connect(agent);
    life.send(link, agent.schema());
    life.send(link, agent.batch({kT0}, true));
    life.commit();
    life.send(link, agent.batch({kT0 + 1000}));
    life.commit();
  }
  sqlite3* raw = nullptr;  // as a bad sector would: the keyframe is in the first row
  REQUIRE(sqlite3_open((folder.path() / "journal-1.db").c_str(), &raw) == SQLITE_OK);
  REQUIRE(sqlite3_exec(raw, "UPDATE entry_group SET entries=zeroblob(40) WHERE id=1", nullptr, nullptr,
                       nullptr) == SQLITE_OK);
  sqlite3_close(raw);
  {
    Life life(folder.path());
    CHECK(life.summary.damaged_groups == 1);
    CHECK(life.summary.undecodable == 1);
    CHECK(life.summary.given_up_streams == 1);
    FakeAgent restarted("web-1", 't');  // the old stream never comes back
    const auto link = life.connect(restarted);
    life.send(link, restarted.schema());
    life.send(link, restarted.batch({kT0 + 2000}, true));
    life.shards->at(0).seal_all(kT0);
    life.commit();
    REQUIRE(life.history->tidy());
    CHECK(life.history->stats().journal_groups <= 1);
  }
  Life life(folder.path());
  CHECK(life.summary.undecodable == 0);
  CHECK(life.summary.damaged_groups == 0);
}

TEST_CASE("a given-up stream that comes back is stored again") {
  const TemporaryFolder folder;
  FakeAgent agent;
  {
    Life life(folder.path());
    const auto link = life.connect(agent);
    life.send(link, agent.schema());
    life.commit();  // a schema, and no batch that it is for
  }
  for (int life_number = 0; life_number < 2; ++life_number) {
    Life life(folder.path());
    const auto link = life.connect(agent, life_number == 0 ? 0 : 1);
    life.send(link, agent.schema());
    if (life_number == 0) life.send(link, agent.batch({kT0}, true));
    life.commit();
    CHECK(life.values("m0") == "0 ");
  }
}
