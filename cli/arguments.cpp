#include "cli/arguments.h"

#include <algorithm>

namespace vigil::cli {
namespace {

/// Whether the option that `argument` names wants its value in the next argument.
bool wants_value(const CLI::App& app, const std::string& argument) {
  const CLI::Option* option = app.get_option_no_throw(argument);
  return option != nullptr && option->get_items_expected_max() > 0;
}

bool is_short_flag(const CLI::App& app, const std::string& argument) {
  // A value may follow its flag at once. Other words are expressions, such as -offset_metric.
  if (argument == "-ojson" || argument == "-ocsv" || argument == "-otable") return true;
  return argument.size() == 2 && app.get_option_no_throw(argument) != nullptr;
}

}  // namespace

std::vector<std::string> spell_out_help(const CLI::App& app, std::vector<std::string> arguments,
                                        std::string_view help) {
  std::size_t at = 0;  // behind the flags that all commands have, and their values
  while (at < arguments.size() && arguments[at].starts_with('-'))
    at += wants_value(app, arguments[at]) ? 2 : 1;
  if (at >= arguments.size() || arguments[at] != help) return arguments;
  arguments.erase(arguments.begin() + static_cast<std::ptrdiff_t>(at));
  const auto is_meant = [&](const CLI::App* command) { return command->check_name(arguments[at]); };
  if (at == arguments.size() || !app.get_subcommands(is_meant).empty()) arguments.emplace_back("--help");
  return arguments;
}

std::vector<std::string> shield_expressions(const CLI::App& app, std::vector<std::string> arguments) {
  const CLI::App* command = nullptr;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string& argument = arguments[i];
    if (argument == "--") break;
    if (command == nullptr) {
      if (argument == "query" || argument == "watch" || argument == "plot")
        command = app.get_subcommand(argument);
      continue;
    }
    const std::string& before = arguments[i - 1];
    const bool is_value = wants_value(app, before) || wants_value(*command, before);
    const bool is_dashed = argument.size() > 1 && argument[0] == '-' && argument[1] != '-';
    if (!is_value && is_dashed && !is_short_flag(app, argument) && !is_short_flag(*command, argument))
      argument.insert(0, 1, ' ');
  }
  return arguments;
}

bool names_aggregator(const std::vector<std::string>& arguments) {
  constexpr std::string_view kFlag = "--aggregator";
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  return std::any_of(arguments.begin(), end, [&](std::string_view argument) {
    return argument == kFlag ||
           (argument.starts_with(kFlag) && argument.substr(kFlag.size()).starts_with('='));
  });
}

}  // namespace vigil::cli
