#include "aggregator/promql/lexer.h"

#include "aggregator/promql/literals.h"
#include "common/text/ascii.h"

#include <array>
#include <cmath>
#include <limits>

namespace vigil::promql {
namespace {

bool equals_ignoring_case(std::string_view a, std::string_view lower) {
  if (a.size() != lower.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char c = a[i] >= 'A' && a[i] <= 'Z' ? static_cast<char>(a[i] - 'A' + 'a') : a[i];
    if (c != lower[i]) return false;
  }
  return true;
}

struct Symbol {
  std::string_view text;
  TokenKind kind;
};

// Longer symbols before their prefixes.
constexpr std::array<Symbol, 23> kSymbols = {{
    {"==", TokenKind::eq},         {"!=", TokenKind::ne},          {">=", TokenKind::ge},
    {"<=", TokenKind::le},         {"=~", TokenKind::match_regex}, {"!~", TokenKind::match_not_regex},
    {"=", TokenKind::assign},      {">", TokenKind::gt},           {"<", TokenKind::lt},
    {"(", TokenKind::left_paren},  {")", TokenKind::right_paren},  {"{", TokenKind::left_brace},
    {"}", TokenKind::right_brace}, {"[", TokenKind::left_bracket}, {"]", TokenKind::right_bracket},
    {",", TokenKind::comma},       {"@", TokenKind::at},           {"+", TokenKind::add},
    {"-", TokenKind::sub},         {"*", TokenKind::mul},          {"/", TokenKind::div},
    {"%", TokenKind::mod},         {"^", TokenKind::pow},
}};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Result<std::vector<Token>> run() {
    std::vector<Token> tokens;
    for (;;) {
      skip_space();
      auto token = next();
      if (!token) return token.error();
      tokens.push_back(std::move(*token));
      if (tokens.back().kind == TokenKind::end) return tokens;
    }
  }

 private:
  Position here() const { return {line_, static_cast<std::uint32_t>(pos_ - line_start_ + 1)}; }
  char peek(std::size_t ahead = 0) const { return pos_ + ahead < text_.size() ? text_[pos_ + ahead] : '\0'; }

  void newline() {
    ++line_;
    line_start_ = pos_ + 1;
  }

  void skip_space() {
    for (; pos_ < text_.size(); ++pos_) {
      const char c = text_[pos_];
      if (c == '#') {
        while (pos_ + 1 < text_.size() && text_[pos_ + 1] != '\n') ++pos_;
      } else if (c == '\n') {
        newline();
      } else if (c != ' ' && c != '\t' && c != '\r') {
        return;
      }
    }
  }

  Token take(TokenKind kind, std::size_t length) {
    Token token{kind, text_.substr(pos_, length), here(), 0, {}};
    pos_ += length;
    return token;
  }

  Result<Token> next() {
    if (pos_ >= text_.size()) return take(TokenKind::end, 0);
    const char c = peek();
    // Inside brackets a colon parts range and step; elsewhere it belongs to a recording rule's name.
    if (in_bracket_ && c == ':') return take(TokenKind::colon, 1);
    if (is_letter(c) || c == ':') return word();
    if (is_digit(c) || (c == '.' && is_digit(peek(1)))) return number();
    if (c == '"' || c == '\'' || c == '`') return string();
    return symbol();
  }

  Result<Token> symbol() {
    for (const Symbol& symbol : kSymbols) {
      if (!text_.substr(pos_).starts_with(symbol.text)) continue;
      if (symbol.kind == TokenKind::left_bracket) in_bracket_ = true;
      if (symbol.kind == TokenKind::right_bracket) in_bracket_ = false;
      return take(symbol.kind, symbol.text.size());
    }
    return parse_error(here(), "unexpected character {}{}", quote(text_.substr(pos_, character_bytes())),
                       advice());
  }

  /// For those who come from other languages.
  std::string_view advice() const {
    const std::string_view rest = text_.substr(pos_);
    if (rest.starts_with("&&")) return "; the operator is called and";
    if (rest.starts_with("||")) return "; the operator is called or";
    if (rest.starts_with("!")) return "; the operators are !=, !~ and unless";
    if (rest.starts_with("\xe2\x80\x9c") || rest.starts_with("\xe2\x80\x9d")) return "; use straight quotes";
    return "";
  }

