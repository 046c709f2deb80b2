// The aggregator's command line: flags over the configuration file over the defaults.
#pragma once

#include "aggregator/config.h"
#include "aggregator/identity/init.h"
#include "aggregator/trial/command.h"
#include "common/config/written_secrets.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace vigil::aggregator {

enum class Mode : std::uint8_t { run, check, check_rules, test_rules, init, doctor, done };

struct Invocation {
  Mode mode = Mode::run;
  int exit_code =
      0;  // of Mode::done: help, the version, all keys or what is wrong with the usage was printed
  AggregatorConfig config;
  std::vector<std::string> warnings;  // what the configuration says without effect
  std::string config_path;            // "": none
  bool core_dumps = false;            // the memory may be dumped and looked at
  bool json = false;                  // of Mode::doctor: what it prints
  std::string
      trouble;  // of Mode::doctor: what is wrong with the configuration, which is as far as it was read
  std::vector<std::string> files;                      // of Mode::check_rules and Mode::test_rules
  trial::Form form = trial::Form::text;                // of what these print
  identity::InitOptions init;                          // of Mode::init
  std::vector<std::string> extra_rules;                // of --rules, beside those of the file
  std::map<std::string, std::string> flags;            // as they count: with their defaults, by name
  std::function<void(AggregatorConfig&)> apply_flags;  // puts them over what a file says
};

/// Prints help, --print-config and messages about wrong usage itself. Errors: what is wrong with the
/// configuration.
Result<Invocation> parse_command_line(int argc, const char* const* argv);

/// The configuration file for showing, without its secrets. Says so when there is none, or it cannot be read.
std::string shown_config(const Invocation& invocation);

/// Those of the files it is read from, Alertmanager's among them, that hold secrets and are open to others.
std::vector<config::OpenSecrets> open_secrets(const Invocation& invocation);

/// A file with every key and its default, each switched off.
std::string example_config();

/// Reads the file of `invocation` again, under its flags, and checks it as at the start.
Result<AggregatorConfig> reread(const Invocation& invocation);

}  // namespace vigil::aggregator
