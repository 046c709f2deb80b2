#include "aggregator/rules/host_rules.h"

#include "aggregator/alerts/alert_book.h"
#include "aggregator/rules/fleet_rules.h"
#include "tests/aggregator/rules/table_storage.h"
#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

using namespace vigil;
using namespace vigil::rules;
using test::TableStorage;

namespace {

RuleSetPtr load(const std::string& yaml) {
  const test::TempFile file("rules.yml", yaml);
  RulesConfig config;
  config.preset = Preset::none;
  config.files = {file.path()};
  auto set = RuleSet::load(config, {}, "");
  REQUIRE(set);
  return *set;
}

constexpr const char* kRules = R"(
groups:
  - name: g
    interval: 5s
    rules:
      - {alert: Full, expr: used > 90}
  - name: fast
    interval: 1s
    rules:
      - {alert: Down, expr: link == 0}
)";

Labels used(std::string_view mount) {
  return Labels{{"__name__", "used"}, {"instance", "web"}, {"mount", std::string(mount)}};
}
const Labels kLink{{"__name__", "link"}, {"instance", "web"}};

struct Bench {
  explicit Bench(const std::string& yaml = kRules, KnownAlertsPtr known = nullptr)
      : current(load(yaml)),
        rules(current, std::move(known), [this](Evaluation e) { got.push_back(std::move(e)); }) {}

  std::vector<Evaluation> tick(std::int64_t t_ms,
                               aggregator::Occasion occasion = aggregator::Occasion::arrival,
                               const aggregator::Covered& covered = {}) {
    got.clear();
    rules.on_host_tick(7, "web", t_ms, storage, occasion, covered);
    return std::move(got);
  }

  CurrentRules current;
  TableStorage storage;
  std::vector<Evaluation> got;
  HostRules rules;
};

/// The fleet's view of a table.
struct View : promql::Storage {
  explicit View(TableStorage& t) : table(t) {}
  Result<std::vector<promql::SelectedSeries>> select(const promql::Selection& s) override {
    return table.select(s);
  }
  TableStorage& table;
};

}  // namespace

