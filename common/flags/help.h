// What --help and a wrong command line say, the same in all programs.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

namespace vigil {

/// Lays help out for a terminal of 80 columns, without the library's own notes on options.
std::shared_ptr<CLI::FormatterBase> help_formatter();

/// What is wrong and, of a flag that does not exist, which one was probably meant. `app` is the program or,
/// for one with commands, the command; its parent's flags count, too.
std::string explain_usage(const CLI::App& app, const CLI::ParseError& error);

}  // namespace vigil
