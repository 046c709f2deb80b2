#include "aggregator/trial/verdict.h"

#include "aggregator/rules/rule_set.h"
#include "aggregator/trial/unit_test.h"
#include "common/text/human.h"
#include "common/wire/names.h"

#include <algorithm>
#include <boost/json.hpp>

namespace vigil::trial {
namespace {

namespace json = boost::json;

/// Names of files and what stands in them may be any bytes; JSON is UTF-8.
json::string clean(std::string_view text) {
  return json::string(wire::clean_text(text, text.size() * 3));
}

json::value number_or_null(int number) {
  return number == 0 ? json::value(nullptr) : json::value(number);
}

json::array to_array(const std::vector<rules::Problem>& problems, std::string_view file) {
  json::array array;
  for (const rules::Problem& problem : problems) {
    array.push_back({{"file", clean(problem.line == 0 ? file : problem.file)},
                     {"line", number_or_null(problem.line)},
                     {"column", number_or_null(problem.column)},
                     {"message", clean(problem.message)}});
  }
  return array;
}

json::object to_object(const Verdict& verdict) {
  json::object object{{"file", clean(verdict.file)}, {"ok", verdict.ok()}};
  if (verdict.rules) {
    object["alerting_rules"] = verdict.rules->alerting;
    object["recording_rules"] = verdict.rules->recording;
  }
  if (verdict.tests) {
    object["tests"] = verdict.tests->groups;
    object["checks"] = verdict.tests->checks;
    object["passed"] = verdict.tests->passed;
    object["failed"] = verdict.tests->checks - verdict.tests->passed;
    object["failures"] = to_array(verdict.failures, verdict.file);
  }
  object["errors"] = to_array(verdict.errors, verdict.file);
  json::array warnings;
  for (const std::string& warning : verdict.warnings) warnings.push_back(clean(warning));
  object["warnings"] = std::move(warnings);
  return object;
}

}  // namespace

Verdict check_file(const std::string& path) {
  Verdict verdict;
  verdict.file = path;
  const auto text = config::read_file(path);
  if (!text) {
    verdict.errors = rules::split_problems(text.error().message);
    return verdict;
  }
  const auto set = rules::RuleSet::load_texts({{path, *text}}, {}, {}, "");
  if (!set) {
    verdict.errors = rules::split_problems(set.error().message);
    return verdict;
  }
  const auto& all = (*set)->rules();
  const auto alerts = static_cast<std::size_t>(std::count_if(
      all.begin(), all.end(), [](const auto& rule) { return rule->kind == rules::RuleKind::alert; }));
  verdict.rules = RuleCounts{alerts, all.size() - alerts};
  verdict.warnings = (*set)->warnings();
  return verdict;
}

Verdict test_file(const std::string& path) {
  Verdict verdict;
  verdict.file = path;
  auto report = run_test_file(path);
  if (!report) {
    verdict.errors = rules::split_problems(report.error().message);
    return verdict;
  }
  verdict.tests = {report->groups, report->checks, report->passed};
  for (const std::string& failure : report->failures) {
    for (rules::Problem& problem : rules::split_problems(failure))
      verdict.failures.push_back(std::move(problem));
  }
  verdict.warnings = std::move(report->warnings);
  return verdict;
}

std::string summary(const Verdict& verdict) {
  if (!verdict.errors.empty()) return {};
  if (verdict.rules) {
    return fmt::format("{}: {}, {}\n", verdict.file, counted(verdict.rules->alerting, "alerting rule"),
                       counted(verdict.rules->recording, "recording rule"));
  }
  const std::string what = fmt::format("{} in {}", counted(verdict.tests->checks, "check"),
                                       counted(verdict.tests->groups, "test"));
  if (verdict.ok()) return fmt::format("{}: ok, {}\n", verdict.file, what);
  std::string text = fmt::format("{}: FAILED, {} of {}\n", verdict.file, verdict.failures.size(), what);
  for (const rules::Problem& failure : verdict.failures) text += fmt::format("  {}\n", failure.to_string());
  return text;
}

std::string to_json(const std::vector<Verdict>& verdicts) {
  std::string text = "[";
  for (const Verdict& verdict : verdicts) {
    text += text.size() == 1 ? "\n  " : ",\n  ";
    text += json::serialize(to_object(verdict));
  }
  return text + (verdicts.empty() ? "]\n" : "\n]\n");
}

}  // namespace vigil::trial
