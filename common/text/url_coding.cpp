#include "common/text/url_coding.h"

#include "common/text/ascii.h"

namespace vigil {
namespace {

void add_coded(char c, std::string& out) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  if (is_digit(c) || is_letter(c) || c == '-' || c == '.' || c == '~') {
    out += c;
    return;
  }
  const auto byte = static_cast<unsigned char>(c);
  out += '%';
  out += kDigits[byte >> 4];
  out += kDigits[byte & 0xF];
}

}  // namespace

std::string percent_coded(std::string_view text) {
  std::string out;
  for (const char c : text) add_coded(c, out);
  return out;
}

std::string form_coded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ') {
      out += '+';
    } else {
      add_coded(c, out);
    }
  }
  return out;
}

}  // namespace vigil
