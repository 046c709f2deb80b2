#include "aggregator/trial/unit_test.h"

#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <fstream>
#include <string>

using namespace vigil;
using namespace vigil::trial;

namespace {

constexpr const char* kRules = R"(
groups:
  - name: g
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
      - alert: Down
        expr: up == 0
        for: 2m
        keep_firing_for: 1m
        labels: {severity: '{{ if eq $labels.job "db" }}critical{{ else }}warning{{ end }}'}
        annotations:
          summary: "{{ $labels.instance }} of {{ $externalLabels.site }} is down: {{ $value }}"
          others: '{{ with query "job:up:sum" }}{{ . | first | value }}{{ end }}'
)";

/// The report of a test of kRules (or `rules`), or the error.
std::string report(const std::string& tests, const std::string& rules = kRules) {
  const test::TempDir dir;
  std::ofstream(dir.file("rules.yml")) << rules;
  std::ofstream(dir.file("test.yml")) << "rule_files: [rules.yml]\n" + tests;
  const auto done = run_test_file(dir.file("test.yml"));
  std::string out;
  if (!done) {
    out = done.error().message;
  } else {
    out = fmt::format("{}/{}", done->groups, done->checks);
    for (const std::string& failure : done->failures) out += "\n" + failure;
    for (const std::string& warning : done->warnings) out += "\nwarning: " + warning;
  }
  for (std::size_t at = 0; (at = out.find(dir.file(""), at)) != std::string::npos;)
    out.erase(at, dir.file("").size());
  return out;
}

constexpr const char* kInput = R"(
tests:
  - interval: 1m
    name: a host
    external_labels: {site: berlin}
    input_series:
      - {series: 'up{job="db", instance="a"}', values: '1 1 0x4 1 1 1'}
      - {series: 'up{job="db", instance="b"}', values: '1x20'}
)";

std::string with_input(std::string_view tests) {
  std::string out(kInput);
  out.append(tests);
  return out;
}

}  // namespace

