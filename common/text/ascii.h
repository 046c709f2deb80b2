#pragma once

#include <string_view>

namespace vigil {

// std::isalpha and its kin obey the locale; names, numbers and query text do not.

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// A letter of a metric's or label's name, which the underscore is, too.
constexpr bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/// Whether `text` has a control character: CR, LF and NUL among them, which end a line or a text elsewhere.
constexpr bool has_control(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return true;
  }
  return false;
}

}  // namespace vigil
