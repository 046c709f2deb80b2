#include "aggregator/rules/rule_set.h"

#include "aggregator/promql/parser.h"
#include "aggregator/rules/rewrite.h"
#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

using namespace vigil;
using namespace vigil::rules;
using test::TempFile;

namespace {

Result<RuleSetPtr> load(const std::string& rules_yaml, const std::string& config_yaml = "") {
  static std::vector<std::unique_ptr<TempFile>> files;
  files.push_back(std::make_unique<TempFile>("rules.yml", rules_yaml));
  RulesConfig config;
  if (auto read = config::load_text(config_yaml, "vigil.yml", config); !read) return read.error();
  if (config_yaml.find("preset") == std::string::npos) config.preset = Preset::none;
  config.files.push_back(files.back()->path());
  return RuleSet::load(config, {}, "");
}

/// The error without the folder of the file.
std::string error_of(const Result<RuleSetPtr>& result) {
  if (result) return "no error";
  std::string text = result.error().message;
  const std::size_t name = text.find("rules.yml");
  return name == std::string::npos ? text : text.substr(name);
}

constexpr const char* kTwo = R"(
groups:
  - name: web
    interval: 30s
    limit: 10
    labels: {team: blue}
    rules:
      - alert: Slow
        expr: latency_ms > 500 and requests > 5
        for: 5m
        keep_firing_for: 1m
        labels: {severity: warning}
        annotations: {summary: "{{ $labels.instance }} is slow"}
      - alert: Slow
        expr: latency_ms > 900
        labels: {severity: critical, team: red}
      - record: job:up:count
        expr: count by (job) (up)
)";

}  // namespace

TEST_CASE("names may be any text in UTF-8, as since Prometheus 3") {
  const auto set = load(
      "groups: [{name: g, rules: [{record: my.metric, expr: up, labels: {a.b: x}}, {alert: Größe, expr: up, "
      "labels: {\"a-b\": x}, annotations: {\"was tun\": nichts}}]}]");
  REQUIRE(set);
  CHECK((*set)->rules()[0]->name == "my.metric");
  CHECK((*set)->rules()[1]->annotation("was tun") == "nichts");
}

TEST_CASE("A rule file is read as Prometheus reads it") {
  const auto set = load(kTwo);
  REQUIRE(set);
  const auto& rules = (*set)->rules();
  REQUIRE(rules.size() == 3);
  CHECK(rules[0]->name == "Slow");
  CHECK(rules[0]->key == "web/Slow/warning");
  CHECK(rules[0]->interval == std::chrono::seconds(30));
  CHECK(rules[0]->hold == std::chrono::minutes(5));
  CHECK(rules[0]->keep_firing_for == std::chrono::minutes(1));
  CHECK(rules[0]->limit == 10);
  CHECK(rules[0]->label("team") == "blue");
  CHECK(rules[1]->label("team") == "red");
  CHECK(rules[0]->scope == Scope::fleet);  // its limit counts all hosts
  CHECK(rules[0]->threshold == 500);
  CHECK(rules[2]->kind == RuleKind::record);
  CHECK(rules[2]->label("team") == "blue");
  CHECK((*set)->warnings().empty());
}

TEST_CASE("What is wrong in a rule file is said with its place, all at once") {
  struct Case {
    std::string_view yaml, message;
  };
  const auto c = GENERATE(values<Case>({
      {"groups:\n  - name: a\n    rules:\n      - alert: X\n        exprr: up\n",
       "rules.yml:4:9: groups[0].rules[0]: missing key expr\n"
       "rules.yml:5:9: groups[0].rules[0].exprr: unknown key; did you mean expr?"},
      {"groups:\n  - name: a\n    rules:\n      - alert: X\n        expr: up >\n",
       "rules.yml:5:15: groups[0].rules[0].expr: 1:5: parse error: "},
      {"groups:\n  - name: a\n    rules:\n      - alert: X\n        record: y\n        expr: up\n",
       "rules.yml:4:9: groups[0].rules[0]: a rule is either an alert or a record, not both"},
      {"groups:\n  - name: a\n    rules:\n      - expr: up\n",
       "rules.yml:4:9: groups[0].rules[0]: missing key alert (or record)"},
      {"groups:\n  - name: a\n  - name: a\n",
       "rules.yml:3:11: groups[1].name: this group is in the file twice"},
      {"groups:\n  - name: a\n    rules:\n      - alert: X\n        expr: up\n        for: 5 minutes\n",
       "rules.yml:6:14: groups[0].rules[0].for: '5 minutes' is not a duration"},
      {"groups:\n  - name: a\n    rules:\n      - alert: X\n        expr: up\n        annotations: {s: '{{ "
       "$x }}'}\n",
       "rules.yml:6:26: groups[0].rules[0].annotations.s: template: undefined variable \"$x\""},
      {"groups:\n  - name: a\n    rules:\n      - alert: X\n        expr: up[5m]\n",
       "rules.yml:5:15: groups[0].rules[0].expr: gives a range vector; a rule needs an instant vector"},
      {"groups:\n  - name: a\n    rules:\n      - alert: X\n        expr: up\n        labels: {'': x}\n",
       "rules.yml:6:22: groups[0].rules[0].labels.: '' is not a valid label name"},
      {"groups:\n  - name: a\n    rules:\n      - record: ''\n        expr: up\n",
       "rules.yml:4:17: groups[0].rules[0].record: '' is not a valid metric name"},
      {"grups: []\n", "rules.yml:1:1: grups: unknown key; did you mean groups?"},
      {"groups: [\n", "rules.yml:2:1: not valid YAML"},
      {"groups:\n  - name: a\n    rules:\n      - alert: X\n        expr: 'up == 0\n      - alert: Y\n",
       "rules.yml:5:15: this quote is never closed"},
  }));
  CAPTURE(c.yaml);
  const std::string message = error_of(load(std::string(c.yaml)));
  CAPTURE(message);
  // Messages of several lines carry the file's folder in each: compare what stands behind it.
  std::string_view rest = c.message;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    CHECK(message.find(line) != std::string::npos);
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
}

