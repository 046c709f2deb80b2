#pragma once

namespace vigil {

// std::isalpha and its kin obey the locale; names, numbers and query text do not.

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// A letter of a metric's or label's name, which the underscore is, too.
constexpr bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

}  // namespace vigil
