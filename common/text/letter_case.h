#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace vigil {

// Of ASCII only, whatever the locale: names of headers, hosts, units and keys, which know no case.

constexpr char lower_case(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

inline std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = lower_case(c);
  return lower;
}

/// "Content-Type" and "content-type" are.
constexpr bool is_same_in_any_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char one, char other) { return lower_case(one) == lower_case(other); });
}

}  // namespace vigil
