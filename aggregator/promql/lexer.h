// Splits PromQL text into tokens with positions. Internal to the parser.
#pragma once

#include "common/error.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::promql {

enum class TokenKind : std::uint8_t {
  end,
  identifier,
  number,
  duration,
  string,
  left_paren,
  right_paren,
  left_brace,
  right_brace,
  left_bracket,
  right_bracket,
  comma,
  colon,
  at,
  add,
  sub,
  mul,
  div,
  mod,
  pow,
  eq,
  ne,
  gt,
  lt,
  ge,
  le,  // == != > < >= <=
  assign,
  match_regex,
  match_not_regex,  // = =~ !~
};

struct Position {
  std::uint32_t line = 1;
  std::uint32_t column = 1;  // in bytes, from 1
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::string_view text;  // as written, a view into the query
  Position at;
  double number = 0;    // number: the value; duration: seconds
  std::string decoded;  // string: the value without quotes and escapes
};

/// How a token is named in messages: `")"`, `identifier "foo"`, `end of input`.
std::string describe(const Token& token);

/// "LINE:COLUMN: parse error: MESSAGE"
template <class... Args>
Error parse_error(Position at, fmt::format_string<Args...> format, Args&&... args) {
  return fail(Errc::parse, "{}:{}: parse error: {}", at.line, at.column,
              fmt::format(format, std::forward<Args>(args)...));
}

/// The last token is always TokenKind::end. Refuses invalid UTF-8.
Result<std::vector<Token>> tokenize(std::string_view query);

}  // namespace vigil::promql
