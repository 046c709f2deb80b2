#pragma once

#include <string_view>

namespace vigil {

/// Without the blanks at both ends; blanks of ASCII only, whatever the locale.
constexpr std::string_view trim(std::string_view text, std::string_view blanks = " \t\r\n") {
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

}  // namespace vigil
