#include "aggregator/promql/literals.h"

#include "aggregator/promql/parser.h"
#include "common/text/ascii.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace vigil::promql {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t ms;
};

constexpr std::array<Unit, 7> kUnits = {{{"y", 365LL * 86'400'000},
                                         {"w", 7LL * 86'400'000},
                                         {"d", 86'400'000},
                                         {"h", 3'600'000},
                                         {"m", 60'000},
                                         {"s", 1000},
                                         {"ms", 1}}};

/// An integer in `base`, as a double when it does not fit 64 bits (as Go's parser ends up doing for
/// decimals).
std::optional<double> parse_integer(std::string_view digits, int base) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.empty()) return std::nullopt;
  return static_cast<double>(value);
}

/// Reads exactly `count` digits of `base` at `pos` and advances it.
std::optional<std::uint32_t> read_code(std::string_view text, std::size_t& pos, std::size_t count, int base) {
  if (pos + count > text.size()) return std::nullopt;
  std::uint32_t value = 0;
  const char* first = text.data() + pos;
  const auto [end, error] = std::from_chars(first, first + count, value, base);
  if (error != std::errc() || end != first + count) return std::nullopt;
  pos += count;
  return value;
}

/// What stands behind the backslash at `pos - 1`.
bool append_escape(std::string& out, std::string_view text, std::size_t& pos) {
  static constexpr std::string_view kLetters = "abfnrtv\\'\"";
  static constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\'\"";
  const char c = text[pos];
  if (const auto at = kLetters.find(c); at != std::string_view::npos) {
    out += kMeanings[at];
    ++pos;
    return true;
  }
  if (c >= '0' && c <= '7') {
    const auto byte = read_code(text, pos, 3, 8);
    if (!byte || *byte > 0xFF) return false;
    out += static_cast<char>(*byte);
    return true;
  }
  const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  if (digits == 0) return false;
  const auto code = read_code(text, ++pos, digits, 16);
  if (!code) return false;
  if (c == 'x') {
    out += static_cast<char>(*code);
    return true;
  }
  if (*code > 0x10FFFF || (*code >= 0xD800 && *code < 0xE000)) return false;
  append_code_point(out, *code);
  return true;
}

/// The length of the UTF-8 sequence at `pos`, 0 when it is malformed, overlong, a surrogate or too large (RFC
/// 3629).
std::size_t utf8_sequence(std::string_view text, std::size_t pos) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[pos + i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xC2 && lead < 0xE0   ? 2
                             : lead >= 0xE0 && lead < 0xF0 ? 3
                             : lead >= 0xF0 && lead < 0xF5 ? 4
                                                           : 0;
  if (length == 0 || pos + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second >= 0xA0)) return 0;
  if ((lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second >= 0x90)) return 0;
  return length;
}

}  // namespace

void append_code_point(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

std::optional<double> parse_number(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      plain += text[i];
    } else if (i == 0 || i + 1 == text.size() || !std::isxdigit(static_cast<unsigned char>(text[i + 1]))) {
      return std::nullopt;  // underscores only between digits
    }
  }
  if (plain.size() > 2 && plain[0] == '0' && (plain[1] == 'x' || plain[1] == 'X'))
    return parse_integer(plain.substr(2), 16);
  if (plain.size() > 1 && plain[0] == '0') {
    if (const auto octal = parse_integer(plain.substr(1), 8)) return octal;
  }
  double value = 0;
  const auto [end, error] =
      std::from_chars(plain.data(), plain.data() + plain.size(), value, std::chars_format::general);
  if (end != plain.data() + plain.size() || plain.empty()) return std::nullopt;
  // Out of range: from_chars leaves the value alone; the C library says whether it was too large or too
  // small.
  if (error == std::errc::result_out_of_range) return std::strtod(plain.c_str(), nullptr);
  if (error != std::errc()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::int64_t total = 0;
  auto unit = kUnits.begin();
  while (!text.empty()) {
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc() || !is_digit(text[0])) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    std::size_t letters = 0;
    while (letters < text.size() && !is_digit(text[letters])) ++letters;
    while (unit != kUnits.end() && unit->name != text.substr(0, letters)) ++unit;
    if (unit == kUnits.end() || count > kMaxDurationMs / unit->ms) return std::nullopt;
    total += count * unit->ms;
    if (total > kMaxDurationMs) return std::nullopt;
    text.remove_prefix(letters);
    ++unit;
  }
  return total;
}

Result<std::int64_t> parse_duration_ms(std::string_view text) {
  if (const auto ms = parse_duration(text)) return *ms;
  return fail(Errc::parse, "\"{}\" is not a duration; expected something like 90s, 5m or 1h30m", text);
}

std::string format_duration_ms(std::int64_t ms) {
  if (ms == 0) return "0s";
  std::string out = ms < 0 ? "-" : "";
  std::uint64_t rest = ms < 0 ? 0 - static_cast<std::uint64_t>(ms) : static_cast<std::uint64_t>(ms);
  for (const Unit& unit : kUnits) {
    const auto size = static_cast<std::uint64_t>(unit.ms);
    // Years and weeks only when nothing is left over: 400d reads better than 1y5w.
    if ((unit.name == "y" || unit.name == "w") && rest % size != 0) continue;
    if (rest >= size) out += fmt::format("{}{}", rest / size, unit.name);
    rest %= size;
  }
  return out;
}

std::optional<std::string> unquote(std::string_view text) {
  if (text.size() < 2 || text.front() != text.back()) return std::nullopt;
  const char delimiter = text.front();
  const std::string_view inner = text.substr(1, text.size() - 2);
  if (delimiter == '`') return std::string(inner);
  std::string out;
  for (std::size_t pos = 0; pos < inner.size();) {
    if (inner[pos] != '\\') {
      out += inner[pos++];
    } else if (++pos >= inner.size() || !append_escape(out, inner, pos)) {
      return std::nullopt;
    }
  }
  return out;
}

std::string quote(std::string_view text) {
  static constexpr std::string_view kControls = "\a\b\f\n\r\t\v";
  static constexpr std::string_view kControlLetters = "abfnrtv";
  const bool utf8 = is_utf8(text);
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (const auto at = kControls.find(c); at != kControls.npos) {
      out += '\\';
      out += kControlLetters[at];
    } else if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !utf8)) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::size_t utf8_valid_prefix(std::string_view text) {
  std::size_t pos = 0;
  while (pos < text.size()) {
    const std::size_t length = utf8_sequence(text, pos);
    if (length == 0) break;
    pos += length;
  }
  return pos;
}

bool is_utf8(std::string_view text) {
  return utf8_valid_prefix(text) == text.size();
}

}  // namespace vigil::promql
