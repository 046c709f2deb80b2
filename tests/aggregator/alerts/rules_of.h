// Rule sets written down in a test.
#pragma once

#include "aggregator/rules/rule_set.h"
#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <string>

namespace vigil::test {

inline rules::RuleSetPtr rules_of(const std::string& yaml) {
  const TempFile file("rules.yml", yaml);
  rules::RulesConfig config;
  config.preset = rules::Preset::none;
  config.files = {file.path()};
  auto set = rules::RuleSet::load(config, {}, "https://vigil.example");
  REQUIRE(set);
  return *set;
}

}  // namespace vigil::test
