#include "aggregator/head/shard.h"

#include "aggregator/fleet/fleet_rows.h"
#include "aggregator/head/fleet_view.h"
#include "aggregator/head/host_kind.h"
#include "aggregator/head/shard_set.h"
#include "common/delivery/backoff.h"
#include "tests/support/catch.h"

#include <future>
#include <map>
#include <random>
#include <string>
#include <utility>

using namespace vigil;
using namespace vigil::aggregator;

namespace {

constexpr std::int64_t kT0 = 1'700'000'000'000;

HostRecord record(const std::string& name, Labels labels = {}) {
  HostRecord made;
  made.name = name;
  made.machine_id = std::string(16, 'm');
  made.interval_ms = 1000;
  made.labels = std::move(labels);
  return made;
}

std::vector<promql::Matcher> named(const std::string& name) {
  return {*promql::Matcher::create(promql::MatchOp::equal, "__name__", name)};
}

/// The newest value of a series of the host, or nothing.
std::optional<double> last(Host& host, const std::string& name, std::int64_t now) {
  const auto found = host.head.select({named(name), now - 300'000, now}, 1'000'000);
  REQUIRE(found);
  if (found->empty() || is_stale(found->front().points.back().v)) return std::nullopt;
  return found->front().points.back().v;
}

}  // namespace

TEST_CASE("no state has begun in the future, though our clock was there") {
  ShardSet shards(1, {}, nullptr);
  Shard& shard = shards.at(0);
  Host& host = **shard.enroll(record("web-1"), kT0);
  constexpr std::int64_t kYearMs = 365LL * 86'400'000;
  shard.tick(kT0 + kYearMs);
  CHECK(host.state == HostState::down);
  CHECK(host.since_ms == kT0 + kYearMs);
  shard.tick(kT0 + 60'000);
  CHECK(host.since_ms <= kT0 + 60'000);
}

TEST_CASE("up follows the host's presence, second by second") {
  ShardSet shards(1, {}, nullptr);
  Shard& shard = shards.at(0);
  Host& host = **shard.enroll(record("web-1"), kT0);
  shard.tick(kT0);
  CHECK_FALSE(last(host, "up", kT0));
  shard.rows_arrived(host, {kT0 + 500, kT0 + 500}, kT0 + 600);
  shard.tick(kT0 + 1000);
  CHECK(last(host, "up", kT0 + 1000) == 1.0);
  CHECK(host.state == HostState::up);
  for (std::int64_t t = 2000; t <= 15'000; t += 1000) shard.tick(kT0 + t);
  CHECK(host.state == HostState::late);
  CHECK(last(host, "up", kT0 + 15'000) == 1.0);
  CHECK(last(host, "vigil_host_last_sample_age_seconds", kT0 + 15'000) == 14.4);
  shard.tick(kT0 + 16'000);
  CHECK(host.state == HostState::down);
  CHECK(host.since_ms == kT0 + 16'000);
  CHECK(last(host, "up", kT0 + 16'000) == 0.0);
  shard.rows_arrived(host, {kT0 + 16'500, kT0 + 16'500}, kT0 + 16'500);
  CHECK(host.state == HostState::up);
  shard.farewell(host, kT0 + 17'000);
  shard.tick(kT0 + 17'000);
  CHECK(host.state == HostState::left);
  CHECK_FALSE(last(host, "up", kT0 + 17'000));
}

TEST_CASE("a host that left is given up once, and only when it stays away longer than a restart takes") {
  ShardSet shards(1, {}, nullptr);
  Shard& shard = shards.at(0);
  std::vector<std::string> given_up;
  shard.on_left_for_good([&given_up](const std::string& instance) { given_up.push_back(instance); });
  Host& host = **shard.enroll(record("web-1"), kT0);
  shard.rows_arrived(host, {kT0, kT0}, kT0);
  shard.farewell(host, kT0 + 1000);
  shard.tick(kT0 + 1000 + kLeftForGoodMs - 1000);
  CHECK(given_up.empty());
  shard.tick(kT0 + 1000 + kLeftForGoodMs);
  shard.tick(kT0 + 1000 + kLeftForGoodMs + 1000);
  CHECK(given_up == std::vector<std::string>{"web-1"});
}

TEST_CASE("a host beyond the limit is refused with the limit's key, and taken once another was forgotten") {
  HostDirectory directory(nullptr, 1, {2, 600});
  REQUIRE(directory.enroll(record(std::string(kOwnHost)), kT0));  // takes nobody's place
  REQUIRE(directory.enroll(record("one"), kT0));
  REQUIRE(directory.enroll(record("two"), kT0));
  const auto refused = directory.enroll(record("three"), kT0);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::limit);
  CHECK(refused.error().message.find("ingest.max_hosts") != std::string::npos);
  directory.forget({}, 0);
  CHECK(directory.hosts() == 1);
  CHECK(directory.enroll(record("three"), kT0).value() == 3);  // numbers are never given twice
}

TEST_CASE("new hosts come in a burst and then at their rate; the others are told the limit's key") {
  HostDirectory directory(nullptr, 1, {25'000, 600});
  const auto enrolled = [&directory](std::int64_t now) {
    int count = 0;
    while (directory.enroll(record("host"), now)) ++count;
    return count;
  };
  CHECK(enrolled(kT0) == 1200);
  CHECK(directory.enroll(record("host"), kT0).error().message.find("ingest.max_new_hosts") !=
        std::string::npos);
  CHECK(enrolled(kT0 + 1000) == 10);
  CHECK(enrolled(kT0) == 0);  // a clock that was set back gives nothing away
  CHECK(enrolled(kT0 + 3'600'000) == 1200);
}

TEST_CASE("hosts known from before cost nothing of the rate, and removed ones count no more") {
  HostDirectory directory(nullptr, 1, {10, 1});
  HostRecord removed = record("gone");
  removed.removed = true;
  for (int i = 0; i < 8; ++i) directory.restore(record("host"));
  directory.restore(removed);
  CHECK(directory.hosts() == 8);
  CHECK(directory.enroll(record("new"), kT0).value() == 9);
  CHECK(directory.enroll(record("new"), kT0));
  CHECK_FALSE(directory.enroll(record("new"), kT0));
}

TEST_CASE("a large fleet that starts at once comes in by its agents' own back-off, soon") {
  const int agents = GENERATE(1000, 5000);
  HostDirectory directory(nullptr, 1, {25'000, 600});
  std::mt19937_64 random(7);  // NOLINT(cert-msc51-cpp): the same numbers each run
  std::uniform_real_distribution<double> share(0, 1);
  std::multimap<std::int64_t, Backoff> attempts;  // by time
  for (int i = 0; i < agents; ++i) attempts.emplace(kT0 + i % 10, Backoff());
  std::int64_t last_ms = 0;
  while (!attempts.empty()) {
    auto next = attempts.extract(attempts.begin());
    last_ms = next.key() - kT0;
    if (directory.enroll(record("host"), next.key())) continue;
    next.key() += next.mapped().next(share(random)).count();
    attempts.insert(std::move(next));
  }
  // 1,200 at once, then 600 a minute, and nobody waits much longer than for its turn.
  CHECK(last_ms <= (agents <= 1200 ? 10 : (agents - 1200) * 100 + 60'000));
}

TEST_CASE("a host that is down or has left can be forgotten, one that is there cannot") {
  ShardSet shards(1, {}, nullptr);
  Shard& shard = shards.at(0);
  std::vector<std::string> forgotten;
  shard.on_forgotten([&](HostId id, const std::string& instance) {
    forgotten.push_back(fmt::format("{} {}", id, instance));
  });
  Host& host = **shard.enroll(record("web-1"), kT0);
  shard.tick(kT0);
  CHECK(shard.forget("web-2").error().code == Errc::not_found);
  CHECK(shard.forget("web-1").error().code == Errc::conflict);  // late: it may come any moment
  shard.rows_arrived(host, {kT0, kT0}, kT0);
  CHECK(shard.forget("web-1").error().message.find("is up") != std::string::npos);
  shard.farewell(host, kT0 + 1000);
  host.connected = true;
  host.remote = "10.0.0.1:4711";
  CHECK(shard.forget("web-1").error().message.find("connected from 10.0.0.1:4711") != std::string::npos);
  host.connected = false;
  CHECK(shard.forget("web-1").value() == kFleetColumns);
  CHECK(forgotten == std::vector<std::string>{"0 web-1"});
  CHECK(shard.hosts().empty());
  CHECK(shard.find("web-1") == nullptr);
  CHECK(shards.directory().hosts() == 0);
  CHECK((*shard.enroll(record("web-1"), kT0 + 2000))->record.id == 1);
}

TEST_CASE("forgetting a name nobody has suggests the one that was meant") {
  ShardSet shards(2, {}, nullptr);
  for (const char* name : {"web-1", "db-1"}) {
    REQUIRE(shards.of(name).enroll(record(name), kT0));
    Host& host = *shards.of(name).find(name);
    shards.of(name).farewell(host, kT0);
  }
  for (std::size_t i = 0; i < shards.size(); ++i) shards.at(i).worker().start();
  FleetView view(shards, nullptr);
  const auto unknown = view.forget("wep-1");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == Errc::not_found);
  CHECK(unknown.error().message == "no host is called 'wep-1'; did you mean web-1?");
  CHECK(view.forget("web-1"));
  CHECK(view.hosts()->size() == 1);
  CHECK(view.series({})->empty());
}

TEST_CASE("rules look when rows arrive, at silent hosts once a second, and never at back-fill") {
  ShardSet shards(1, {}, nullptr);
  Shard& shard = shards.at(0);
  std::vector<std::int64_t> looks;
  shard.set_hook(
      [&](HostId, const std::string& instance, std::int64_t t_ms, promql::Storage&, Occasion, Covered) {
        CHECK(instance == "web-1");
        looks.push_back(t_ms - kT0);
      });
  Host& host = **shard.enroll(record("web-1"), kT0);
  shard.rows_arrived(host, {kT0, kT0}, kT0 + 5);
  CHECK(looks == std::vector<std::int64_t>{5});
  shard.tick(kT0 + 1000);  // rows may still come in time
  CHECK(looks.size() == 1);
  shard.tick(kT0 + 2000);
  shard.tick(kT0 + 3000);
  CHECK(looks == std::vector<std::int64_t>{5, 2000, 3000});
  shard.tick(kT0 + 4000);
  CHECK(looks.back() == 4000);
  const auto before = looks.size();
  shard.rows_arrived(host, {kT0 - 600'000, kT0 - 600'000}, kT0 + 4100);
  CHECK(looks.size() == before);
}

TEST_CASE("rules look at a host once something of it came, and know since when it has come without a gap") {
  ShardSet shards(1, {}, nullptr);
  Shard& shard = shards.at(0);
  std::string looks;
  shard.set_hook(
      [&](HostId, const std::string&, std::int64_t t_ms, promql::Storage&, Occasion, Covered covered) {
        looks += fmt::format("{}: {} to {}; ", t_ms - kT0, covered.since_ms - kT0, covered.until_ms - kT0);
      });
  HostRecord known = record("web-1");
  known.id = 5;
  Host& host = shard.restore(known, kT0);
  shard.tick(kT0 + 2000);
  shard.tick(kT0 + 9000);
  CHECK(looks.empty());  // what it had before our start is not what it has now
  shard.rows_arrived(host, {kT0 + 9900, kT0 + 9900}, kT0 + 10'000);
  shard.rows_arrived(host, {kT0 + 12'000, kT0 + 12'000}, kT0 + 12'000);
  CHECK(std::exchange(looks, {}) == "10000: 9900 to 9900; 12000: 9900 to 12000; ");
  shard.tick(kT0 + 14'000);
  CHECK(std::exchange(looks, {}) == "14000: 9900 to 12000; ");
  shard.rows_arrived(host, {kT0 + 15'500, kT0 + 15'500}, kT0 + 15'500);
  CHECK(std::exchange(looks, {}) == "15500: 15500 to 15500; ");
}

TEST_CASE("a host with more new series than allowed is refused, and allowed more as time passes") {
  ShardOptions options;
  options.max_series = 100;
  ShardSet shards(1, options, nullptr);
  Shard& shard = shards.at(0);
  Host& host = **shard.enroll(record("web-1"), kT0);
  int made = 0;
  const auto bring = [&](int count, std::int64_t now) {
    std::vector<SeriesSpec> specs;
    for (int i = 0; i < count; ++i)
      specs.push_back({fmt::format("m{}", made++), {}, SeriesType::gauge, Encoding::decimal, 0});
    return shard.columns(host, {"node", 1000}, specs, now).has_value();
  };
  CHECK(bring(100, kT0));
  CHECK_FALSE(bring(1, kT0 + 1000));
  CHECK(bring(50, kT0 + 1'800'001));
  CHECK_FALSE(bring(10, kT0 + 1'800'002));
}

TEST_CASE("the fleet's series are limited, too, and a host that is forgotten makes room") {
  ShardOptions options;
  options.enrol.max_total_series = 3;
  ShardSet shards(1, options, nullptr);
  Shard& shard = shards.at(0);
  const auto bring = [&](const char* host, int count) {
    std::vector<SeriesSpec> specs;
    for (int i = 0; i < count; ++i)
      specs.push_back({fmt::format("m{}", i), {}, SeriesType::gauge, Encoding::decimal, 0});
    return shard.columns(**shard.enroll(record(host), kT0), {"node", 1000}, specs, kT0);
  };
  CHECK(bring("web-1", 2));
  const auto refused = bring("web-2", 2);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::limit);
  CHECK(refused.error().message.find("ingest.max_total_series") != std::string::npos);
  CHECK(bring("web-1", 2));  // what is known already
  shard.tick(kT0 + 75'000);  // down, as nothing came of it since our start
  REQUIRE(shard.forget("web-1"));
  CHECK(bring("web-2", 2));
}

TEST_CASE("query threads see all hosts of all shards, their series and their labels") {
  ShardSet shards(2, {}, nullptr);
  for (const char* name : {"web-1", "web-2", "web-3", "db-1"}) {
    Shard& shard = shards.of(name);
    Host& host = **shard.enroll(record(name, {{"env", "prod"}}), kT0);
    const auto ids = shard.columns(host, {"node", 1000},
                                   {{"node_load1", {}, SeriesType::gauge, Encoding::decimal, 2}}, kT0);
    REQUIRE(ids);
    host.head.set_columns(1, {"node", 1000}, *ids);
    host.head.append(1, kT0, std::vector<std::int64_t>{150});
    shard.rows_arrived(host, {kT0, kT0}, kT0);
  }
  for (std::size_t i = 0; i < shards.size(); ++i) shards.at(i).worker().start();
  FleetView view(shards, nullptr);

  const auto hosts = view.hosts();
  REQUIRE(hosts);
  REQUIRE(hosts->size() == 4);
  CHECK((*hosts)[0].name == "db-1");
  CHECK((*hosts)[0].state == HostState::up);
  CHECK((*hosts)[0].last_sample_ms == kT0);
  CHECK((*hosts)[0].series == 1);

  FleetStorage storage(view);
  const auto web = *promql::Matcher::create(promql::MatchOp::regex, "instance", "web-.*");
  const auto found = storage.select({{named("node_load1")[0], web}, kT0 - 1000, kT0});
  REQUIRE(found);
  REQUIRE(found->size() == 3);
  for (const auto& series : *found) {
    CHECK(series.labels->get("env") == "prod");
    CHECK(series.points == std::vector<promql::Point>{{kT0, 1.5}});
  }
  FleetStorage tiny(view, {2});
  CHECK(tiny.select({named("node_load1"), kT0, kT0}).error().code == Errc::limit);

  CHECK(view.series({named("node_load1"), named("nothing")})->size() == 4);
  CHECK(view.series({}, 3).error().code == Errc::limit);
  CHECK(*view.label_names({}) == std::vector<std::string>{"__name__", "env", "instance", "job"});
  CHECK(*view.label_values("instance", {{web}}) == std::vector<std::string>{"web-1", "web-2", "web-3"});
}

TEST_CASE("a question to a shard that does not answer ends, and its late answer does no harm") {
  ShardSet shards(1, {}, nullptr);
  shards.at(0).worker().start();
  std::promise<void> release;
  shards.at(0).worker().post([&] { release.get_future().wait(); });
  const auto answer = shards.ask<int>([](Shard&) { return 1; }, std::chrono::milliseconds(1));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::unavailable);
  release.set_value();
  shards.at(0).worker().stop();
  CHECK(shards.ask<int>([](Shard&) { return 1; }).error().code == Errc::unavailable);
}

TEST_CASE("who asks many things in a row waits for a stuck shard once, and it is counted once") {
  ShardSet shards(1, {}, nullptr);
  shards.at(0).worker().start();
  std::promise<void> release;
  shards.at(0).worker().post([&] { release.get_future().wait(); });
  FleetView view(shards, nullptr);
  std::atomic<std::uint64_t> missed = 0;
  FleetStorage storage(view, {1000, std::chrono::milliseconds(20), &missed});
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i)
    CHECK(storage.select({named("up"), kT0, kT0}).error().code == Errc::unavailable);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(10));
  CHECK(missed == 1);
  release.set_value();
}

TEST_CASE("a question about every host lets other work of the shard come in between") {
  ShardSet shards(1, {}, nullptr);
  Shard& shard = shards.at(0);
  constexpr int kHosts = 50;
  for (int i = 0; i < kHosts; ++i) REQUIRE(shard.enroll(record(fmt::format("web-{}", i)), kT0));
  int seen = 0;
  int seen_between = kHosts;
  shard.worker().start();
  const auto answer = shards.ask_hosts<int>([&](const Host&, int& count) {
    ++count;
    if (++seen == 1) shard.worker().post([&] { seen_between = seen; });
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(1);
    while (std::chrono::steady_clock::now() < until) {
    }
    return Result<void>();
  });
  REQUIRE(answer);
  CHECK(answer->front() == kHosts);
  CHECK(seen_between < kHosts);
}

TEST_CASE("the error of one visit is the answer to a question about every host") {
  ShardSet shards(1, {}, nullptr);
  for (int i = 0; i < 3; ++i) REQUIRE(shards.at(0).enroll(record(fmt::format("web-{}", i)), kT0));
  shards.at(0).worker().start();
  int visited = 0;
  const auto answer = shards.ask_hosts<int>([&](const Host&, int&) -> Result<void> {
    if (++visited == 2) return MatchBudget::spent();
    return {};
  });
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::limit);
  CHECK(visited == 2);
}

TEST_CASE("another machine under a host's name is taken, counted and told with its time") {
  ShardSet shards(1, {}, nullptr);
  Shard& shard = shards.at(0);
  Host& host = **shard.enroll(record("web-1"), kT0);
  shard.rows_arrived(host, {kT0, kT0}, kT0);
  REQUIRE(shard.enroll(record("web-1"), kT0 + 1000));  // the same machine, back again
  CHECK(host.machine_changed_ms == 0);
  HostRecord other = record("web-1");
  other.machine_id = std::string(16, 'x');
  REQUIRE(shard.enroll(other, kT0 + 5000));
  CHECK(host.machine_changed_ms == kT0 + 5000);
  CHECK(shard.machine_changes() == 1);
  CHECK(host.record.machine_id == other.machine_id);
}

TEST_CASE("what is heard first after a start may have been so for longer") {
  ShardSet shards(1, {}, nullptr);
  Shard& shard = shards.at(0);
  Host& host = shard.restore(record("web-1"), kT0);
  CHECK(host.since_earlier);
  shard.rows_arrived(host, {kT0 + 2000, kT0 + 2000}, kT0 + 2000);
  CHECK(host.state == HostState::up);
  CHECK(host.since_earlier);
  for (std::int64_t t = 3000; t <= 20'000; t += 1000) shard.tick(kT0 + t);
  CHECK(host.state == HostState::down);
  CHECK_FALSE(host.since_earlier);

  HostRecord gone = record("web-2");
  gone.left = true;
  gone.last_seen_ms = kT0 - 3'600'000;
  const Host& left = shard.restore(gone, kT0);
  CHECK(left.since_ms == kT0 - 3'600'000);
  CHECK_FALSE(left.since_earlier);
}
