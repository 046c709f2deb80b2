// The classic grammar. It is lenient: everything behind the operator up to the next comma outside of quotes
// is the value, with or without quotes around it, and a backslash that escapes nothing stands for itself.
#include "aggregator/matchers/grammars.h"
#include "aggregator/promql/literals.h"
#include "common/text/ascii.h"
#include "common/text/trim.h"

#include <algorithm>

namespace vigil::matchers {
namespace {

constexpr std::string_view kSpace = " \t\n\f\r";

/// The parts between commas outside of quotes; nothing behind the last comma is no part.
std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  bool quoted = false;
  bool escaped = false;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ',' && !quoted) {
      parts.push_back(text.substr(begin, i - begin));
      begin = i + 1;
    } else if (text[i] == '"' && !escaped) {
      quoted = !quoted;
    }
    escaped = text[i] == '\\' && !escaped;
  }
  if (!trim(text.substr(begin), kSpace).empty()) parts.push_back(text.substr(begin));
  return parts;
}

Result<std::string> read_value(std::string_view raw) {
  if (!promql::is_utf8(raw)) return fail(Errc::parse, "the value is not UTF-8");
  const bool quoted = raw.starts_with('"');
  if (quoted) raw.remove_prefix(1);
  std::string value;
  bool closed = false;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const bool last = i + 1 == raw.size();
    if (raw[i] == '\\' && !last) {
      const char next = raw[++i];
      if (next != 'n' && next != '"' && next != '\\') value += '\\';
      value += next == 'n' ? '\n' : next;
    } else if (raw[i] == '"') {
      if (!quoted || !last)
        return fail(Errc::parse, "a double quote within the value needs a backslash: \\\"");
      closed = true;
    } else {
      value += raw[i];
    }
  }
  if (quoted != closed) return fail(Errc::parse, "the closing double quote is missing");
  return value;
}

Result<Written> read_one(std::string_view part) {
  std::string_view rest = trim(part, kSpace);
  const auto in_name = [](char c) { return is_letter(c) || is_digit(c) || c == ':'; };
  const auto end = std::find_if_not(rest.begin(), rest.end(), in_name);
  Written written;
  written.name = std::string(rest.begin(), end);
  rest.remove_prefix(written.name.size());
  rest = trim(rest, kSpace);
  if (written.name.empty() || is_digit(written.name.front()) || !take_operator(rest, written.op)) {
    return fail(Errc::parse,
                "'{}' is not a matcher; write for example severity=\"critical\" or team=~\"db|web\"",
                trim(part, kSpace));
  }
  auto value = read_value(trim(rest, kSpace));
  if (!value) return value.error();
  written.value = std::move(*value);
  return written;
}

}  // namespace

Result<std::vector<Written>> read_classic(std::string_view text) {
  if (text.starts_with('{')) text.remove_prefix(1);
  if (text.ends_with('}')) text.remove_suffix(1);
  std::vector<Written> out;
  for (const std::string_view part : split(text)) {
    auto one = read_one(part);
    if (!one) return one.error();
    out.push_back(std::move(*one));
  }
  return out;
}

}  // namespace vigil::matchers