TEST_CASE("A file that is not there is an error with its path") {
  RulesConfig config;
  config.preset = Preset::none;
  config.files = {"/nonexistent/rules.yml"};
  const auto set = RuleSet::load(config, {}, "");
  REQUIRE_FALSE(set);
  CHECK(set.error().message.find("/nonexistent/rules.yml: No such file") != std::string::npos);
}

TEST_CASE(
    "A rule file that is not there is reported where it is named, taken from the configuration's folder") {
  RulesConfig config;
  REQUIRE(config::load_text("preset: none\nfiles:\n  - rules/web.yml\n", "/nonexistent/vigil.yml", config));
  const auto set = RuleSet::load(config, {}, "");
  REQUIRE_FALSE(set);
  CHECK(set.error().message.starts_with(
      "/nonexistent/vigil.yml:3:5: files[0]: /nonexistent/rules/web.yml: No such file"));
}

TEST_CASE("An override changes one value of one rule and explains itself") {
  const auto set = load(kTwo, R"(
overrides:
  - alert: Slow
    severity: warning
    threshold: 650.5
    for: 10m
    labels: {team: green, page: "no"}
    annotations: {summary: new words}
)");
  REQUIRE(set);
  const Rule& warning = *(*set)->rules()[0];
  const Rule& critical = *(*set)->rules()[1];
  CHECK(warning.expr_text == "latency_ms > 650.5 and requests > 5");
  CHECK(warning.threshold == 650.5);
  CHECK(warning.hold == std::chrono::minutes(10));
  CHECK(warning.label("team") == "green");
  CHECK(warning.label("page") == "no");
  CHECK(warning.annotation("summary") == "new words");
  CHECK(critical.expr_text == "latency_ms > 900");
  CHECK(critical.label("team") == "red");
  std::string explained;
  for (const Origin& origin : warning.explain)
    explained += origin.what + " = " + origin.value + " from " + origin.from + "\n";
  CHECK(explained.find("threshold = 650.5 from vigil.yml:3:5 (override; ") != std::string::npos);
  CHECK(explained.find("rules.yml:9 says 500)") != std::string::npos);
  CHECK(explained.find("for = 10m from vigil.yml:3:5 (override; ") != std::string::npos);
  CHECK(explained.find("keep_firing_for = 1m from ") != std::string::npos);
}

TEST_CASE("An override can disable a rule or replace its expression") {
  const auto set = load(
      kTwo, "overrides: [{alert: Slow, severity: critical, disabled: true}, {alert: Slow, expr: 'up < 1'}]");
  REQUIRE(set);
  REQUIRE((*set)->rules().size() == 2);
  CHECK((*set)->rules()[0]->expr_text == "up < 1");
}

TEST_CASE("An override that fits nothing is an error with its place") {
  struct Case {
    std::string_view yaml, message;
  };
  const auto c = GENERATE(values<Case>({
      {"overrides: [{alert: Slwo, threshold: 1}]",
       "vigil.yml:1:21: overrides[0].alert: there is no rule Slwo; did you mean Slow?"},
      {"overrides: [{alert: Slow, severity: info}]",
       "vigil.yml:1:21: overrides[0].alert: Slow has no rule of that group and severity; its severities are "
       "warning, "
       "critical"},
      {"overrides: [{alert: Slow, severity: critical, expr: up, threshold: 1}]",
       "vigil.yml:1:68: overrides[0].threshold: Slow compares with no number (up); override its expr "
       "instead"},
      {"overrides: [{alert: Slow, expr: 'up >'}]", "vigil.yml:1:33: overrides[0].expr: 1:5: parse error"},
      {"overrides: [{alert: Slow}]",
       "vigil.yml:1:21: overrides[0].alert: this override of Slow changes nothing; add threshold, for, "},
      {"overrides: [{alert: Slow, severity: warning}]", "changes nothing; add threshold"},
      {"overrides: [{alert: Slow, treshold: 1}]", "unknown key; did you mean threshold?"},
      {"overrides: [{alert: Slow, annotations: {s: '{{ x }}'}}]",
       "override of s: template: function \"x\" not defined"},
  }));
  const auto set = load(kTwo, std::string(c.yaml));
  REQUIRE_FALSE(set);
  CAPTURE(set.error().message);
  CHECK(set.error().message.find(c.message) != std::string::npos);
}

