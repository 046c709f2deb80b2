#include "aggregator/ingest/backfill.h"

#include "tests/aggregator/ingest/intake_fixture.h"
#include "tests/aggregator/ingest/life.h"

using namespace vigil;
using namespace vigil::aggregator;
using namespace vigil::aggregator::testing;

namespace {

constexpr std::int64_t kNow = kT0 + 3'600'000;

/// An agent after an outage: a live stream of its own, and the one before, which is over.
struct Returned {
  explicit Returned(const std::string& name = "web-1") : live(name, 'l'), old(name, 'o') {
    live.follows = std::string(16, 'o');
    old.ended = true;
  }
  FakeAgent live;
  FakeAgent old;
};

}  // namespace

TEST_CASE("an agent's new stream takes over from its old half-open one, a twin's does not") {
  IntakeFixture f;
  Returned agent;
  agent.old.ended = false;
  const auto before = f.connect(agent.old);
  CHECK(f.connect(FakeAgent("web-1", 't'), kT0 + 100)->refusals.at(0).code == v1::Refusal::CODE_DUPLICATE);
  CHECK(f.connect(agent.live, kT0 + 100)->welcomes.size() == 1);
  CHECK(before->refusals.at(0).message == "replaced by a new connection");
  CHECK(f.intake.streams() == 1);
}