TEST_CASE("what arrives after rules looked at the quiet host is looked at at once") {
  Bench bench;
  bench.storage.add(used("/"), 10'000, 10);
  bench.tick(10'000);
  CHECK(bench.tick(15'000, aggregator::Occasion::quiet).empty());
  bench.storage.add(used("/"), 16'200, 95);
  const auto got = bench.tick(16'200);  // the next turn of the interval would be at 20 s
  REQUIRE(got.size() == 1);
  CHECK(got[0].rule->name == "Full");
  bench.storage.add(used("/"), 16'900, 10);
  CHECK(bench.tick(16'900).empty());  // once an interval is enough
  CHECK(bench.tick(20'000, aggregator::Occasion::quiet).size() == 1);
  CHECK(bench.tick(20'000).size() <= 1);  // in the same millisecond, too
}

TEST_CASE("what was before the first look at a host is not covered, nor what its samples do not reach") {
  using aggregator::Occasion;
  Bench bench(R"(
groups:
  - name: g
    interval: 1s
    rules:
      - {alert: Down, expr: link == 0}
)");
  const auto covered = [&bench](std::int64_t t_ms, Occasion occasion, aggregator::Covered by) {
    std::string out;
    for (const Evaluation& e : bench.tick(t_ms, occasion, by))
      out += fmt::format("{} {} {} ", e.rule->name, e.covered.since_ms, e.covered.until_ms);
    return out;
  };
  bench.storage.add(kLink, 9'900, 0);
  CHECK(covered(10'000, Occasion::arrival, {5'000, 9'900}) == "Down 9900 9900 ");
  CHECK(covered(12'000, Occasion::quiet, {5'000, 9'900}) == "Down 9900 9900 ");
  bench.storage.add(kLink, 30'000, 0);
  CHECK(covered(30'000, Occasion::arrival, {30'000, 30'000}) == "Down 30000 30000 ");
}

TEST_CASE("A rule is evaluated when its interval has passed for the host, on absolute ticks") {
  Bench bench;
  for (std::int64_t t = 1'000; t <= 12'000; t += 500) {
    bench.storage.add(kLink, t, 0);
    const auto got = bench.tick(t);
    CAPTURE(t);
    CHECK(got.size() == (t % 1000 == 0 ? 1 : 0));
  }
  // The slow group: at the first tick, then when a multiple of 5 s was crossed.
  CHECK(bench.current.get()->rules()[0]->stats->evaluations == 3);
  CHECK(bench.current.get()->rules()[1]->stats->evaluations == 12);
}

TEST_CASE("An active rule is reported each time, and once more when it ends") {
  Bench bench;
  bench.storage.add(kLink, 1'000, 1);
  CHECK(bench.tick(1'000).empty());
  bench.storage.add(kLink, 2'000, 0);
  auto got = bench.tick(2'000);
  REQUIRE(got.size() == 1);
  CHECK(got[0].rule->name == "Down");
  CHECK(got[0].scope == "web");
  CHECK(got[0].t_ms == 2'000);
  REQUIRE(got[0].active.size() == 1);
  CHECK(*got[0].active[0].labels == kLink);
  bench.storage.add(kLink, 3'000, 0);
  CHECK(bench.tick(3'000).size() == 1);
  bench.storage.add(kLink, 4'000, 1);
  got = bench.tick(4'000);
  REQUIRE(got.size() == 1);
  CHECK(got[0].active.empty());
  CHECK(got[0].unknown.empty());
  CHECK(got[0].gone.empty());
  CHECK(bench.tick(5'000).empty());
}

TEST_CASE("A series without data is unknown, not false; after a while it is gone") {
  Bench bench;
  bench.storage.add(used("/"), 10'000, 95);
  bench.storage.add(used("/var"), 10'000, 95);
  CHECK(bench.tick(10'000)[0].active.size() == 2);

  SECTION("while the host has other series of the rule: for two minutes") {
    bench.storage.drop(used("/var"));
    bench.storage.add(used("/"), 20'000, 50);
    auto got = bench.tick(20'000);
    REQUIRE(got.size() == 1);
    CHECK(got[0].active.empty());  // "/" is false
    REQUIRE(got[0].unknown.size() == 1);
    CHECK(*got[0].unknown[0] == used("/var"));
    bench.storage.add(used("/"), 120'000, 50);
    CHECK(bench.tick(120'000)[0].unknown.size() == 1);
    bench.storage.add(used("/"), 140'000, 50);
    got = bench.tick(140'000);
    CHECK(got[0].unknown.empty());
    CHECK(got[0].gone.size() == 1);
    CHECK(bench.tick(145'000).empty());
  }
  SECTION("when nothing of the rule is left, but all collectors work: for two minutes") {
    const Labels works{
        {"__name__", "node_scrape_collector_success"}, {"instance", "web"}, {"collector", "filesystem"}};
    const Labels runtime{
        {"__name__", "vigil_container_runtime_up"}, {"instance", "web"}, {"runtime", "docker"}};
    bench.storage.drop(used("/"));
    bench.storage.drop(used("/var"));
    bench.storage.add(works, 20'000, 1);
    bench.storage.add(runtime, 20'000, 1);
    CHECK(bench.tick(20'000)[0].unknown.size() == 2);
    bench.storage.add(works, 140'000, 1);
    bench.storage.add(runtime, 140'000, 0);  // it does not answer: nobody knows of its containers
    CHECK(bench.tick(140'000)[0].unknown.size() == 2);
    bench.storage.add(works, 145'000, 0);
    bench.storage.add(runtime, 145'000, 1);
    CHECK(bench.tick(145'000)[0].unknown.size() == 2);
    bench.storage.add(works, 150'000, 1);
    CHECK(bench.tick(150'000)[0].gone.size() == 2);
  }
  SECTION("when nothing of the rule is left: for an hour") {
    bench.storage.drop(used("/"));
    bench.storage.drop(used("/var"));
    CHECK(bench.tick(20'000)[0].unknown.size() == 2);
    CHECK(bench.tick(3'600'000)[0].unknown.size() == 2);
    CHECK(bench.tick(3'620'000)[0].gone.size() == 2);
  }
  SECTION("and counts from anew when it comes back in between") {
    bench.storage.drop(used("/var"));
    bench.storage.add(used("/"), 110'000, 95);
    CHECK(bench.tick(110'000)[0].unknown.size() == 1);
    bench.storage.add(used("/var"), 115'000, 95);
    bench.storage.add(used("/"), 115'000, 95);
    CHECK(bench.tick(115'000)[0].active.size() == 2);
    bench.storage.drop(used("/var"));
    bench.storage.add(used("/"), 200'000, 95);
    CHECK(bench.tick(200'000)[0].unknown.size() == 1);
  }
}

TEST_CASE("A rule that fails keeps its memory and says why") {
  Bench bench;
  bench.storage.add(kLink, 2'000, 0);
  CHECK(bench.tick(2'000).size() == 1);
  bench.storage.broken = true;
  CHECK(bench.tick(3'000).empty());
  const RulePtr rule = bench.current.get()->rules()[1];
  CHECK(rule->stats->failures == 1);
  CHECK(rule->stats->last_error() == "the table is broken");
  bench.storage.broken = false;
  bench.storage.add(kLink, 4'000, 1);
  const auto got = bench.tick(4'000);
  REQUIRE(got.size() == 1);
  CHECK(got[0].active.empty());
  CHECK(rule->stats->last_error().empty());
}

TEST_CASE("A group's limit counts the alerts of all hosts, so that its rules look at the fleet") {
  const CurrentRules current(
      load("groups: [{name: g, limit: 1, interval: 1s, rules: [{alert: A, expr: used > 1}]}]"));
  CHECK(current.get()->rules()[0]->scope == Scope::fleet);
  TableStorage storage;
  std::vector<Evaluation> got;
  FleetRules rules(
      current, nullptr, [&storage] { return std::make_unique<View>(storage); },
      FleetRules::Sinks{[&got](Evaluation e) { got.push_back(std::move(e)); }, {}});
  storage.add(used("/a"), 1'000, 5);
  rules.tick(1'000);
  CHECK(got.size() == 1);
  storage.add(Labels{{"__name__", "used"}, {"instance", "other"}}, 2'000, 5);
  rules.tick(2'000);
  CHECK(got.size() == 1);
  CHECK(current.get()->rules()[0]->stats->last_error() == "exceeded limit of 1 with 2 alerts");
}

TEST_CASE("Alerts known from before the start end although this process never saw them begin") {
  auto known = std::make_shared<KnownAlerts>();
  (*known)[{"fast/Down/", "web"}] = {{std::make_shared<const Labels>(kLink), true}};
  (*known)[{"fast/Down/", "other"}] = {{std::make_shared<const Labels>(kLink), true}};
  Bench bench(kRules, known);
  bench.storage.add(kLink, 1'000, 1);
  const auto got = bench.tick(1'000);
  REQUIRE(got.size() == 1);
  CHECK(got[0].active.empty());
  CHECK(bench.tick(2'000).empty());
}

TEST_CASE("New rules take over what the old ones remember") {
  Bench bench;
  bench.storage.add(kLink, 1'000, 0);
  CHECK(bench.tick(1'000).size() == 1);
  bench.current.replace(
      load("groups: [{name: fast, interval: 1s, rules: [{alert: Down, expr: link == 5}]}]"));
  const auto got = bench.tick(2'000);
  REQUIRE(got.size() == 1);
  CHECK(got[0].rule->expr_text == "link == 5");
  CHECK(got[0].active.empty());
}

TEST_CASE(
    "an alert whose rule a reload moves from the hosts to the fleet, or back, ends when it is not true") {
  const bool to_fleet = GENERATE(true, false);
  constexpr const char* kOfHosts = "groups: [{name: g, interval: 1s, rules: [{alert: A, expr: link == 0}]}]";
  constexpr const char* kOfFleet =
      "groups: [{name: g, interval: 1s, limit: 9, rules: [{alert: A, expr: link == 0}]}]";
  CurrentRules current(load(to_fleet ? kOfHosts : kOfFleet));
  TableStorage storage;
  alerts::AlertBook book{alerts::AlertBookOptions{}};
  const Sink sink = [&book](const Evaluation& evaluation) { book.apply(evaluation); };
  HostRules hosts(current, nullptr, sink);
  FleetRules fleet(current, nullptr, [&storage] { return std::make_unique<View>(storage); }, {sink, {}});
  const auto tick = [&](std::int64_t t_ms, double value) {
    storage.add(kLink, t_ms, value);
    hosts.on_host_tick(7, "web", t_ms, storage);
    fleet.tick(t_ms);
  };
  const auto reload = [&](const char* text) {
    current.replace(load(text));
    book.adopt(*current.get(), 0);
  };
  tick(1'000, 0);
  CHECK(book.size() == 1);
  reload(to_fleet ? kOfFleet : kOfHosts);
  tick(2'000, 1);  // what evaluates it now has not heard of it yet
  current.hand_over(book.moved());
  tick(3'000, 1);
  CHECK(book.size() == 0);
  // Who evaluated it at first does not remember it when it has the rule again.
  reload(to_fleet ? kOfHosts : kOfFleet);
  tick(4'000, 0);
  CHECK(book.size() == 1);
  tick(5'000, 1);
  CHECK(book.size() == 0);
}

TEST_CASE("A host whose clock is set back is evaluated on, late rows are not") {
  Bench bench;
  bench.storage.add(kLink, 100'000, 0);
  CHECK(bench.tick(100'000).size() == 1);
  CHECK(bench.tick(100'000).empty());
  CHECK(bench.tick(95'000).empty());
  bench.storage.add(kLink, 20'000, 0);
  CHECK(bench.tick(20'000).size() == 1);
  CHECK(bench.tick(21'000).size() == 1);
}

TEST_CASE("Fleet rules run at their interval over all hosts") {
  const CurrentRules current(
      load("groups: [{name: g, interval: 10s, rules: [{alert: HostDown, expr: up == 0}, {alert: Many, expr: "
           "count(up == 0) > 1}]}]"));
  TableStorage table;
  std::vector<Evaluation> got;
  FleetRules rules(
      current, nullptr, [&] { return std::make_unique<View>(table); },
      FleetRules::Sinks{[&](Evaluation e) { got.push_back(std::move(e)); }, {}});
  const Labels a{{"__name__", "up"}, {"instance", "a"}};
  const Labels b{{"__name__", "up"}, {"instance", "b"}};
  table.add(a, 10'000, 0);
  table.add(b, 10'000, 1);
  rules.tick(10'000);
  REQUIRE(got.size() == 1);
  CHECK(got[0].scope.empty());
  CHECK(got[0].active.size() == 1);
  rules.tick(15'000);
  CHECK(got.size() == 1);
  table.add(b, 20'000, 0);
  rules.tick(20'000);
  REQUIRE(got.size() == 3);
  CHECK(got[1].active.size() == 2);
  CHECK(got[2].rule->name == "Many");
  CHECK(rules.missed() == 0);
  rules.tick(55'000);
  CHECK(rules.missed() == 2);
}
