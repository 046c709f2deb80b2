// The shipped rule files: they load, Prometheus accepts them, and they hold what the documentation promises.
#include "aggregator/rules/presets.h"
#include "aggregator/rules/rule_set.h"
#include "tests/support/catch.h"

#include <sys/wait.h>

#include <cstdlib>
#include <set>

using namespace vigil;
using namespace vigil::rules;

namespace {

RuleSetPtr load(Preset preset) {
  RulesConfig config;
  config.preset = preset;
  auto set = RuleSet::load(config, {}, "");
  REQUIRE(set);
  return *set;
}

const Rule* find(const RuleSetPtr& set, std::string_view name, std::string_view severity) {
  for (const RulePtr& rule : set->rules()) {
    if (rule->name == name && rule->label("severity") == severity) return rule.get();
  }
  return nullptr;
}

/// "> 80" and "< 95" compare in opposite directions.
bool is_lower_bound(const Rule& rule) {
  return rule.expr_text.find(" < ") != std::string::npos && rule.name == "LowSuccessRate";
}

}  // namespace

TEST_CASE("Every preset loads, and every rule has a severity, a summary and a value") {
  const Preset preset = GENERATE(Preset::production, Preset::staging, Preset::development);
  const RuleSetPtr set = load(preset);
  CHECK(set->rules().size() >= 40);
  CHECK(set->warnings().empty());
  for (const RulePtr& rule : set->rules()) {
    CAPTURE(rule->key);
    const std::string_view severity = rule->label("severity");
    CHECK((severity == "info" || severity == "warning" || severity == "critical"));
    CHECK_FALSE(rule->annotation("summary").empty());
    CHECK_FALSE(rule->annotation("description").empty());
    CHECK_FALSE(rule->annotation("value").empty());
    CHECK(rule->threshold.has_value());  // else nobody could override it
  }
}

TEST_CASE("Nearly all shipped rules run on the shard of their host") {
  std::set<std::string> fleet;
  const RuleSetPtr set = load(Preset::production);
  for (const RulePtr& rule : set->rules()) {
    if (rule->scope == Scope::fleet) fleet.insert(rule->name);
  }
  // Of hosts that are silent, and of the aggregator itself, further back than a shard's memory reaches.
  CHECK(fleet == std::set<std::string>{"AcknowledgedSamplesLost",
                                       "ActionsFailing",
                                       "AgentSilent",
                                       "AgentsRefused",
                                       "AggregatorDiskFilling",
                                       "AggregatorOverloaded",
                                       "AggregatorStuck",
                                       "CertificateExpiring",
                                       "ConfigNotReloaded",
                                       "ConfigWaitsForRestart",
                                       "FilesystemFilling",
                                       "HostClockSkew",
                                       "HostDown",
                                       "JournalStalling",
                                       "ManyHostsDown",
                                       "NotificationsLost",
                                       "SamplesLost",
                                       "SendersSilent",
                                       "ShardsLate",
                                       "TwoAgentsOneName"});
}

TEST_CASE("The production thresholds are the promised ones") {
  const RuleSetPtr set = load(Preset::production);
  const auto threshold = [&](std::string_view name, std::string_view severity) {
    const Rule* rule = find(set, name, severity);
    CAPTURE(name, severity);
    REQUIRE(rule != nullptr);
    return rule->threshold.value();
  };
  CHECK(threshold("HighCpu", "warning") == 80);
  CHECK(threshold("HighCpu", "critical") == 90);
  CHECK(threshold("HighMemory", "warning") == 85);
  CHECK(threshold("HighMemory", "critical") == 95);
  CHECK(threshold("HighErrorRate", "warning") == 3);
  CHECK(threshold("HighErrorRate", "critical") == 5);
  CHECK(threshold("SlowResponses", "warning") == 1500);
  CHECK(threshold("SlowResponses", "critical") == 2000);
  CHECK(threshold("LowSuccessRate", "warning") == 95);
  CHECK(threshold("FilesystemFull", "warning") == 85);
  CHECK(threshold("FilesystemFull", "critical") == 95);
  CHECK(find(set, "HostDown", "critical")->annotation("vigil_inhibits") == "instance");
}

TEST_CASE("Staging and development have no rule that production has not, and none that is stricter") {
  const Preset preset = GENERATE(Preset::staging, Preset::development);
  const RuleSetPtr production = load(Preset::production);
  const RuleSetPtr set = load(preset);
  for (const RulePtr& rule : set->rules()) {
    CAPTURE(to_string(preset), rule->key);
    const RulePtr strict = production->find(rule->key);
    REQUIRE(strict);
    CHECK(rule->hold >= strict->hold);
    if (is_lower_bound(*rule)) {
      CHECK(rule->threshold <= strict->threshold);
    } else {
      CHECK(rule->threshold >= strict->threshold);
    }
  }
}

TEST_CASE("What shipped rules count is whole: extrapolated increases stand where no number is told") {
  const Preset preset = GENERATE(Preset::production, Preset::staging, Preset::development);
  const RuleSetPtr set = load(preset);
  for (const RulePtr& rule : set->rules()) {
    CAPTURE(rule->key, rule->expr_text);
    const std::string_view conditions =
        std::string_view(rule->expr_text).substr(0, rule->expr_text.find(" unless "));
    CHECK(conditions.find("increase(") == std::string_view::npos);
    CHECK(conditions.find("delta(") == std::string_view::npos);
  }
}

TEST_CASE("Prometheus's promtool accepts the shipped files") {
  if (std::system("promtool --version >/dev/null 2>&1") != 0) {
    WARN("promtool is not installed: skipped");
    return;
  }
  for (const char* name : {"production", "staging", "development"}) {
    CAPTURE(name);
    const std::string command = fmt::format(
        "promtool check rules '{}/packaging/rules/{}.yml' >/dev/null 2>&1", VIGIL_SOURCE_DIR, name);
    CHECK(WEXITSTATUS(std::system(command.c_str())) == 0);
  }
}