TEST_CASE("back-fill is stored and shown, but it is no sign of life and no rule looks at it") {
  IntakeFixture f;
  int looks = 0;
  f.shards.at(0).set_hook(
      [&](HostId, const std::string&, std::int64_t, promql::Storage& storage, Occasion, Covered) {
        ++looks;
        CHECK(text_of(*storage.select(everything_of("m0"))) == "3600 ");
      });
  Returned agent;
  const auto live = f.connect(agent.live, kNow);
  f.send(live, agent.live.schema(), kNow);
  f.send(live, agent.live.batch({kNow}, true), kNow);
  CHECK(looks == 1);
  const Host& host = *f.shards.at(0).find("web-1");
  const std::string boot = host.record.boot_id;

  agent.old.boot_id = "the boot before";
  const auto late = f.connect(agent.old, kNow);
  REQUIRE(late->welcomes.size() == 1);
  CHECK(live->refusals.empty());
  f.send(late, agent.old.schema(), kNow + 2000);
  f.send(late, agent.old.batch({kT0, kT0 + 1000}, true), kNow + 2000);
  f.send(late, agent.old.batch({kNow - 1000}), kNow + 2000);  // old enough to be a row of now
  CHECK(late->acks == std::vector<std::uint64_t>{1, 2});
  CHECK(f.values("m0") == "0 1 3599 3600 ");
  CHECK(looks == 1);
  CHECK(host.last_sample_ms == kNow);
  CHECK(host.facts.last_rows_ms == kNow);
  CHECK(host.record.boot_id == boot);
  CHECK(f.counters.backfilled_rows.value() == 3);

  f.send(late, FakeAgent::bye("delivered"), kNow + 2000);
  f.intake.closed(late.get(), kNow + 2000);
  CHECK(host.connected);
  CHECK(f.backfill.streams() == 0);
  f.shards.at(0).tick(kNow + 2000);
  CHECK(host.state == HostState::up);  // it has not left
  f.shards.at(0).tick(kNow + 20'000);
  CHECK(host.state == HostState::down);  // for what was late is no sign of life
}

TEST_CASE("back-fill is refused for a stream that is live, another machine, a second one, and past so many") {
  IntakeFixture f;
  Returned agent;
  f.connect(agent.live, kNow);
  FakeAgent same = agent.live;
  same.ended = true;
  CHECK(f.connect(same, kNow)->refusals.at(0).code == v1::Refusal::CODE_UNAVAILABLE);
  FakeAgent other = agent.old;
  other.machine = 'x';
  CHECK(f.connect(other, kNow)->refusals.at(0).code == v1::Refusal::CODE_DUPLICATE);
  const auto first = f.connect(agent.old, kNow);
  FakeAgent second("web-1", 'p');
  second.ended = true;
  CHECK(f.connect(second, kNow)->refusals.at(0).retry_after_ms > 0);
  CHECK(f.connect(agent.old, kNow)->welcomes.size() == 1);  // the same one over a new connection
  CHECK(first->refusals.size() == 1);
  CHECK(f.backfill.streams() == 1);
  for (std::uint32_t i = 1; i < Backfill::kMostStreams; ++i)
    REQUIRE(f.connect(Returned(fmt::format("db-{}", i)).old, kNow)->welcomes.size() == 1);
  const auto late = f.connect(Returned("db-0").old, kNow);
  REQUIRE(late->refusals.size() == 1);
  CHECK(late->refusals[0].code == v1::Refusal::CODE_UNAVAILABLE);
  CHECK(late->refusals[0].retry_after_ms > 0);
}

TEST_CASE("back-fill past its credit is refused, and credit comes in equal shares of what can be spared") {
  IntakeFixture f;
  f.backfill.set_bytes_per_second(100'000);
  Returned agent;
  const auto late = f.connect(agent.old, kNow);
  const auto other = f.connect(Returned("web-2").old, kNow);
  CHECK(late->welcomes.at(0).backfill_credit() == CreditLine::kLeast);
  f.intake.resume(kNow + 1000);
  CHECK(late->credit == CreditLine::kLeast + 50'000);
  CHECK(other->credit == late->credit);
  for (int s = 2; s < 60; ++s) f.intake.resume(kNow + s * 1000);
  CHECK(late->credit == CreditLine::kWindow);  // what is not used does not add up
  f.send(late, agent.old.schema(), kNow + 60'000);
  std::uint64_t sent = agent.old.schema().ByteSizeLong();
  std::vector<std::int64_t> times(4000);
  for (std::size_t i = 0; i < times.size(); ++i) times[i] = kT0 + static_cast<std::int64_t>(i);
  for (bool first = true; sent < late->credit && late->refusals.empty(); first = false) {
    const auto message = agent.old.batch(times, first);
    for (std::int64_t& time : times) time += 4000;
    sent += message.ByteSizeLong();
    f.send(late, message, kNow + 60'000);  // durable at once, so that more is granted
  }
  CHECK(late->refusals.empty());
  CHECK(sent > CreditLine::kWindow);
  f.send(late, agent.old.batch({times[0]}), kNow + 60'000);
  REQUIRE(late->refusals.size() == 1);
  CHECK(late->refusals[0].code == v1::Refusal::CODE_LIMIT);
}

TEST_CASE("while the disk does not keep up back-fill gets nothing, under load a little") {
  IntakeFixture f;
  f.backfill.set_bytes_per_second(0);
  const auto late = f.connect(Returned().old, kNow);
  CHECK(late->welcomes.at(0).backfill_credit() == 0);
  f.intake.resume(kNow + 60'000);
  CHECK(late->acks.empty());
  f.backfill.set_bytes_per_second(backfill_rate(0.95));
  f.intake.resume(kNow + 60'100);
  CHECK(late->credit > 0);
  CHECK(backfill_rate(0) == Backfill::kFullRate);
  CHECK(backfill_rate(0.7) < Backfill::kFullRate);
  CHECK(backfill_rate(0.7) > backfill_rate(0.9));
  CHECK(backfill_rate(5) == backfill_rate(0.9));
}

TEST_CASE("a message past the credit is paid back before more is granted") {
  CreditLine line(0);
  CHECK(line.grant(1000, 0) == CreditLine::kLeast);
  CHECK(line.take(100));
  CHECK(line.take(1'000'000));
  CHECK_FALSE(line.take(1));
  CHECK_FALSE(line.grant(1e9, 1000));
  line.settle(1'000'101);
  CHECK(line.grant(1e9, 2000) == 1'000'101 + CreditLine::kWindow);
}

TEST_CASE("live and late batches that alternate in the journal are each told what they are after a restart") {
  const TemporaryFolder folder;
  Returned agent;
  agent.old.ended = false;
  std::string expected;
  {
    Life life(folder.path());
    const auto before = life.connect(agent.old);
    life.send(before, agent.old.schema());
    life.send(before, agent.old.batch({kT0}, true));
    life.intake->closed(before.get(), kT0);
    const auto live = life.connect(agent.live);
    life.send(live, agent.live.schema());
    agent.old.ended = true;
    agent.old.set_width(3);  // the third series is over before the live stream begins
    const auto late = life.connect(agent.old, 1);
    life.send(late, agent.old.schema());
    for (int i = 0; i < 3; ++i) {
      life.send(live, agent.live.batch({kT0 + (10 + i) * 1000}, i == 0));
      life.send(late, agent.old.batch({kT0 + (1 + i) * 1000}, i == 0));
    }
    life.commit();
    expected = "0 1 2 3 10 11 12 ";
    CHECK(life.values("m0") == expected);
  }
  Life life(folder.path());
  CHECK(life.summary.undecodable == 0);
  CHECK(life.values("m0") == expected);
  CHECK(life.values("m2") == "1 2 3 stale ");
  CHECK(life.host().head.active_series() == 2);
  CHECK(text_of(*life.host().head.select(everything_of("m0"), 100, LateRows::hidden)) == "0 10 11 12 ");
  CHECK(life.host().last_sample_ms == kT0 + 12'000);
}

TEST_CASE(
    "late blocks are stored by themselves, and what the stream sent while it was live is not forgotten") {
  const TemporaryFolder folder;
  Returned agent;
  agent.old.ended = false;
  std::size_t samples = 0;
  {
    Life life(folder.path());
    const auto before = life.connect(agent.old);
    life.send(before, agent.old.schema());
    life.send(before, agent.old.batch({kT0 - 10'000}, true));
    life.intake->closed(before.get(), kT0);
    const auto live = life.connect(agent.live);
    agent.old.ended = true;
    const auto late = life.connect(agent.old, 1);
    life.send(live, agent.live.schema());
    life.send(live, agent.live.batch({kT0}, true));
    life.send(late, agent.old.schema());
    bool keyframe = true;
    for (std::int64_t time = kT0 - 9000; life.host().head.late_seal_due() == false; time += 1'000'000) {
      std::vector<std::int64_t> times;
      for (int i = 0; i < 2000; ++i) times.push_back(time - 2'000'000'000 + i * 7 * (i % 3 + 1) * 50);
      std::ranges::sort(times);
      times.erase(std::unique(times.begin(), times.end()), times.end());
      samples += times.size();
      life.send(late, agent.old.batch(times, keyframe));
      life.commit();
      life.intake->resume(kT0 + static_cast<std::int64_t>(samples));
      REQUIRE(late->refusals.empty());
      keyframe = false;
    }
    life.shards->at(0).seal_late(life.host());
    life.commit();
    CHECK(life.history->stats().blocks > 1);
  }
  Life life(folder.path());
  CHECK(life.summary.rows == 1);  // the live one: all else is in blocks
  std::vector<promql::SelectedSeries> found;
  REQUIRE(read_slice(life.host().head.slice(everything_of("m0")), life.history.get(),
                     {0, kT0 * 2, 10'000'000}, found));
  REQUIRE(found.size() == 1);
  CHECK(found[0].points.size() == samples + 2);
}

TEST_CASE("what an earlier stream lost whole is a gap like any other") {
  const TemporaryFolder folder;
  Life life(folder.path());
  FakeAgent agent;
  const auto link = life.connect(agent);
  v1::AgentMessage gap;
  gap.mutable_gap()->set_first_time_ms(kT0 - 60'000);
  gap.mutable_gap()->set_last_time_ms(kT0 - 30'000);
  gap.mutable_gap()->set_reason("spool_full");
  gap.mutable_gap()->set_batches(30);
  life.send(link, gap);
  life.send(link, agent.schema());
  life.send(link, agent.batch({kT0}, true));
  life.commit();
  CHECK(link->acks.back() == 1);
  CHECK(life.host().gap_batches == 30);
  CHECK(life.history->gaps(0, 0, kT0 * 2).value() ==
        std::vector<GapRecord>{{0, kT0 - 60'000, kT0 - 30'000, "spool_full"}});
  gap.mutable_gap()->set_batches(0);
  life.send(link, gap);
  REQUIRE(link->refusals.size() == 1);
  CHECK(link->refusals[0].code == v1::Refusal::CODE_PROTOCOL);
}

TEST_CASE("a host whose back-fill is under way cannot be removed") {
  IntakeFixture f;
  Returned agent;
  const auto late = f.connect(agent.old, kNow);
  f.shards.at(0).tick(kNow + 75'000);
  CHECK(f.shards.at(0).forget("web-1").error().code == Errc::conflict);
  f.intake.closed(late.get(), kNow);
  CHECK(f.shards.at(0).forget("web-1"));
}
