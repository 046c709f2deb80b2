// The newer grammar: tokens, of which names and values are double-quoted strings with Go's escapes, or any
// UTF-8 without white space and { } ! = ~ , \ " ' `.
#include "common/text/utf8.h"

#include "aggregator/matchers/grammars.h"
#include "aggregator/promql/literals.h"

#include <algorithm>
#include <array>

namespace vigil::matchers {
namespace {

constexpr std::string_view kReserved = "{}!=~,\\\"'`";
// U+0085, U+00A0, U+1680, U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F, U+3000
constexpr std::array<std::string_view, 19> kWideSpaces = {
    "\u0085", "\u00A0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",
    "\u2007", "\u2008", "\u2009", "\u200A", "\u2028", "\u2029", "\u202F", "\u205F", "\u3000"};

bool is_space(std::string_view character) {
  if (character.size() == 1) return std::string_view(" \t\n\v\f\r").find(character) != std::string_view::npos;
  return std::find(kWideSpaces.begin(), kWideSpaces.end(), character) != kWideSpaces.end();
}

class Reader {
 public:
  explicit Reader(std::string_view text) : all_(text), rest_(text) {}

  Result<std::vector<Written>> read() {
    std::vector<Written> out;
    const bool braces = take('{');
    while (!ends()) {
      auto one = matcher();
      if (!one) return one.error();
      out.push_back(std::move(*one));
      if (!take(',') && !ends()) return wrong(braces ? "expected a comma or }" : "expected a comma");
    }
    if (braces && !take('}')) return wrong("expected }");
    if (at_end()) return out;
    return wrong(braces ? "nothing is expected behind }" : "there is no { before it");
  }

 private:
  bool ends() { return at_end() || rest_.front() == '}'; }
  bool at_end() {
    skip_space();
    return rest_.empty();
  }
  std::string_view character() const {
    return rest_.substr(0, std::max<std::size_t>(1, character_length(rest_)));
  }
  void skip_space() {
    while (!rest_.empty() && is_space(character())) rest_.remove_prefix(character().size());
  }
  bool take(char c) {
    skip_space();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  Error wrong(std::string_view what) const {
    const std::string_view found = rest_.substr(0, rest_.find(' '));
    return fail(Errc::parse, "{}, found {} at character {}", what,
                found.empty() ? std::string("the end") : fmt::format("'{}'", found),
                all_.size() - rest_.size() + 1);
  }

  Result<Written> matcher() {
    Written written;
    auto name = word("a label's name");
    if (!name) return name.error();
    skip_space();
    if (!take_operator(rest_, written.op)) return wrong("expected =, !=, =~ or !~");
    auto value = word("a value; one that is empty or has special characters needs double quotes");
    if (!value) return value.error();
    written.name = std::move(*name);
    written.value = std::move(*value);
    return written;
  }

  Result<std::string> word(std::string_view what) {
    skip_space();
    if (rest_.starts_with('"')) return quoted();
    std::size_t size = 0;
    for (std::string_view left = rest_; !left.empty(); left = rest_.substr(size)) {
      const std::size_t length = character_length(left);
      if (length == 0 || is_space(left.substr(0, length)) ||
          kReserved.find(left.front()) != std::string_view::npos)
        break;
      size += length;
    }
    if (size == 0) return wrong(fmt::format("expected {}", what));
    const std::string_view word = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return std::string(word);
  }

  Result<std::string> quoted() {
    std::size_t end = 1;
    while (end < rest_.size() && rest_[end] != '"') end += rest_[end] == '\\' ? 2 : 1;
    if (end >= rest_.size()) return wrong("the closing double quote is missing");
    const std::string_view text = rest_.substr(0, end + 1);
    auto value = promql::unquote(text);
    if (!value || !promql::is_utf8(*value)) return wrong("a backslash in double quotes is written \\\\");
    rest_.remove_prefix(text.size());
    return std::move(*value);
  }

  std::string_view all_;
  std::string_view rest_;
};

}  // namespace

Result<std::vector<Written>> read_utf8(std::string_view text) {
  return Reader(text).read();
}

}  // namespace vigil::matchers