TEST_CASE("A user's rule with group, name and severity of a shipped one takes its place") {
  const auto set = load(R"(
groups:
  - name: vigil-cpu
    rules:
      - alert: HighCpu
        expr: my_cpu > 1
        labels: {severity: warning}
)",
                        "preset: production");
  REQUIRE(set);
  int seen = 0;
  for (const RulePtr& rule : (*set)->rules()) {
    if (rule->key != "vigil-cpu/HighCpu/warning") continue;
    ++seen;
    CHECK(rule->expr_text == "my_cpu > 1");
  }
  CHECK(seen == 1);
}

TEST_CASE("Rules run on the host's shard only when one host's recent data answers them") {
  struct Case {
    std::string_view expr;
    Scope scope;
  };
  const auto c = GENERATE(values<Case>({
      {"node_load1 > 5", Scope::host},
      {"avg by (instance) (rate(node_cpu_seconds_total[5m])) > 1", Scope::host},
      {"avg(rate(node_cpu_seconds_total[5m])) > 1", Scope::fleet},
      {"up == 0", Scope::fleet},
      {"absent(node_load1)", Scope::fleet},
      {"node_load1 > 5 and on (instance) vigil_host_connected == 1", Scope::fleet},
      {"predict_linear(node_filesystem_avail_bytes[6h], 3600) < 0", Scope::fleet},
      {"{job=\"node\"} > 5", Scope::fleet},
      {"node_load1 offset 1h > 5", Scope::fleet},
      {"host:recorded > 5", Scope::fleet},
  }));
  CAPTURE(c.expr);
  const auto set =
      load(fmt::format("groups: [{{name: g, rules: [{{alert: A, expr: '{}'}}]}}, "
                       "{{name: h, rules: [{{record: 'host:recorded', expr: node_load5}}]}}]",
                       c.expr));
  REQUIRE(set);
  CHECK((*set)->rules()[0]->scope == c.scope);
}

TEST_CASE("The threshold is the number of the first comparison with a number") {
  struct Case {
    std::string_view expr;
    std::optional<double> number;
    std::string_view changed;
  };
  const auto c = GENERATE(values<Case>({
      {"a > 80", 80, "a > 7"},
      {"80 < a", 80, "7 < a"},
      {"(a > 80 and b > 5) or c > 3", 80, "(a > 7 and b > 5) or c > 3"},
      {"a > b and c < -5", -5, "a > b and c < 7"},
      {"100 * a / b > (80)", 80, "100 * a / b > 7"},
      {"sum(a > 5) > 2", 2, "sum(a > 5) > 7"},
      {"a unless b == 1", 1, "a unless b == 7"},
      {"a > b", std::nullopt, "a > b"},
      {"sum(a > 5)", std::nullopt, "sum(a > 5)"},
  }));
  CAPTURE(c.expr);
  auto parsed = promql::parse(c.expr);
  REQUIRE(parsed);
  CHECK(threshold(**parsed) == c.number);
  CHECK(set_threshold(**parsed, 7) == c.number.has_value());
  CHECK(promql::to_string(**parsed) == c.changed);
}

TEST_CASE("The presence of a rule is its expression without conditions") {
  struct Case {
    std::string_view expr, presence;
  };
  const auto c = GENERATE(values<Case>({
      {"a > 80", "a > bool 80"},
      {"a > 80 and b < 5", "a > bool 80 and b < bool 5"},
      {"a unless b > 5", "a"},
      {"(a unless b) / c > 1", "(a) / c > bool 1"},
      {"count by (instance) (a > 5) > 3", "count by (instance) (a > bool 5) > bool 3"},
      {"absent(a)", ""},
      {"topk(3, a) > 1", ""},
  }));
  CAPTURE(c.expr);
  const auto parsed = promql::parse(c.expr);
  REQUIRE(parsed);
  const auto presence = presence_of(**parsed);
  REQUIRE(presence);
  CHECK((*presence ? promql::to_string(**presence) : "") == c.presence);
}

TEST_CASE("A small file that aliases make a million rules of is refused with the place") {
  std::string rules = "groups:\n- name: g\n  rules: &all\n  - &one {alert: A, expr: up}\n";
  for (int i = 0; i < 2000; ++i) rules += "  - *one\n";
  for (int i = 0; i < 450; ++i) rules += fmt::format("- {{name: g{}, rules: *all}}\n", i);
  CHECK(error_of(load(rules)).starts_with("rules.yml:4:5: more than 10000 rules in all files"));
}
