#include "aggregator/rules/recording.h"

#include "aggregator/rules/fleet_rules.h"
#include "tests/aggregator/alerts/rules_of.h"
#include "tests/aggregator/rules/table_storage.h"
#include "tests/support/catch.h"

#include <memory>
#include <string>
#include <vector>

using namespace vigil;
using namespace vigil::rules;
using test::rules_of;
using test::TableStorage;

namespace {

struct View : promql::Storage {
  explicit View(TableStorage& t) : table(t) {}
  Result<std::vector<promql::SelectedSeries>> select(const promql::Selection& s) override {
    return table.select(s);
  }
  TableStorage& table;
};

/// Rules of a text over a table that what they record goes into, as in a running aggregator.
struct Fleet {
  explicit Fleet(const std::string& yaml)
      : current(rules_of(yaml)),
        rules(
            current, nullptr, [this] { return std::make_unique<View>(table); },
            FleetRules::Sinks{[this](Evaluation e) { evaluations.push_back(std::move(e)); },
                              [this](const RecordedBatch& batch) { take(batch.samples); }}) {}

  void take(const std::vector<RecordedSample>& samples) {
    for (const RecordedSample& sample : samples) {
      written.push_back(fmt::format("{} {} @{}", sample.labels->to_string(),
                                    is_stale(sample.value) ? "stale" : fmt::format("{:g}", sample.value),
                                    sample.t_ms));
      if (stored) table.add(*sample.labels, sample.t_ms, sample.value);
    }
  }
  std::vector<std::string> tick(std::int64_t t_ms) {
    written.clear();
    rules.tick(t_ms);
    std::sort(written.begin(), written.end());
    return written;
  }
  void sample(const Labels& labels, std::int64_t t_ms, double value) { table.add(labels, t_ms, value); }

  TableStorage table;
  bool stored = true;
  std::vector<std::string> written;
  std::vector<Evaluation> evaluations;
  CurrentRules current;
  FleetRules rules;
};

using Lines = std::vector<std::string>;

Labels up(const char* instance) {
  return {{"__name__", "up"}, {"instance", instance}, {"job", "node"}};
}

}  // namespace

