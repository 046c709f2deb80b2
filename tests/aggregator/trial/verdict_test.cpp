#include "aggregator/trial/verdict.h"

#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <boost/json.hpp>
#include <fstream>

using namespace vigil;
using namespace vigil::trial;

namespace {

/// What a program reads, without the folder.
std::string shown(const test::TempDir& dir, const std::vector<Verdict>& verdicts) {
  std::string text = to_json(verdicts);
  for (std::size_t at = 0; (at = text.find(dir.file(""), at)) != std::string::npos;)
    text.erase(at, dir.file("").size());
  return boost::json::serialize(boost::json::parse(text));
}

}  // namespace

TEST_CASE("What checked files hold, and what is wrong with them, is there for programs") {
  const test::TempDir dir;
  std::ofstream(dir.file("good.yml"))
      << "groups: [{name: g, rules: [{alert: A, expr: up}, {record: b, expr: up}, {record: b, expr: up}]}]";
  std::ofstream(dir.file("bad.yml"))
      << "groups:\n  - name: g\n    rulez: []\n  - name: g\n    rules: [{record: '', expr: up}]\n";
  CHECK(
      shown(dir, {check_file(dir.file("good.yml")), check_file(dir.file("bad.yml")),
                  check_file(dir.file("none.yml"))}) ==
      R"([{"file":"good.yml","ok":true,"alerting_rules":1,"recording_rules":2,"errors":[],)"
      R"("warnings":["good.yml:1: recording rule b has the name and the labels of the one at line 1"]},)"
      R"({"file":"bad.yml","ok":false,"errors":[)"
      R"({"file":"bad.yml","line":3,"column":5,"message":"groups[0].rulez: unknown key; did you mean rules?"},)"
      R"({"file":"bad.yml","line":4,"column":11,"message":"groups[1].name: this group is in the file twice"},)"
      R"({"file":"bad.yml","line":5,"column":22,"message":"groups[1].rules[0].record: '' is not a valid metric name"}],"warnings":[]},)"
      R"({"file":"none.yml","ok":false,"errors":[{"file":"none.yml","line":null,"column":null,"message":"none.yml: No such file or directory"}],"warnings":[]}])");
  CHECK(shown(dir, {}) == "[]");
}

TEST_CASE("What tests found is there for programs, each failure with its place") {
  const test::TempDir dir;
  std::ofstream(dir.file("rules.yml")) << "groups: [{name: g, rules: [{record: a, expr: up}]}]";
  std::ofstream(dir.file("test.yml"))
      << "rule_files: [rules.yml]\n"
         "tests:\n"
         "  - input_series: [{series: up, values: '1 1 1'}]\n"
         "    promql_expr_test:\n"
         "      - {expr: a, eval_time: 1m, exp_samples: [{labels: a, value: 1}]}\n"
         "      - {expr: a, eval_time: 2m, exp_samples: [{labels: a, value: 2}]}\n";
  std::ofstream(dir.file("wrong.yml")) << "rule_files: ['*.yaml']\ntests:\n  - {inputs: []}\n";
  CHECK(
      shown(dir, {test_file(dir.file("test.yml")), test_file(dir.file("wrong.yml"))}) ==
      R"([{"file":"test.yml","ok":false,"tests":1,"checks":2,"passed":1,"failed":1,"failures":[)"
      R"({"file":"test.yml","line":6,"column":9,"message":"a at 2m:\n    - a 2\n    + a 1"}],"errors":[],"warnings":[]},)"
      R"({"file":"wrong.yml","ok":false,"errors":[{"file":"wrong.yml","line":3,"column":6,)"
      R"("message":"tests[0].inputs: unknown key; known are interval, start_timestamp, name, input_series, alert_rule_test, promql_expr_test, external_labels, external_url"}],"warnings":[]}])");
}

TEST_CASE("Bytes that are no UTF-8 are no bytes of the JSON") {
  Verdict verdict;
  verdict.file = "a\xff.yml";
  verdict.errors = {{"", 0, 0, "open a\xff.yml"}};
  CHECK(to_json({verdict}).find('\xff') == std::string::npos);
}

TEST_CASE("Rule files of a unit test are found by pattern, and read once") {
  const test::TempDir dir;
  std::ofstream(dir.file("a.yml")) << "groups: [{name: g, rules: [{record: a, expr: up}]}]";
  std::ofstream(dir.file("test"))
      << "rule_files: ['[a-c].yml', a.yml, '*.yaml']\n"
         "tests:\n"
         "  - input_series: [{series: up, values: '1 1'}]\n"
         "    promql_expr_test:\n"
         "      - {expr: a, eval_time: 1m, exp_samples: [{labels: a, value: 1}]}\n";
  const Verdict verdict = test_file(dir.file("test"));
  CHECK(verdict.ok());
  REQUIRE(verdict.warnings.size() == 1);  // and none of rules that are there twice
  CHECK_THAT(verdict.warnings[0], Catch::EndsWith("no file fits *.yaml"));
}
