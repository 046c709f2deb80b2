// The agent's command line: flags over the configuration file over the defaults.
#pragma once

#include "agent/config.h"

namespace vigil::agent {

enum class Mode : std::uint8_t { run, once, check, list_collectors, done };

struct Invocation {
  Mode mode = Mode::run;
  int exit_code = 0;  // of Mode::done: help, the version or a message about wrong usage was printed
  AgentConfig config;
};

/// Prints help and messages about wrong usage itself. Errors: what is wrong with the configuration.
Result<Invocation> parse_command_line(int argc, const char* const* argv);

}  // namespace vigil::agent
