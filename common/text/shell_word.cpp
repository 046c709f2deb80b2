#include "common/text/shell_word.h"

#include <algorithm>

namespace vigil {
namespace {

bool means_itself(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_@%+=:,./-").find(c) != std::string_view::npos;
}

}  // namespace

std::string shell_word(std::string_view text) {
  if (!text.empty() && std::ranges::all_of(text, means_itself)) return std::string(text);
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'')
      out += R"('\'')";  // ends the quotes, a quote, and begins them again
    else
      out += c;
  }
  return out + '\'';
}

}  // namespace vigil
