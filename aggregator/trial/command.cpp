#include "aggregator/trial/command.h"

#include "aggregator/rules/rule_set.h"
#include "aggregator/trial/unit_test.h"
#include "common/text/human.h"

#include <algorithm>
#include <cstdio>

namespace vigil::trial {
namespace {

void print_warnings(const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) fmt::print(stderr, "warning: {}\n", warning);
}

bool check_file(const std::string& path) {
  rules::RulesConfig config;
  config.preset = rules::Preset::none;
  config.files = {path};
  const auto set = rules::RuleSet::load(config, {}, "");
  if (!set) {
    fmt::print(stderr, "{}\n", set.error().message);
    return false;
  }
  const auto& all = (*set)->rules();
  const auto alerts = static_cast<std::size_t>(std::count_if(
      all.begin(), all.end(), [](const auto& rule) { return rule->kind == rules::RuleKind::alert; }));
  fmt::print("{}: {}, {}\n", path, counted(alerts, "alerting rule"),
             counted(all.size() - alerts, "recording rule"));
  print_warnings((*set)->warnings());
  return true;
}

bool test_file(const std::string& path) {
  const auto report = run_test_file(path);
  if (!report) {
    fmt::print(stderr, "{}\n", report.error().message);
    return false;
  }
  print_warnings(report->warnings);
  const std::string what =
      fmt::format("{} in {}", counted(report->checks, "check"), counted(report->groups, "test"));
  if (report->failures.empty()) {
    fmt::print("{}: ok, {}\n", path, what);
    return true;
  }
  fmt::print("{}: FAILED, {} of {}\n", path, report->failures.size(), what);
  for (const std::string& failure : report->failures) fmt::print("  {}\n", failure);
  return false;
}

int for_all(const std::vector<std::string>& paths, bool (*look)(const std::string&)) {
  bool all = true;
  for (const std::string& path : paths) {
    all = look(path) && all;
    std::fflush(stdout);  // in order with what goes to standard error
  }
  return all ? 0 : 1;
}

}  // namespace

int check_rules(const std::vector<std::string>& paths) {
  return for_all(paths, check_file);
}

int test_rules(const std::vector<std::string>& paths) {
  return for_all(paths, test_file);
}

}  // namespace vigil::trial
