#include "agent/files/scan.h"

#include <charconv>
#include <limits>

namespace vigil::agent {

bool Lines::next() {
  if (rest_.empty()) return false;
  const std::size_t end = rest_.find('\n');
  line_ = rest_.substr(0, end);
  rest_ = end == std::string_view::npos ? std::string_view{} : rest_.substr(end + 1);
  return true;
}

std::string_view Fields::next() {
  const std::size_t begin = rest_.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return rest_ = {};
  std::size_t end = rest_.find_first_of(" \t", begin);
  if (end == std::string_view::npos) end = rest_.size();
  const std::string_view field = rest_.substr(begin, end - begin);
  rest_.remove_prefix(end);
  return field;
}

std::optional<std::int64_t> Fields::number() {
  return parse_integer(next());
}

void Fields::skip(int count) {
  for (int i = 0; i < count; ++i) next();
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  constexpr auto kLargest = std::numeric_limits<std::int64_t>::max();
  const bool negative = !text.empty() && text.front() == '-';
  if (negative || (!text.empty() && text.front() == '+')) text.remove_prefix(1);
  std::uint64_t magnitude = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), magnitude);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  const std::int64_t value =
      magnitude > static_cast<std::uint64_t>(kLargest) ? kLargest : static_cast<std::int64_t>(magnitude);
  return negative ? -value : value;
}

std::optional<std::int64_t> parse_decimal(std::string_view text, int scale) {
  const auto [whole_text, fraction_text] = split_once(text, '.');
  const bool negative = !whole_text.empty() && whole_text.front() == '-';
  const auto whole = parse_integer(whole_text);
  if (!whole) return std::nullopt;
  std::int64_t value = negative ? -*whole : *whole;
  for (int i = 0; i < scale; ++i) {
    int digit = 0;
    if (static_cast<std::size_t>(i) < fraction_text.size()) {
      digit = fraction_text[static_cast<std::size_t>(i)] - '0';
      if (digit < 0 || digit > 9) return std::nullopt;
    }
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value))
      return std::nullopt;
  }
  return negative ? -value : value;
}

std::optional<std::int64_t> parse_hex(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return static_cast<std::int64_t>(value >> 63 != 0 ? std::numeric_limits<std::int64_t>::max()
                                                    : static_cast<std::int64_t>(value));
}

std::string_view whole_lines(std::string_view content) {
  return content.substr(0, content.rfind('\n') + 1);
}

std::pair<std::string_view, std::string_view> split_once(std::string_view text, char separator) {
  const std::size_t at = text.find(separator);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

}  // namespace vigil::agent
