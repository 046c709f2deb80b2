// Series leave a running aggregator once nothing of them is stored, whatever happens meanwhile.
#include "aggregator/head/leaving.h"

#include "aggregator/ingest/local_intake.h"
#include "tests/aggregator/ingest/life.h"

#include <future>

using namespace vigil;
using namespace vigil::aggregator;
using namespace vigil::aggregator::testing;

namespace {

/// All files of kT0's year are over then, and a day more.
constexpr std::int64_t kLater = kT0 + 60 * kDayMs;
constexpr const char* kPusher = "remote_write/web-1:9100";
const SeriesForm kGauge{SeriesType::gauge, Encoding::decimal, 0};

std::array<TierKeep, 3> a_day_of_each() {
  TierKeep keep;
  keep.keep = std::chrono::hours(24);
  return {keep, keep, keep};
}

/// A life on a day: whatever is done is done then.
struct DayLife : Life {
  explicit DayLife(const std::filesystem::path& folder, std::int64_t now, ShardOptions limits = {})
      : Life(folder, now, limits, now, a_day_of_each()), now_ms(now) {}

  std::shared_ptr<FakeLink> greet(const FakeAgent& agent, std::uint64_t first_kept = 0) {
    auto link = std::make_shared<FakeLink>();
    intake->open(agent.greeting(first_kept), link, now_ms);
    return link;
  }
  void feed(const std::shared_ptr<FakeLink>& link, const v1::AgentMessage& message) {
    intake->feed(link.get(), message.SerializeAsString(), now_ms);
  }
  void push(const std::string& name, promql::Point point) {
    LocalWrite write;
    write.host = kPusher;
    write.series = {{Labels{{"__name__", name}}, SeriesType::unknown, 1}};
    write.samples = {point};
    local.write(
        write, [](const LocalWritten&) {}, now_ms);
  }
  /// Everything is sealed, and leaves memory.
  void seal() {
    shard().seal_all(now_ms);
    for (const auto& [id, each] : shard().hosts()) each->head.evict(now_ms + kDayMs);
    REQUIRE(history->sync());
  }
  /// To a day on which what was stored before is over.
  void pass_to(std::int64_t time) { clock = now_ms = time; }
  void retire() { REQUIRE(history->tidy()); }
  /// The history is asked; what it was asked before is answered.
  void tick() {
    now_ms += 1000;
    clock = now_ms;
    shard().tick(now_ms);
    REQUIRE(history->tidy());  // behind the question, on the keeper's thread
  }
  Shard& shard() { return shards->at(0); }
  bool knows(const std::string& name, const std::string& of = "web-1") { return id_of(name, of).has_value(); }
  /// Without using it.
  std::optional<SeriesId> id_of(const std::string& name, const std::string& of = "web-1") {
    const auto found = host(of).head.registry().matching(everything_of(name).matchers);
    return found.empty() ? std::nullopt : std::optional(found.back());
  }

  std::int64_t now_ms;
  PendingWrites pending{StreamId{1, 2, 3}};
  LocalIntake local{shards->at(0), pending};
};

/// m0 and m1 on the first day; m0 alone, and files of that day no more, on a later one.
void end_m1(DayLife& life, FakeAgent& agent, std::shared_ptr<FakeLink>& link) {
  link = life.greet(agent);
  life.feed(link, agent.schema());
  life.feed(link, agent.batch({life.now_ms}, true));
  agent.set_width(1);
  life.feed(link, agent.schema());
  life.feed(link, agent.batch({life.now_ms + 1000}));
  life.seal();
  life.pass_to(kT0 + kDayMs + kHourMs);
  life.retire();
  life.pass_to(kLater);
  life.feed(link, agent.batch({kLater}));
  life.seal();
  life.retire();
}

}  // namespace

TEST_CASE("a series that ended leaves when its last data do, and the others stay") {
  TemporaryFolder folder;
  std::size_t series = 0;
  SeriesId next = 0;
  {
    DayLife life(folder.path(), kT0);
    FakeAgent agent;
    std::shared_ptr<FakeLink> link;
    end_m1(life, agent, link);
    REQUIRE(life.history->complete_from_ms(Tier::hour) > kT0);
    const std::weak_ptr<const Labels> labels = life.host().head.registry().at(*life.id_of("m1"))->labels;
    series = life.host().head.registry().size();
    const HostSlice asked = life.host().head.slice(everything_of("m1"));  // a query on its way
    life.tick();
    CHECK(life.knows("m1"));
    life.tick();
    CHECK_FALSE(life.knows("m1"));
    CHECK(life.knows("m0"));
    CHECK(life.host().head.registry().size() < series + kFleetColumns);
    CHECK(life.shards->directory().series() == life.host().head.registry().size());
    CHECK(life.values("m0") == fmt::format("{} ", (kLater - kT0) / 1000));

    std::vector<promql::SelectedSeries> found;
    CHECK(asked.series.at(0).labels->get("__name__") == "m1");
    CHECK(read_slice(asked, life.history.get(), {0, kT0 * 2, 1'000'000}, found));
    CHECK(found.empty());
    CHECK_FALSE(labels.expired());
    series = life.host().head.registry().size();
    next = life.host().head.registry().next_id();
  }
  DayLife life(folder.path(), kLater + kHourMs);
  CHECK(life.host().head.registry().size() == series);
  CHECK(life.host().head.registry().next_id() == next);
  CHECK_FALSE(life.knows("m1"));
  CHECK(life.history->check({}, {}).value().findings == 0);
}

