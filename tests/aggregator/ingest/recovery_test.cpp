#include "aggregator/ingest/recovery.h"

#include "aggregator/fleet/fleet_rows.h"
#include "aggregator/head/fleet_view.h"
#include "aggregator/ingest/intake.h"
#include "tests/aggregator/ingest/fake_agent.h"
#include "tests/aggregator/store/folder_fixture.h"
#include "tests/support/catch.h"

#include <algorithm>

using namespace vigil;
using namespace vigil::aggregator;
using namespace vigil::aggregator::testing;

namespace {

/// What a process has of the aggregator between a start and an end: history, one shard, intake. Everything
/// happens in the calls; commits when told to.
struct Life {
  explicit Life(const std::filesystem::path& folder, std::int64_t now = kT0, ShardOptions limits = {}) {
    HistoryOptions options = test_options(folder);
    options.now_ms = [] { return kT0; };
    auto opened = History::open(std::move(options));
    REQUIRE(opened);
    history = std::move(*opened);
    shards = std::make_unique<ShardSet>(1, limits, history.get());
    intake = std::make_unique<Intake>(shards->at(0), counters, IntakeOptions{}, delivery);
    auto recovered = recover(*history, *shards, now);
    REQUIRE(recovered);
    summary = *recovered;
    history->start({[this](std::span<const DurableBatch> batches) {
                      const std::lock_guard lock(mutex);
                      durable.insert(durable.end(), batches.begin(), batches.end());
                    },
                    [](const Error&) {}});
    REQUIRE(load_window(*history, *shards, now));
  }

  /// The commit, and what follows from it on the shard.
  void commit(std::int64_t now = kT0) {
    REQUIRE(history->sync());
    std::vector<DurableBatch> done;
    {
      const std::lock_guard lock(mutex);
      done.swap(durable);
    }
    intake->durable(done, now);
  }
  std::shared_ptr<FakeLink> connect(const FakeAgent& agent, std::uint64_t first_kept = 0) {
    auto link = std::make_shared<FakeLink>();
    intake->open(agent.greeting(first_kept), link, kT0);
    return link;
  }
  void send(const std::shared_ptr<FakeLink>& link, const v1::AgentMessage& message) {
    intake->feed(link.get(), message.SerializeAsString(), kT0);
  }
  Host& host(const std::string& name = "web-1") { return *shards->at(0).find(name); }
  std::string values(const std::string& name) {
    const promql::Selection all{
        {*promql::Matcher::create(promql::MatchOp::equal, "__name__", name)}, 0, kT0 * 2};
    std::vector<promql::SelectedSeries> found;
    REQUIRE(read_slice(host().head.slice(all), history.get(), {0, kT0 * 2, 1'000'000}, found));
    std::string text;
    for (const auto& series : found) {
      for (const auto& point : series.points)
        text += is_stale(point.v) ? "stale " : fmt::format("{} ", point.v);
    }
    return text;
  }

  self::Registry registry;
  IngestCounters counters{registry};
  std::atomic<std::uint32_t> delivery{1000};
  RecoverySummary summary;
  std::mutex mutex;
  std::vector<DurableBatch> durable;  // protected by mutex
  std::unique_ptr<History> history;   // closed last
  std::unique_ptr<ShardSet> shards;
  std::unique_ptr<Intake> intake;

  ~Life() { history.reset(); }
};

}  // namespace

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
    v1::AgentMessage bye;
    bye.mutable_bye();
    life.send(link, bye);
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
  Intake intake(shards.at(0), counters, {}, delivery);
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
