#include "agent/collectors/text.h"

namespace vigil::agent {
namespace {

bool octal(char c, char highest) {
  return c >= '0' && c <= highest;
}

}  // namespace

std::string unescape_octal(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '\\' && i + 3 < text.size() && octal(text[i + 1], '3') &&
                        octal(text[i + 2], '7') && octal(text[i + 3], '7');
    if (!escape) {
      result += text[i];
      continue;
    }
    result += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
    i += 3;
  }
  return result;
}

}  // namespace vigil::agent