TEST_CASE("a series that comes back after it left has a new id, and nothing is lost or doubled") {
  TemporaryFolder folder;
  SeriesId again = 0;
  {
    DayLife life(folder.path(), kT0);
    FakeAgent agent;
    std::shared_ptr<FakeLink> link;
    end_m1(life, agent, link);
    const SeriesId before = *life.id_of("m1");
    life.tick();
    life.tick();
    REQUIRE_FALSE(life.knows("m1"));
    agent.set_width(2);
    life.feed(link, agent.schema());
    life.feed(link, agent.batch({kLater + 10'000}));
    again = *life.id_of("m1");
    CHECK(again > before);
    life.commit(life.now_ms);
    CHECK(life.values("m1") == fmt::format("{} ", (kLater + 10'000 - kT0) / 1000));
  }
  DayLife life(folder.path(), kLater + 60'000);  // from the journal
  CHECK(life.id_of("m1") == again);
  CHECK(life.summary.undecodable == 0);
  CHECK(life.values("m1") == fmt::format("{} ", (kLater + 10'000 - kT0) / 1000));
}

TEST_CASE("a series that comes back while it is asked about stays") {
  TemporaryFolder folder;
  const std::string value = fmt::format("{} ", (kLater + 10'000 - kT0) / 1000);
  SeriesId before = 0;
  {
    DayLife life(folder.path(), kT0);
    FakeAgent agent;
    std::shared_ptr<FakeLink> link;
    end_m1(life, agent, link);
    before = *life.id_of("m1");
    life.tick();  // the answer is there: nothing of it is stored
    agent.set_width(2);
    life.feed(link, agent.schema());
    life.feed(link, agent.batch({kLater + 10'000}));
    agent.set_width(1);  // and ends again, and is in memory no more
    life.feed(link, agent.schema());
    life.feed(link, agent.batch({kLater + 11'000}));
    life.seal();
    life.tick();
    CHECK(life.id_of("m1") == before);
    CHECK(life.values("m1").starts_with(value));
  }
  DayLife life(folder.path(), kLater + kHourMs);
  CHECK(life.id_of("m1") == before);
  CHECK(life.values("m1").starts_with(value));
  life.tick();
  life.tick();
  CHECK(life.id_of("m1") == before);  // asked again: it has a block
}

TEST_CASE("back-fill that was in memory when the question was asked keeps its series") {
  TemporaryFolder folder;
  DayLife life(folder.path(), kT0);
  FakeAgent agent;
  std::shared_ptr<FakeLink> link;
  end_m1(life, agent, link);
  const SeriesId before = *life.id_of("m1");
  HostHead& head = life.host().head;
  const std::uint32_t late = source_number(kLateLane, 1);
  head.set_columns(late, {"node#1+late", 1000}, {before});
  head.append(late, kLater - kHourMs, std::vector<std::int64_t>{5});
  life.tick();  // it is in no block yet, so that no file and no queue tells of it
  head.end_lane(kLateLane);
  life.seal();  // and now memory does not either
  life.tick();
  CHECK(life.id_of("m1") == before);
  CHECK(life.values("m1").starts_with("5 "));
}

TEST_CASE("a kill between the two removals loses nothing: the series leaves another time") {
  TemporaryFolder folder;
  TemporaryFolder killed;
  TemporaryFolder killed_later;
  {
    DayLife life(folder.path(), kT0);
    FakeAgent agent;
    std::shared_ptr<FakeLink> link;
    end_m1(life, agent, link);
    life.tick();
    life.shard().tick(life.now_ms + 1000);
    REQUIRE_FALSE(life.knows("m1"));  // but the index does not know yet
    const auto copy = std::filesystem::copy_options::recursive;
    std::filesystem::copy(folder.path(), killed.path(), copy);
    REQUIRE(life.history->sync());
    std::filesystem::copy(folder.path(), killed_later.path(), copy);
  }
  DayLife life(killed.path(), kLater + kHourMs);
  CHECK(life.knows("m1"));
  CHECK(life.values("m0") == fmt::format("{} ", (kLater - kT0) / 1000));
  life.tick();
  life.tick();
  CHECK_FALSE(life.knows("m1"));
  DayLife later(killed_later.path(), kLater + kHourMs);
  CHECK_FALSE(later.knows("m1"));
  CHECK(later.values("m0") == fmt::format("{} ", (kLater - kT0) / 1000));
}

TEST_CASE("what somebody pushed is never brief: it stays with its hours, and goes on as what it was") {
  TemporaryFolder folder;
  {
    DayLife life(folder.path(), kT0);
    life.push("a", {kT0, 1});
    life.push("b", {kT0, 2});
    life.seal();
    life.pass_to(kT0 + kDayMs + kHourMs);
    life.retire();
    life.pass_to(kLater);
    life.push("b", {kLater, 3});
    life.seal();
    life.retire();
    life.tick();
    life.tick();
    CHECK(life.knows("a", kPusher));  // its samples are gone; one a day may be all there is
    CHECK(life.id_of("b", kPusher) == 1);
    life.push("a", {kLater + 2000, 4});
    life.push("b", {kLater + 2000, 5});
    REQUIRE(life.history->sync());
    CHECK(life.id_of("a", kPusher) == 0);
    CHECK(life.values("a", kPusher) == "4 ");
  }
  DayLife life(folder.path(), kLater + 60'000);
  CHECK(life.id_of("a", kPusher) == 0);
  CHECK(life.values("a", kPusher) == "4 ");
  CHECK(life.values("b", kPusher) == "3 5 ");
}

TEST_CASE("a host at its limit takes new series once others have left, and is told what to do until then") {
  TemporaryFolder folder;
  ShardOptions limits;
  limits.max_known_series = 2 + kFleetColumns;
  DayLife life(folder.path(), kT0, limits);
  FakeAgent agent;
  std::shared_ptr<FakeLink> link;
  end_m1(life, agent, link);
  life.tick();  // with the series of the fleet it has as many as it may
  Host& host = life.host();
  const auto refused =
      life.shard().columns(host, {"node", 1000}, {{"new", {}, kGauge.type, kGauge.encoding, 0}}, life.now_ms);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::limit);
  CHECK(
      refused.error().message ==
      fmt::format("web-1 has {} series that run or have data that are kept, ingest.max_known_series: raise "
                  "it, or shorten store.raw.retention, store.minute.retention and store.hour.retention, for "
                  "a series that ended leaves with the last of its data",
                  limits.max_known_series));
  life.tick();
  CHECK(life.shard().columns(host, {"node", 1000}, {{"new", {}, kGauge.type, kGauge.encoding, 0}},
                             life.now_ms));
}

TEST_CASE("thousands of series leave in steps, while others ask for them") {
  TemporaryFolder folder;
  DayLife life(folder.path(), kT0);
  FakeAgent agent;
  std::shared_ptr<FakeLink> link;
  end_m1(life, agent, link);
  Host& host = life.host();
  SeriesRegistry& registry = host.head.registry();
  const std::size_t before = registry.size();
  constexpr std::size_t kMany = 2 * Leaving::kMostAtOnce + 500;
  std::vector<SeriesRecord> records;
  for (std::size_t i = 0; i < kMany; ++i) {
    const SeriesSpec spec{"brief", {{"pid", std::to_string(i)}}, kGauge.type, kGauge.encoding, 0};
    const SeriesId id = registry.next_id();
    registry.add(id, registry.full_labels("node", spec), kGauge);
    records.push_back({id, {"node", 1000}, spec});
  }
  const auto put = life.history->put_series(host.record.id, std::move(records));
  REQUIRE(put);
  REQUIRE(life.history->sync());
  life.shards->directory().restore_series(kMany);

  life.tick();
  std::vector<std::size_t> sizes;
  std::vector<std::future<bool>> queries;
  for (int step = 0; step < 3; ++step) {
    queries.push_back(std::async(std::launch::async, [slice = host.head.slice(everything_of("brief"))] {
      return std::ranges::all_of(slice.series, [](const WantedSeries& series) {
        return series.labels->get("__name__") == "brief" && !series.labels->get("pid").empty();
      });
    }));
    life.tick();
    sizes.push_back(registry.matching(everything_of("brief").matchers).size());
  }
  CHECK(sizes.at(0) == kMany + 1 - Leaving::kMostAtOnce);  // m1 was the first of the first step
  CHECK(sizes.at(1) == kMany + 1 - 2 * Leaving::kMostAtOnce);
  CHECK(sizes.at(2) == 0);
  CHECK(registry.size() < before + kFleetColumns);
  for (std::future<bool>& query : queries) CHECK(query.get());
}
