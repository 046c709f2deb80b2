// The aggregator's command line: flags over the configuration file over the defaults.
#pragma once

#include "aggregator/config.h"
#include "aggregator/trial/command.h"

#include <map>
#include <string>
#include <vector>

namespace vigil::aggregator {

enum class Mode : std::uint8_t { run, check, check_rules, test_rules, done };

struct Invocation {
  Mode mode = Mode::run;
  int exit_code = 0;  // of Mode::done: help, the version or a message about wrong usage was printed
  AggregatorConfig config;
  std::vector<std::string> warnings;         // what the configuration says without effect
  std::string config_path;                   // "": none
  std::vector<std::string> files;            // of Mode::check_rules and Mode::test_rules
  trial::Form form = trial::Form::text;      // of what these print
  std::vector<std::string> extra_rules;      // of --rules, beside those of the file
  std::map<std::string, std::string> flags;  // as they count: with their defaults, by name
};

/// Prints help and messages about wrong usage itself. Errors: what is wrong with the configuration.
Result<Invocation> parse_command_line(int argc, const char* const* argv);

/// The configuration file for showing, without its secrets. Says so when there is none, or it cannot be read.
std::string shown_config(const Invocation& invocation);

/// Reads the file of `invocation` again, for SIGHUP: only its rules and actions are taken.
Result<AggregatorConfig> reread(const Invocation& invocation);

}  // namespace vigil::aggregator
