#include "aggregator/trial/test_file.h"

#include "aggregator/promql/parser.h"
#include "aggregator/trial/series_notation.h"
#include "common/text/human.h"

#include <charconv>
#include <limits>
#include <set>

namespace vigil::trial {

void describe(config::Fields& fields, InputSeries& input) {
  fields.required("series", input.series, "A metric with its labels.");
  fields.required("values", input.values, "Its values, one per interval, in series notation.");
}

void describe(config::Fields& fields, ExpectedAlert& alert) {
  fields.field("exp_labels", alert.labels, "Labels without alertname.");
  fields.field("exp_annotations", alert.annotations, "Annotations, expanded.");
}

void describe(config::Fields& fields, AlertTest& test) {
  fields.required("eval_time", test.eval_time, "When to look, since the beginning.");
  fields.required("alertname", test.alertname, "The alert that is looked at.");
  fields.field("exp_alerts", test.expected, "The alerts that fire then; none: it does not fire.");
}

void describe(config::Fields& fields, ExpectedSample& sample) {
  fields.field("labels", sample.labels, "A metric with its labels.");
  fields.field("value", sample.value, "Its value.");
  fields.field("histogram", sample.histogram, "Not supported.");
}

void describe(config::Fields& fields, ExprTest& test) {
  fields.required("expr", test.expr, "What is evaluated.");
  fields.field("eval_time", test.eval_time, "When, since the beginning.");
  fields.field("exp_samples", test.expected, "What it gives.");
}

void describe(config::Fields& fields, TestGroup& group) {
  fields.field("interval", group.interval, "Between the values of a series.");
  fields.field("start_timestamp", group.start, "When it all begins.");
  fields.field("name", group.name, "For messages.");
  fields.field("input_series", group.input, "The samples there are.");
  fields.field("alert_rule_test", group.alerts, "What fires when.");
  fields.field("promql_expr_test", group.exprs, "What expressions give when.");
  fields.field("external_labels", group.external_labels, "What templates see.");
  fields.field("external_url", group.external_url, "What templates see.");
}

void describe(config::Fields& fields, TestFile& file) {
  fields.field("rule_files", file.rule_files, "Patterns, from this file's folder.");
  fields.field("evaluation_interval", file.evaluation_interval, "How often rules are evaluated.");
  fields.field("group_eval_order", file.group_eval_order, "Names of groups: in which order.");
  fields.field("fuzzy_compare", file.fuzzy_compare, "Values may differ in their last digits.");
  fields.field("tests", file.tests, "The tests.");
}

void decode(const config::Value& value, Number& out) {
  const auto text = value.scalar("number");
  if (!text) return;
  std::string_view word = *text;
  const bool negative = word.starts_with('-');
  if (negative || word.starts_with('+')) word.remove_prefix(1);
  if (word == ".inf" || word == ".Inf" || word == ".INF" || word == "Inf" || word == "inf") {
    out.value = std::numeric_limits<double>::infinity();
  } else if (word == ".nan" || word == ".NaN" || word == ".NAN" || word == "NaN") {
    out.value = std::numeric_limits<double>::quiet_NaN();
  } else if (const auto number = promql::parse(word);
             number && std::holds_alternative<promql::NumberLiteral>((*number)->node)) {
    out.value = std::get<promql::NumberLiteral>((*number)->node).value;
  } else {
    value.error(fmt::format("'{}' is not a number", *text));
  }
  if (negative) out.value = -out.value;
}

void decode(const config::Value& value, Moment& out) {
  const auto text = value.scalar("time");
  if (!text) return;
  const auto parsed = parse_time(*text, 0);
  if (parsed) {
    out.t_ms = *parsed;
  } else {
    value.error(parsed.error().message);
  }
}

namespace {

void check_series(const InputSeries& input) {
  if (input.series.at) {
    const auto metric = parse_metric(input.series.text);
    if (!metric) input.series.at.error(metric.error().message);
  }
  if (input.values.at) {
    const auto values = parse_values(input.values.text);
    if (!values) input.values.at.error(values.error().message);
  }
}

void check_expr(const ExprTest& test) {
  if (test.expr.at) {
    const auto parsed = promql::parse(test.expr.text);
    if (!parsed) test.expr.at.error(parsed.error().message);
  }
  for (const ExpectedSample& sample : test.expected) {
    if (!sample.histogram.empty()) sample.at.error("native histograms are not supported");
    if (!sample.labels.at) continue;
    const auto metric = parse_metric(sample.labels.text);
    if (!metric) sample.labels.at.error(metric.error().message);
  }
}

void check(const TestFile& file) {
  std::set<std::string_view> order;
  for (const rules::PlacedText& group : file.group_eval_order) {
    if (!order.insert(group.text).second) group.at.error("this group stands there twice");
  }
  for (const TestGroup& group : file.tests) {
    for (const InputSeries& input : group.input) check_series(input);
    for (const AlertTest& test : group.alerts) {
      if (test.alertname.empty()) test.at.error("alertname must not be empty");
    }
    for (const ExprTest& test : group.exprs) check_expr(test);
  }
}

}  // namespace

Result<TestFile> load_test_file(std::string_view text, std::string name) {
  auto document = config::Document::parse(text, std::move(name));
  if (!document) return document.error();
  TestFile file;
  config::decode(document->root(), file);
  check(file);
  if (auto fine = document->result(); !fine) return fine.error();
  if (file.evaluation_interval.count() == 0) file.evaluation_interval = std::chrono::minutes(1);
  return file;
}

}  // namespace vigil::trial
