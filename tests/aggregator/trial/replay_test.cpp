#include "aggregator/trial/replay.h"

#include "aggregator/trial/test_storage.h"
#include "tests/aggregator/alerts/rules_of.h"
#include "tests/support/catch.h"

#include <memory>

using namespace vigil;
using namespace vigil::trial;
using test::rules_of;

namespace {

struct View : promql::Storage {
  explicit View(TestStorage& t) : table(t) {}
  Result<std::vector<promql::SelectedSeries>> select(const promql::Selection& s) override {
    return table.select(s);
  }
  TestStorage& table;
};

constexpr std::int64_t kStart = 1'000'000'000;
constexpr std::int64_t kStep = 10'000;

/// load{instance} is `high` in steps [from, to), else 1; up to step 5,000.
void load(TestStorage& table, const char* instance, std::vector<std::pair<int, int>> high) {
  const Labels labels{{"__name__", "load"}, {"instance", instance}};
  for (int i = 0; i <= 5'000; ++i) {
    bool is_high = false;
    for (const auto& [from, to] : high) is_high = is_high || (i >= from && i < to);
    table.add(labels, {kStart + i * kStep, is_high ? 9.0 : 1.0});
  }
}

std::vector<ReplayedRule> replay_of(const std::string& yaml, TestStorage& table) {
  table.set_now(kStart + 5'000 * kStep);
  const auto rules = rules_of(yaml);
  const auto done = replay({*rules, [&] { return std::make_unique<View>(table); }, {}},
                           {kStart, kStart + 5'000 * kStep, kStep});
  REQUIRE(done);
  return *done;
}

}  // namespace

TEST_CASE("A replay says how often, where and how long a rule fired, over all parts of the span") {
  TestStorage table;
  load(table, "a", {{100, 130}, {1'990, 2'050}, {3'000, 3'003}});  // the second lies over a part's edge
  load(table, "b", {{4'990, 9'999}});
  const auto rules = replay_of(R"(
groups:
  - name: g
    rules:
      - {alert: High, expr: load > 5, for: 1m, labels: {severity: warning}}
)",
                               table);
  REQUIRE(rules.size() == 1);
  CHECK(rules[0].count == 3);
  CHECK(rules[0].pending_only == 1);
  REQUIRE(rules[0].alerts.size() == 2);
  const ReplayedAlert& a = rules[0].alerts[0];
  CHECK(a.labels.get("instance") == "a");
  CHECK(a.labels.get("severity") == "warning");
  CHECK(a.count == 2);
  CHECK(a.first_ms == kStart + 106 * kStep);
  CHECK(a.last_ms == kStart + 1'996 * kStep);
  CHECK(a.total_ms == (24 + 54) * kStep);
  CHECK(a.longest_ms == 54 * kStep);
  CHECK_FALSE(a.firing);
  CHECK(rules[0].alerts[1].firing);
  CHECK(rules[0].alerts[1].total_ms == 4 * kStep);
}

TEST_CASE("A replay keeps firing for as long as the rule says") {
  TestStorage table;
  load(table, "a", {{100, 110}, {115, 120}});
  const auto rules =
      replay_of("groups: [{name: g, rules: [{alert: High, expr: load > 5, keep_firing_for: 2m}]}]", table);
  CHECK(rules[0].count == 1);
  CHECK(rules[0].total_ms == (20 + 12) * kStep);
}

TEST_CASE("A replay tells of what flaps once") {
  TestStorage table;
  load(table, "a", {{100, 101}, {103, 104}, {106, 107}, {109, 110}, {1'000, 1'001}});
  load(table, "b", {{100, 101}, {1'000, 1'001}, {2'000, 2'001}});  // far apart
  const auto rules = replay_of(
      "groups: [{name: g, interval: 10s, rules: [{alert: High, expr: load > 5, flapping: 4 in 5m}]}]", table);
  REQUIRE(rules[0].alerts.size() == 2);
  // Its fourth change is the second end, its third beginning the fifth: it fires from there until it was
  // quiet.
  const ReplayedAlert& a = rules[0].alerts[0];
  CHECK(a.labels.get("instance") == "a");
  CHECK(a.count == 4);
  CHECK(a.longest_ms > 30 * kStep);
  CHECK(rules[0].alerts[1].count == 3);
  CHECK(rules[0].alerts[1].longest_ms == kStep);
}

TEST_CASE("A replay tells of missing data where a rule asks for it") {
  TestStorage table;
  const Labels labels{{"__name__", "load"}, {"instance", "a"}};
  for (int i = 0; i <= 5'000; ++i) {
    if (i < 1'000 || i >= 1'100) table.add(labels, {kStart + i * kStep, 1.0});
  }
  const auto rules = replay_of(
      "groups: [{name: g, rules: [{alert: High, expr: load > 5, for: 1m, on_no_data: alert}]}]", table);
  REQUIRE(rules[0].alerts.size() == 1);
  CHECK(rules[0].count == 1);
  // Known to be missing five minutes after its last sample, and true for a minute then.
  CHECK(rules[0].alerts[0].first_ms == kStart + (999 + 30 + 6) * kStep);
  CHECK(rules[0].alerts[0].total_ms == (1'100 - 1'035) * kStep);
}

TEST_CASE("Alerts of a replay see what its rules record") {
  TestStorage table;
  load(table, "a", {{100, 130}});
  load(table, "b", {{110, 120}});
  const auto rules = replay_of(R"(
groups:
  - name: alerts
    rules:
      - {alert: Both, expr: fleet:high > 1}
  - name: records
    rules:
      - {record: fleet:high, expr: count(load > 5)}
)",
                               table);
  REQUIRE(rules.size() == 2);
  CHECK(rules[0].count == 1);
  CHECK(rules[0].total_ms == 10 * kStep);
  CHECK(rules[1].recorded == 30);
}

TEST_CASE("A rule that fails in a replay says so and disturbs no other") {
  TestStorage table;
  load(table, "a", {{100, 130}});
  load(table, "b", {{100, 130}});
  const auto rules = replay_of(R"(
groups:
  - name: g
    limit: 1
    rules:
      - {alert: Two, expr: load > 5}
      - {alert: One, expr: sum(load) > 5}
)",
                               table);
  CHECK(rules[0].error == "exceeded limit of 1 with 2 alerts");
  CHECK(rules[0].count == 0);
  CHECK(rules[1].error.empty());
  CHECK(rules[1].count == 1);
}

TEST_CASE("A rule whose alerts would be one fails in a replay as it does in force") {
  TestStorage table;
  load(table, "a", {{100, 130}});
  load(table, "b", {{100, 130}});
  const auto rules =
      replay_of("groups: [{name: g, rules: [{alert: One, expr: load > 5, labels: {instance: all}}]}]", table);
  CHECK(rules[0].error == "vector contains metrics with the same labelset after applying alert labels");
  CHECK(rules[0].count == 0);
}

TEST_CASE("A replay ends when nobody waits for it") {
  TestStorage table;
  load(table, "a", {});
  const auto rules = rules_of("groups: [{name: g, rules: [{alert: High, expr: load > 5}]}]");
  const auto done =
      replay({*rules, [&] { return std::make_unique<View>(table); }, [](double) { return false; }},
             {kStart, kStart + kStep, kStep});
  REQUIRE_FALSE(done);
  CHECK(done.error().code == Errc::unavailable);
}

TEST_CASE("The step of a replay is the rules' interval, or what covers a long span") {
  const auto rules = rules_of("groups: [{name: g, interval: 5s, rules: [{alert: A, expr: up}]}]");
  CHECK(choose_step_ms(*rules, 3'600'000) == 5'000);
  CHECK(choose_step_ms(*rules, 30LL * 86'400'000) == 60'000);
  CHECK(choose_step_ms(*rules, 365LL * 86'400'000) == 900'000);
}
