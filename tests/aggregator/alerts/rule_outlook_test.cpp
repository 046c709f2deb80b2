// How a rule stands now: what its expression gives, what is nearest, and why nothing fires.
#include "aggregator/alerts/rule_outlook.h"

#include "tests/aggregator/alerts/rules_of.h"
#include "tests/support/catch.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace vigil::alerts {
namespace {

using test::rules_of;

/// Answers by the text of the expression: instance -> value.
using Answers = std::map<std::string, std::map<std::string, double>>;

struct Bench {
  explicit Bench(const std::string& rule)
      : rules(rules_of("groups: [{name: g, interval: 15s, rules: [" + rule + "]}]")) {
    info.rule = rules->rules().at(0);
    info.last_evaluation_ms = 1;
  }

  RuleOutlook look() {
    const auto ask = [this](const promql::Expr& expr, std::int64_t t_ms) -> Result<promql::Vector> {
      asked.push_back(promql::to_string(expr));
      promql::Vector out;
      for (const auto& [instance, value] : answers[asked.back()])
        out.push_back({std::make_shared<const Labels>(Labels{{"__name__", "load"}, {"instance", instance}}),
                       t_ms, value});
      return out;
    };
    return look_at(info, host, {ask, alerts, silences, 10'000});
  }

  AlertInfo& add_alert(const std::string& instance, State state) {
    AlertInfo& alert = alerts.emplace_back();
    alert.fingerprint = "f-" + instance;
    alert.rule_key = info.rule->key;
    alert.labels = Labels{{"instance", instance}};
    alert.series = std::make_shared<const Labels>(Labels{{"__name__", "load"}, {"instance", instance}});
    alert.state = state;
    return alert;
  }

  rules::RuleSetPtr rules;
  RuleInfo info;
  HostOutlook host;
  std::vector<AlertInfo> alerts;
  silences::SilenceBook silences;
  Answers answers;
  std::vector<std::string> asked;
};

std::string places(const RuleOutlook& outlook) {
  std::string out;
  for (const SeriesOutlook& series : outlook.series)
    out += std::string(out.empty() ? "" : " ") + std::string(series.labels.get("instance"));
  return out;
}

}  // namespace

TEST_CASE("what is nearest to firing comes first, whichever way the rule compares") {
  Bench above("{alert: A, expr: load > 5}");
  above.answers["load"] = {{"a", 1}, {"b", 4.5}, {"c", 3}};
  const RuleOutlook outlook = above.look();
  CHECK(places(outlook) == "b c a");
  CHECK(outlook.comparison == "> 5");
  CHECK(outlook.limit == 5.0);
  CHECK(outlook.compared == "load");
  CHECK(outlook.why == "not true: the nearest, b, has 4.5, which is not > 5");
  CHECK_FALSE(outlook.series.front().is_true);

  Bench below("{alert: A, expr: 5 > load}");
  below.answers["load"] = {{"a", 50}, {"b", 6}};
  CHECK(below.look().why == "not true: the nearest, b, has 6, which is not < 5");

  Bench both("{alert: A, expr: load > 5 and users > 0}");
  both.answers["load"] = {{"a", 9}};
  CHECK(both.look().why == "a has 9, which is > 5, but the rest of the expression is not true");
}

TEST_CASE("of a host of which nothing came since the start nobody knows") {
  Bench bench("{alert: A, expr: load > 5}");
  bench.host.name = "web-3";
  bench.host.is_awaited = true;
  CHECK(bench.look().why ==
        "nothing has come of web-3 since the aggregator started: its agent is waited for");
}

TEST_CASE("what stands behind unless is no limit, and what has data without a number is known to be false") {
  Bench held("{alert: A, expr: load unless users == 1}");
  held.answers["load unless users == 1"] = {};
  held.answers["load"] = {{"a", 3}};
  const RuleOutlook outlook = held.look();
  CHECK_FALSE(outlook.limit);
  CHECK(outlook.comparison.empty());
  CHECK(outlook.why == "not true for a");

  Bench known("{alert: A, expr: load unless users == 1, known: up}");
  known.answers["up"] = {{"a", 1}, {"b", 1}};
  CHECK(known.look().why == "not true for a");
  CHECK(known.look().series.size() == 2);
  CHECK_FALSE(known.look().series[0].value);

  Bench never("{alert: A, expr: load < -Inf, on_no_data: alert}");
  never.answers["load"] = {{"a", 3}};
  const RuleOutlook steady = never.look();
  CHECK_FALSE(steady.limit);
  CHECK(steady.series.at(0).value == 3.0);
  CHECK(steady.why == "not true for a");

  CHECK(Bench("{alert: A, expr: (load unless users == 1) and heat > 7}").look().compared == "heat");
}

TEST_CASE("a rule without data says so, and one that cannot tell says that") {
  CHECK(Bench("{alert: A, expr: load > 5}").look().why == "no data: no series is there for load");
  CHECK(Bench("{alert: A, expr: absent(load)}").look().why == "its expression gives nothing now");
  Bench host("{alert: A, expr: load > 5}");
  host.host = {"web-1", true, 0};
  CHECK(host.look().why == "no data: no series of web-1 is there for load");
  CHECK(host.asked.front() == R"(load{instance="web-1"} > 5)");
  host.host = {"web-1", false, 0};
  CHECK(host.look().why == "no host is called web-1");
  host.host = {"web-1", true, 1'700'000'000'000};
  CHECK(host.look().why ==
        "nothing was heard of web-1 since 2023-11-14 22:13:20 UTC: without data it neither begins nor ends");
}

TEST_CASE("an evaluation that failed is the reason before all others") {
  Bench bench("{alert: A, expr: load > 5}");
  bench.info.last_error = "exceeded limit of 1 with 2 alerts";
  CHECK(bench.look().why == "its latest evaluation failed: exceeded limit of 1 with 2 alerts");
}

TEST_CASE("what is pending says how far it is, what fires needs no reason") {
  Bench bench("{alert: A, expr: load > 5, for: 2m}");
  bench.answers["load"] = {{"a", 9}, {"b", 1}};
  bench.answers["load > 5"] = {{"a", 9}};
  bench.add_alert("a", State::pending).held_ms = 40'000;
  RuleOutlook outlook = bench.look();
  CHECK(outlook.why == "pending: a has been true for 40s of 2m");
  CHECK(outlook.series.front().is_true);
  CHECK(outlook.series.front().alert == "f-a");
  bench.alerts.front().state = State::firing;
  outlook = bench.look();
  CHECK(outlook.why.empty());
  CHECK(places(outlook) == "a b");

  Bench counted("{alert: A, expr: load > 5, times: 3 of 5}");
  counted.answers["load > 5"] = {{"a", 9}};
  counted.add_alert("a", State::pending).times_true = 2;
  CHECK(counted.look().why == "pending: a is true in 2 of the latest 5 evaluations, 3 are needed");
}

TEST_CASE("an alert without data now is there, with no value") {
  Bench bench("{alert: A, expr: load > 5}");
  bench.add_alert("gone", State::firing);
  const RuleOutlook outlook = bench.look();
  REQUIRE(outlook.series.size() == 1);
  CHECK_FALSE(outlook.series.front().value);
  CHECK(outlook.series.front().state == State::firing);
}

TEST_CASE("what would hold messages back stands with each series") {
  Bench bench("{alert: A, expr: load > 5, labels: {team: web}}");
  bench.answers["load"] = {{"a", 1}, {"b", 2}};
  silences::Silence silence;
  silence.id = "6f0c0a83-3a57";
  silence.matchers = matchers::parse_matchers(R"(alertname="A", team="web", instance="a")")->matchers;
  silence.ends_ms = 20'000;
  silence.author = "ada";
  silence.comment = "new disks";
  bench.silences.restore(silence);
  silence.id = "7f0c0a83-3a57";
  silence.maintenance = silences::MaintenancePlan{"Upgrade", "", {}, {}, {}, {}};
  bench.silences.restore(silence);
  const RuleOutlook outlook = bench.look();
  REQUIRE(places(outlook) == "b a");
  CHECK(outlook.series[0].held_back_by.empty());
  CHECK(outlook.series[1].held_back_by ==
        std::vector<std::string>{"silence 6f0c0a83 of ada: new disks", "maintenance 7f0c0a83: Upgrade"});
}

TEST_CASE("of very many series the nearest are listed, the others counted") {
  Bench bench("{alert: A, expr: load > 500}");
  for (int i = 0; i < 100; ++i) bench.answers["load"][fmt::format("host-{:02}", i)] = i;
  const RuleOutlook outlook = bench.look();
  CHECK(outlook.series.size() == 20);
  CHECK(outlook.left_out == 80);
  CHECK(outlook.series.front().labels.get("instance") == "host-99");
}

}  // namespace vigil::alerts
