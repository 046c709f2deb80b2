#include "aggregator/api/rule_lists.h"

#include "aggregator/rules/rule_set.h"
#include "tests/aggregator/api/fleet.h"
#include "tests/support/temp_file.h"

using namespace vigil;
using namespace vigil::aggregator::api;

namespace {

constexpr std::string_view kRules = R"(groups:
  - name: load
    interval: 30s
    rules:
      - record: load:sum
        expr: sum(node_load1)
        labels: {team: ops}
      - alert: HighLoad
        expr: node_load1 > 1
        for: 2m
        keep_firing_for: 1m
        labels: {severity: critical}
        annotations: {summary: "load of {{ $labels.instance }}"}
  - name: other
    rules:
      - alert: Never
        expr: vector(1) > 2
)";

/// A fleet with these rules, of which HighLoad fires for web-1.
struct Ruled {
  Ruled() : file("rules.yml", kRules) {
    rules::RulesConfig config;
    config.preset = rules::Preset::none;
    config.files = {file.path()};
    const auto set = rules::RuleSet::load(config, {}, "");
    REQUIRE(set);
    for (const rules::RulePtr& rule : (*set)->rules()) fleet.rules.emplace_back().rule = rule;
    alerts::RuleInfo& high = fleet.rules.at(1);
    high.state = alerts::State::firing;
    high.last_evaluation_ms = kNow;
    high.last_duration_ns = 250'000'000;
    alerts::AlertInfo alert;
    alert.rule_key = high.rule->key;
    alert.name = "HighLoad";
    alert.state = alerts::State::firing;
    alert.labels = Labels{{"alertname", "HighLoad"}, {"instance", "web-1"}};
    alert.annotations = Labels{{"summary", "load of web-1"}};
    alert.value = 1.5;
    alert.active_since_ms = kT0;
    fleet.alerts.push_back(alert);
    alert.state = alerts::State::resolved;
    fleet.alerts.push_back(alert);
  }
  std::vector<std::string> names(const std::string& query) {
    std::vector<std::string> names;
    const auto json = fleet.get("/api/v1/rules" + query).json();
    for (const auto& group : json.at("data").at("groups").as_array()) {
      for (const auto& rule : group.at("rules").as_array()) names.emplace_back(rule.at("name").as_string());
    }
    return names;
  }

  test::TempFile file;
  Fleet fleet;
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("rules are listed by group as Prometheus lists them") {
  Ruled ruled;
  const auto groups = ruled.fleet.get("/api/v1/rules").json().at("data").at("groups").as_array();
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].at("name") == "load");
  CHECK(groups[0].at("file") == boost::json::string(ruled.file.path()));
  CHECK(groups[0].at("interval").to_number<double>() == 30);
  CHECK(groups[0].at("lastEvaluation") == "2023-11-14T22:14:20Z");
  CHECK(groups[0].at("evaluationTime").to_number<double>() == 0.25);
  const auto& rules = groups[0].at("rules").as_array();
  CHECK(boost::json::serialize(rules[0]) ==
        R"j({"name":"load:sum","query":"sum(node_load1)","labels":{"team":"ops"},"health":"unknown",)j"
        R"("evaluationTime":0,"lastEvaluation":"0001-01-01T00:00:00Z","type":"recording"})");
  CHECK(boost::json::serialize(rules[1]) ==
        R"({"state":"firing","name":"HighLoad","query":"node_load1 > 1","duration":120,"keepFiringFor":60,)"
        R"("labels":{"severity":"critical"},"annotations":{"summary":"load of {{ $labels.instance }}"},)"
        R"("alerts":[{"labels":{"alertname":"HighLoad","instance":"web-1"},)"
        R"("annotations":{"summary":"load of web-1"},"state":"firing","activeAt":"2023-11-14T22:13:20Z",)"
        R"("value":"1.5e+00"}],"health":"ok","evaluationTime":2.5E-1,)"
        R"("lastEvaluation":"2023-11-14T22:14:20Z","type":"alerting"})");
}

TEST_CASE("a group is listed once, wherever its rules lie") {
  Ruled ruled;
  std::swap(ruled.fleet.rules.at(1), ruled.fleet.rules.at(2));  // load:sum, Never, HighLoad
  CHECK(ruled.names("") == Names{"load:sum", "HighLoad", "Never"});
  CHECK(ruled.fleet.get("/api/v1/rules").json().at("data").at("groups").as_array().size() == 2);
}

TEST_CASE("rules are filtered by type, name, group, file and labels") {
  Ruled ruled;
  CHECK(ruled.names("") == Names{"load:sum", "HighLoad", "Never"});
  CHECK(ruled.names("?type=alert") == Names{"HighLoad", "Never"});
  CHECK(ruled.names("?type=record") == Names{"load:sum"});
  CHECK(ruled.names("?rule_name[]=Never&rule_name[]=load:sum") == Names{"load:sum", "Never"});
  CHECK(ruled.names("?rule_group[]=other") == Names{"Never"});
  CHECK(ruled.names("?file[]=" + ruled.file.path()).size() == 3);
  CHECK(ruled.names("?file[]=none.yml").empty());
  CHECK(ruled.names("?match[]=%7Bseverity=%22critical%22%7D") == Names{"HighLoad"});
  CHECK(ruled.fleet.get("/api/v1/rules?type=other").status == 400);
  CHECK(ruled.fleet.get("/api/v1/rules?exclude_alerts=maybe").status == 400);
  CHECK(ruled.fleet.get("/api/v1/rules?exclude_alerts=true").text.find("\"activeAt\"") == std::string::npos);
}

TEST_CASE("alerts are those that are pending or firing") {
  Ruled ruled;
  const auto alerts = ruled.fleet.get("/api/v1/alerts").json().at("data").at("alerts").as_array();
  REQUIRE(alerts.size() == 1);
  CHECK(alerts[0].at("state") == "firing");
  CHECK(alerts[0].at("value") == "1.5e+00");
}

TEST_CASE("there are no alertmanagers") {
  Fleet fleet;
  CHECK(fleet.get("/api/v1/alertmanagers").data() ==
        R"({"activeAlertmanagers":[],"droppedAlertmanagers":[]})");
}
