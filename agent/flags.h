// The agent's command line: flags over the configuration file over the defaults.
#pragma once

#include "agent/config.h"
#include "agent/enrolment/enroll.h"

#include <functional>
#include <string>

namespace vigil::agent {

enum class Mode : std::uint8_t { run, once, check, list_collectors, enroll, doctor, done };

struct Invocation {
  Mode mode = Mode::run;
  int exit_code =
      0;  // of Mode::done: help, the version, all keys or what is wrong with the usage was printed
  bool json = false;        // of Mode::doctor: what it prints
  bool core_dumps = false;  // the memory may be dumped and looked at
  std::string
      trouble;  // of Mode::doctor: what is wrong with the configuration, which is as far as it was read
  AgentConfig config;
  EnrollOptions enroll;                                   // of Mode::enroll
  std::string config_path;                                // "": none
  std::function<Result<void>(AgentConfig&)> apply_flags;  // puts them over what a file says
};

inline constexpr const char* kUsualConfig = "/etc/vigil/agent.yml";

/// Prints help, --print-config and messages about wrong usage itself. Errors: what is wrong with the
/// configuration.
/// Without --config, what looks after the agent of a package (enroll, doctor) reads `usual_config` where that
/// is: the file its unit reads.
Result<Invocation> parse_command_line(int argc, const char* const* argv,
                                      const std::string& usual_config = kUsualConfig);

/// Reads the file of `invocation` again, under its flags, and checks it as at the start.
Result<AgentConfig> reread(const Invocation& invocation);

/// A file with every key and its default, each switched off.
std::string example_config();

}  // namespace vigil::agent