TEST_CASE("A recording rule gives series of its name with exactly the labels it says, on round times") {
  Fleet fleet(R"(
groups:
  - name: g
    interval: 15s
    labels: {team: blue, tier: low}
    rules:
      - record: instance:up
        expr: up
        labels: {tier: high, job: "", raw: "{{ $value }}"}
)");
  fleet.sample(up("a"), 61'000, 1);
  CHECK(fleet.tick(62'345) == Lines{});  // of 60 s there is nothing yet
  CHECK(fleet.tick(75'900) ==
        Lines{R"(instance:up{instance="a", raw="{{ $value }}", team="blue", tier="high"} 1 @75000)"});
  CHECK(fleet.tick(76'900) == Lines{});
  CHECK(fleet.tick(90'100).size() == 1);
}

TEST_CASE("A later rule of a group sees what an earlier one recorded at the same time") {
  const bool stored = GENERATE(true, false);  // or not yet: the store may be slower than the rules
  Fleet fleet(R"(
groups:
  - name: g
    interval: 10s
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
      - record: job:up:double
        expr: 2 * job:up:sum
      - alert: Many
        expr: job:up:double > 3
)");
  fleet.stored = stored;
  fleet.sample(up("a"), 10'000, 1);
  fleet.sample(up("b"), 10'000, 1);
  CHECK(fleet.tick(10'000) ==
        Lines{R"(job:up:double{job="node"} 4 @10000)", R"(job:up:sum{job="node"} 2 @10000)"});
  REQUIRE(fleet.evaluations.size() == 1);
  CHECK(fleet.evaluations[0].active[0].value == 4);
}

TEST_CASE("An earlier rule sees what a later one recorded the time before") {
  Fleet fleet(R"(
groups:
  - name: g
    interval: 10s
    rules:
      - record: count
        expr: count + 1 or vector(1)
)");
  fleet.stored = false;
  CHECK(fleet.tick(10'000) == Lines{"count 1 @10000"});
  CHECK(fleet.tick(20'000) == Lines{"count 2 @20000"});
  CHECK(fleet.tick(30'000) == Lines{"count 3 @30000"});
}

TEST_CASE("A recorded series that is given no more ends with one staleness marker") {
  Fleet fleet("groups: [{name: g, interval: 10s, rules: [{record: r, expr: up == 1}]}]");
  fleet.sample(up("a"), 10'000, 1);
  fleet.sample(up("a"), 20'000, 0);
  fleet.sample(up("a"), 40'000, 1);
  const std::string series = R"(r{instance="a", job="node"})";
  CHECK(fleet.tick(10'000) == Lines{series + " 1 @10000"});
  CHECK(fleet.tick(20'000) == Lines{series + " stale @20000"});
  CHECK(fleet.tick(30'000) == Lines{});
  CHECK(fleet.tick(40'000) == Lines{series + " 1 @40000"});
}

TEST_CASE("A group's query_offset moves what is looked at, and the times of what is recorded") {
  Fleet fleet("groups: [{name: g, interval: 10s, query_offset: 30s, rules: [{record: r, expr: up}]}]");
  fleet.sample(up("a"), 10'000, 7);
  fleet.sample(up("a"), 40'000, 8);
  CHECK(fleet.tick(40'000) == Lines{R"(r{instance="a", job="node"} 7 @10000)"});
}

TEST_CASE("A rule that fails says why and leaves its series as they are") {
  struct Case {
    std::string yaml;
    std::string error;
  };
  const auto c = GENERATE(values<Case>({
      {"groups: [{name: g, interval: 10s, limit: 1, rules: [{record: r, expr: up}]}]",
       "exceeded limit of 1 with 2 series"},
      {"groups: [{name: g, interval: 10s, rules: [{record: r, expr: up, labels: {instance: x}}]}]",
       "vector contains metrics with the same labelset after applying rule labels"},
      {"groups: [{name: g, interval: 10s, limit: 1, rules: [{record: q, expr: 'sum(up)'}, {alert: r, expr: "
       "up}]}]",
       "exceeded limit of 1 with 2 alerts"},
  }));
  Fleet fleet(c.yaml);
  fleet.sample(up("a"), 10'000, 1);
  REQUIRE(fleet.tick(10'000).size() == 1);
  fleet.sample(up("b"), 20'000, 1);
  for (const std::string& line : fleet.tick(20'000)) CHECK(line.starts_with("q "));
  const RulePtr rule = fleet.current.get()->rules().back();
  CHECK(rule->stats->last_error() == c.error);
  CHECK(rule->stats->failures == 1);
  CHECK(rule->stats->evaluations == 2);
}

TEST_CASE("A reload ends the series of rules that are no more and keeps the others") {
  const std::string keep = "{record: kept, expr: up}";
  Fleet fleet("groups: [{name: g, interval: 10s, rules: [" + keep + ", {record: gone, expr: up}]}]");
  fleet.sample(up("a"), 10'000, 1);
  fleet.sample(up("a"), 20'000, 0);
  CHECK(fleet.tick(10'000).size() == 2);
  fleet.current.replace(rules_of("groups: [{name: g, interval: 10s, rules: [" + keep + "]}]"));
  CHECK(fleet.tick(15'000) == Lines{R"(gone{instance="a", job="node"} stale @15000)"});
  CHECK(fleet.tick(20'000) == Lines{R"(kept{instance="a", job="node"} 0 @20000)"});
}

TEST_CASE("Rules of one name and different labels record beside each other, also in two files") {
  Fleet fleet(R"(
groups:
  - name: g
    interval: 10s
    rules:
      - {record: r, expr: vector(1), labels: {q: a}}
      - {record: r, expr: vector(2), labels: {q: b}}
)");
  CHECK(fleet.tick(10'000) == Lines{R"(r{q="a"} 1 @10000)", R"(r{q="b"} 2 @10000)"});
}

TEST_CASE("Two rules of one file with the same name and labels are warned about") {
  const auto set = rules_of("groups: [{name: g, rules: [{record: r, expr: a}, {record: r, expr: b}]}]");
  REQUIRE(set->warnings().size() == 1);
  CHECK(set->warnings()[0].find("recording rule r has the name and the labels of the one at line 1") !=
        std::string::npos);
}
