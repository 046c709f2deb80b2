// What --help and a wrong command line say, the same in all programs.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

namespace vigil {

/// Lays help out for a terminal of 80 columns, without the library's own notes on options.
std::shared_ptr<CLI::FormatterBase> help_formatter();

/// What is wrong and, of a flag or a command that does not exist, which one was probably meant. `app` is the
/// program, with whatever it understood before the error.
std::string explain_usage(const CLI::App& app, const CLI::ParseError& error);

/// The commands it understood before the error, one behind the other: "db plan"; empty: none.
std::string commands_used(const CLI::App& app);

/// For standard error: explain_usage(), and whose --help explains it.
std::string usage_error(std::string_view program, const CLI::App& app, const CLI::ParseError& error);

/// The check of a flag whose number has limits, both included.
template <class T>
CLI::Validator number_within(T least, T most) {
  return CLI::Validator(
      [least, most](const std::string& text) {
        T value{};
        if (CLI::detail::lexical_cast(text, value) && value >= least && value <= most) return std::string();
        return fmt::format("'{}' is not {} from {} to {}", text,
                           std::is_integral_v<T> ? "a whole number" : "a number", least, most);
      },
      "");
}

}  // namespace vigil
