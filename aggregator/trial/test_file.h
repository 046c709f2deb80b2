// A file of unit tests of rules, in promtool's format, as written.
#pragma once

#include "aggregator/rules/rule_file.h"
#include "common/config/fields.h"
#include "common/error.h"

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::trial {

using std::chrono::milliseconds;

struct InputSeries {
  rules::PlacedText series;
  rules::PlacedText values;
  config::Value at;
};
void describe(config::Fields& fields, InputSeries& input);

struct ExpectedAlert {
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
};
void describe(config::Fields& fields, ExpectedAlert& alert);

struct AlertTest {
  milliseconds eval_time{};
  std::string alertname;
  std::vector<ExpectedAlert> expected;
  config::Value at;
};
void describe(config::Fields& fields, AlertTest& test);

/// A number of YAML, with the words for what is none.
struct Number {
  double value = 0;
};
void decode(const config::Value& value, Number& out);
inline std::string type_name(const Number&) {
  return "number";
}
inline std::string print(const Number& number) {
  return fmt::format("{}", number.value);
}

struct ExpectedSample {
  rules::PlacedText labels;
  Number value;
  std::string histogram;  // refused
  config::Value at;
};
void describe(config::Fields& fields, ExpectedSample& sample);

struct ExprTest {
  rules::PlacedText expr;
  milliseconds eval_time{};
  std::vector<ExpectedSample> expected;
  config::Value at;
};
void describe(config::Fields& fields, ExprTest& test);

/// Seconds since 1970, or RFC 3339.
struct Moment {
  std::int64_t t_ms = 0;
};
void decode(const config::Value& value, Moment& out);
inline std::string type_name(const Moment&) {
  return "time";
}
inline std::string print(const Moment& moment) {
  return fmt::format("{}", moment.t_ms);
}

struct TestGroup {
  milliseconds interval{};  // 0: evaluation_interval
  Moment start;
  std::string name;
  std::vector<InputSeries> input;
  std::vector<AlertTest> alerts;
  std::vector<ExprTest> exprs;
  std::map<std::string, std::string> external_labels;
  std::string external_url;
  config::Value at;
};
void describe(config::Fields& fields, TestGroup& group);

struct TestFile {
  std::vector<rules::PlacedText> rule_files;
  milliseconds evaluation_interval = std::chrono::minutes(1);
  std::vector<rules::PlacedText> group_eval_order;
  bool fuzzy_compare = false;
  std::vector<TestGroup> tests;
};
void describe(config::Fields& fields, TestFile& file);

/// Everything that can be wrong with it, as "file:line:column: ...".
Result<TestFile> load_test_file(std::string_view text, std::string name);

}  // namespace vigil::trial
