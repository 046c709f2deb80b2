// The aggregator's command line: flags over the configuration file over the defaults.
#pragma once

#include "aggregator/config.h"

namespace vigil::aggregator {

enum class Mode : std::uint8_t { run, check, check_rules, test_rules, done };

struct Invocation {
  Mode mode = Mode::run;
  int exit_code = 0;  // of Mode::done: help, the version or a message about wrong usage was printed
  AggregatorConfig config;
  std::vector<std::string> warnings;     // what the configuration says without effect
  std::string config_path;               // "": none
  std::vector<std::string> files;        // of Mode::check_rules and Mode::test_rules
  std::vector<std::string> extra_rules;  // of --rules, beside those of the file
};

/// Prints help and messages about wrong usage itself. Errors: what is wrong with the configuration.
Result<Invocation> parse_command_line(int argc, const char* const* argv);

/// Reads the file of `invocation` again, for SIGHUP: only its rules are taken.
Result<rules::RulesConfig> reread_rules(const Invocation& invocation);

}  // namespace vigil::aggregator
