// What the command line library would misread.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::cli {

/// `vigil help db plan` is `vigil db plan --help`, `help` being the word. Of a word that is no command the
/// error is told.
std::vector<std::string> spell_out_help(const CLI::App& app, std::vector<std::string> arguments,
                                        std::string_view help);

/// The arguments, with a space before each that is an expression beginning with '-', as in `vigil query
/// '-up'`: PromQL does not mind it, and the library takes it for what it is. Flags stay as they are, misspelt
/// ones, too.
std::vector<std::string> shield_expressions(const CLI::App& app, std::vector<std::string> arguments);

/// Whether they say which aggregator to ask.
bool names_aggregator(const std::vector<std::string>& arguments);

}  // namespace vigil::cli