  std::size_t character_bytes() const {
    std::size_t length = 1;
    while (pos_ + length < text_.size() && (static_cast<unsigned char>(text_[pos_ + length]) & 0xC0) == 0x80)
      ++length;
    return length;
  }

  Result<Token> word() {
    std::size_t length = 1;
    while (is_letter(peek(length)) || is_digit(peek(length)) || (!in_bracket_ && peek(length) == ':'))
      ++length;
    Token token = take(TokenKind::identifier, length);
    if (equals_ignoring_case(token.text, "inf")) {
      token.kind = TokenKind::number;
      token.number = std::numeric_limits<double>::infinity();
    } else if (equals_ignoring_case(token.text, "nan")) {
      token.kind = TokenKind::number;
      token.number = std::numeric_limits<double>::quiet_NaN();
    }
    return token;
  }

  /// Takes everything that could belong to a number or duration, so that `5x` is one wrong word and not two
  /// right ones.
  Result<Token> number() {
    const bool hex = peek() == '0' && (peek(1) == 'x' || peek(1) == 'X');
    std::size_t length = 1;
    for (;; ++length) {
      const char c = peek(length);
      const char before = peek(length - 1);
      const bool exponent_sign = (c == '+' || c == '-') && !hex && (before == 'e' || before == 'E');
      if (!is_digit(c) && !is_letter(c) && c != '.' && !exponent_sign) break;
    }
    Token token = take(TokenKind::number, length);
    if (const auto value = parse_number(token.text)) {
      token.number = *value;
    } else if (const auto ms = parse_duration(token.text)) {
      token.kind = TokenKind::duration;
      token.number = static_cast<double>(*ms) / 1000.0;
    } else {
      return parse_error(token.at, "bad number or duration {}; expected a form like 1.5e3, 0x1F or 1h30m",
                         quote(token.text));
    }
    return token;
  }

  Result<Token> string() {
    const char delimiter = peek();
    const Position start = here();
    const std::size_t first = pos_;
    for (++pos_; peek() != delimiter; ++pos_) {
      if (pos_ >= text_.size()) return parse_error(start, "string is not closed; expected {}", delimiter);
      if (delimiter == '`') {
        if (text_[pos_] == '\n') newline();
      } else if (text_[pos_] == '\n') {
        return parse_error(start, "string is not closed on its line; expected {}", delimiter);
      } else if (text_[pos_] == '\\') {
        ++pos_;
      }
    }
    ++pos_;
    Token token{TokenKind::string, text_.substr(first, pos_ - first), start, 0, {}};
    auto value = unquote(token.text);
    if (!value) return parse_error(start, "bad escape in string {}", token.text);
    token.decoded = std::move(*value);
    return token;
  }

  std::string_view text_;
  std::size_t pos_ = 0;
  std::size_t line_start_ = 0;
  std::uint32_t line_ = 1;
  bool in_bracket_ = false;
};

Position position_of(std::string_view text, std::size_t offset) {
  Position at;
  for (std::size_t i = 0; i < offset; ++i) {
    if (text[i] == '\n') {
      ++at.line;
      at.column = 1;
    } else {
      ++at.column;
    }
  }
  return at;
}

}  // namespace

std::string describe(const Token& token) {
  switch (token.kind) {
    case TokenKind::end:
      return "end of input";
    case TokenKind::identifier:
      return fmt::format("identifier \"{}\"", token.text);
    case TokenKind::number:
      return fmt::format("number \"{}\"", token.text);
    case TokenKind::duration:
      return fmt::format("duration \"{}\"", token.text);
    case TokenKind::string:
      return fmt::format("string {}", token.text);
    default:
      return fmt::format("\"{}\"", token.text);
  }
}

Result<std::vector<Token>> tokenize(std::string_view query) {
  if (const std::size_t valid = utf8_valid_prefix(query); valid != query.size()) {
    return parse_error(position_of(query, valid), "the query is not valid UTF-8 here");
  }
  return Lexer(query).run();
}

}  // namespace vigil::promql
