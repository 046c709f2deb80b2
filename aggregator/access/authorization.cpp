#include "aggregator/access/authorization.h"

#include <algorithm>

namespace vigil::aggregator::access {
namespace {

int value_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

/// Schemes know no case.
bool is_scheme(std::string_view word, std::string_view lower) {
  return std::ranges::equal(word, lower, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') + 1 - first);
}

Result<Credential> parse_basic(std::string_view rest) {
  auto plain = decode_base64(rest);
  if (!plain) return plain.error();
  const auto colon = plain->find(':');
  if (colon == std::string::npos) return fail(Errc::parse, "Authorization: Basic lacks the colon");
  if (plain->find('\0') != std::string::npos) return fail(Errc::parse, "Authorization: Basic holds a NUL");
  return Credential(Basic{plain->substr(0, colon), plain->substr(colon + 1)});
}

}  // namespace

Result<std::string> decode_base64(std::string_view text) {
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  if (text.size() % 4 == 1) return fail(Errc::parse, "not base64: a part of a byte is left");
  std::string out;
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = value_of(c);
    if (value < 0) return fail(Errc::parse, "not base64");
    bits = (bits << 6 | static_cast<unsigned>(value)) & 0xFFFFFF;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xFF);
  }
  return out;
}

Result<Credential> parse_authorization(std::string_view value) {
  if (value.size() > kMostAuthorizationBytes)
    return fail(Errc::parse, "Authorization: more than {} bytes", kMostAuthorizationBytes);
  value = trimmed(value);
  const auto space = value.find(' ');
  const std::string_view scheme = value.substr(0, space);
  const std::string_view rest =
      space == std::string_view::npos ? std::string_view() : trimmed(value.substr(space));
  if (rest.empty() || rest.find(' ') != std::string_view::npos || rest.find(',') != std::string_view::npos)
    return fail(Errc::parse, "Authorization: one of `Bearer TOKEN` and `Basic BASE64` is expected");
  if (is_scheme(scheme, "bearer")) return Credential(Bearer{std::string(rest)});
  if (is_scheme(scheme, "basic")) return parse_basic(rest);
  return fail(Errc::parse, "Authorization: the scheme is neither Bearer nor Basic");
}

}  // namespace vigil::aggregator::access