TEST_CASE("A unit test passes when alerts and expressions give what it says") {
  CHECK(report(with_input(R"(
    alert_rule_test:
      - {eval_time: 3m, alertname: Down}
      - eval_time: 4m
        alertname: Down
        exp_alerts:
          - exp_labels: {severity: critical, job: db, instance: a}
            exp_annotations: {summary: "a of berlin is down: 0", others: "1"}
      - eval_time: 7m30s    # firing on
        alertname: Down
        exp_alerts:
          - exp_labels: {severity: critical, job: db, instance: a}
            exp_annotations: {summary: "a of berlin is down: 0", others: "1"}
      - {eval_time: 8m, alertname: Down}
      - {eval_time: 8m, alertname: NoSuchAlert}
    promql_expr_test:
      - expr: job:up:sum
        eval_time: 2m
        exp_samples: [{labels: 'job:up:sum{job="db"}', value: 1}]
      - {expr: 'up > 5', eval_time: 2m}
      - {expr: 'sum(up)', eval_time: 1m, exp_samples: [{labels: '{}', value: 2}]}
      - {expr: '1/0', exp_samples: [{value: .Inf}]}
      - expr: ALERTS
        eval_time: 3m
        exp_samples:
          - labels: 'ALERTS{alertname="Down", alertstate="pending", severity="critical", job="db", instance="a"}'
            value: 1
      - expr: ALERTS_FOR_STATE
        eval_time: 4m
        exp_samples:
          - labels: 'ALERTS_FOR_STATE{alertname="Down", severity="critical", job="db", instance="a"}'
            value: 120
      - {expr: ALERTS, eval_time: 9m}
)")) == "1/12");
}

TEST_CASE("A unit test that fails shows what differs, with the test's place") {
  CHECK(report(with_input(R"(
    alert_rule_test:
      - eval_time: 4m
        alertname: Down
        exp_alerts: [{exp_labels: {severity: warning}}]
    promql_expr_test:
      - expr: job:up:sum
        eval_time: 1m
        exp_samples: [{labels: 'job:up:sum{job="db"}', value: 3}]
)")) == R"(1/2
test.yml:12:9: a host: alert Down at 4m:
    - labels {alertname="Down", severity="warning"} annotations {}
    + labels {alertname="Down", instance="a", job="db", severity="critical"} annotations {others="1", summary="a of berlin is down: 0"}
test.yml:16:9: a host: job:up:sum at 1m:
    - job:up:sum{job="db"} 3
    + job:up:sum{job="db"} 2)");
}

TEST_CASE("An alert whose series ends is over at once, as promtool has it") {
  CHECK(report(R"(
tests:
  - interval: 1m
    input_series: [{series: 'up{instance="a"}', values: '0 0 0 0 stale'}]
    alert_rule_test:
      - eval_time: 3m
        alertname: Down
        exp_alerts: [{exp_labels: {instance: a, severity: warning}, exp_annotations: {summary: "a of  is down: 0", others: "0"}}]
      - {eval_time: 6m, alertname: Down}
)") == "1/2");
}

TEST_CASE("Groups are evaluated in the order a test file gives") {
  const std::string rules = R"(
groups:
  - name: second
    rules: [{record: b, expr: a + 1}]
  - name: first
    rules: [{record: a, expr: vector(1)}]
)";
  const std::string test = R"(
tests:
  - promql_expr_test: [{expr: b, eval_time: 0, exp_samples: [{labels: b, value: 2}]}]
)";
  CHECK(report("group_eval_order: [first, second]" + test, rules) == "1/1");
  CHECK(report("group_eval_order: [second, first]" + test, rules) != "1/1");
}

TEST_CASE("Values may differ in their last digits when the file says so") {
  const std::string test = R"(
tests:
  - promql_expr_test: [{expr: vector(0.1) + 0.2, exp_samples: [{labels: '{}', value: 0.3}]}]
)";
  CHECK(report(test) != "1/1");
  CHECK(report("fuzzy_compare: true" + test) == "1/1");
}

TEST_CASE("What is wrong with a test file is said with its place") {
  struct Case {
    std::string yaml, message;
  };
  const auto c = GENERATE(values<Case>({
      {"tests: [{input_series: [{series: 'up{', values: '1'}]}]",
       "test.yml:2:34: tests[0].input_series[0].series: at character 4: expected a label's name, found the "
       "end"},
      {"tests: [{input_series: [{series: up, values: '1 x'}]}]",
       "test.yml:2:46: tests[0].input_series[0].values: at character 3: expected a number, _ or stale, found "
       "'x'"},
      {"tests: [{promql_expr_test: [{expr: 'up >'}]}]",
       "test.yml:2:36: tests[0].promql_expr_test[0].expr: 1:5: parse error"},
      {"tests: [{alert_rule_test: [{eval_time: 1m}]}]", "missing key alertname"},
      {"test: []", "test.yml:2:1: test: unknown key; did you mean tests?"},
      {"group_eval_order: [a, a]", "test.yml:2:23: group_eval_order[1]: this group stands there twice"},
      {"tests: [{promql_expr_test: [{expr: up, exp_samples: [{labels: up, value: one}]}]}]",
       "'one' is not a number"},
      {"tests:\n  - name: 'down\n", "this quote is never closed"},
  }));
  CAPTURE(c.yaml);
  const std::string got = report(c.yaml);
  CAPTURE(got);
  CHECK(got.find(c.message) != std::string::npos);
}

TEST_CASE("Rules that are wrong, fail, or are not there are told") {
  CHECK(report("tests: []", "groups: [{name: g, rules: [{alert: A, expr: up >}]}]").find("rules.yml:1:45") ==
        0);
  CHECK(report("tests: [{promql_expr_test: [{expr: up}]}]",
               "groups: [{name: g, limit: 1, rules: [{record: r, expr: 'vector(1) or "
               "label_replace(vector(2), \"a\", "
               "\"b\", \"\", \"\")'}]}]")
            .find("r at 0s: exceeded limit of 1 with 2 series") != std::string::npos);
  CHECK(report("rule_files2: []").find("unknown key") != std::string::npos);
}
