#include "cli/output/numbers.h"

#include "common/text/exposition.h"
#include "common/text/human.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace vigil::cli {
namespace {

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == ':';
}

/// Without what stands in quotes, braces and brackets: metrics, functions and operators remain.
std::string skeleton(std::string_view expression) {
  std::string out;
  char quote = 0;
  int depth = 0;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    const char c = expression[i];
    if (quote != 0) {
      if (c == '\\' && quote != '`') ++i;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'' || c == '`') {
      quote = c;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      --depth;
    } else if (depth == 0) {
      out += c;
    }
  }
  return out;
}

std::string without_minus_zero(const std::string& text) {
  const bool is_zero = text.find_first_not_of("-0.") == std::string::npos;
  return is_zero && text.starts_with('-') ? text.substr(1) : text;
}

}  // namespace

std::string format_digits(double value, int digits) {
  if (!std::isfinite(value)) return format_value(value);
  constexpr double kWhole = 1e15;  // up to here each whole number is one
  const double magnitude = std::abs(value);
  if (magnitude < kWhole && (std::trunc(value) == value || magnitude >= std::pow(10, digits)))
    return without_minus_zero(fmt::format("{:.0f}", value));
  return fmt::format("{:.{}g}", value, digits);
}

Unit unit_of(std::string_view expression) {
  const std::string text = skeleton(expression);
  if (text.find_first_of("*/%^=<>") != std::string::npos) return Unit::number;
  bool bytes = false;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && is_word(text[end])) ++end;
    const std::string_view word = std::string_view(text).substr(at, end - at);
    constexpr std::array<std::string_view, 11> kOther = {
        "count",  "count_values", "count_over_time", "changes", "resets",           "timestamp",
        "absent", "group",        "stdvar",          "log2",    "present_over_time"};
    if (std::find(kOther.begin(), kOther.end(), word) != kOther.end()) return Unit::number;
    bytes = bytes || word.ends_with("_bytes") || word.ends_with("_bytes_total");
    at = std::max(end, at + 1);
  }
  return bytes ? Unit::bytes : Unit::number;
}

std::string format_in(Unit unit, double value) {
  return unit == Unit::bytes ? format_bytes(value) : format_si(value);
}

std::string axis_label(double value, const AxisScale& scale) {
  constexpr std::array<std::string_view, 6> kBinary = {" B", " KiB", " MiB", " GiB", " TiB", " PiB"};
  constexpr std::array<std::string_view, 6> kDecimal = {"", "k", "M", "G", "T", "P"};
  const double base = scale.unit == Unit::bytes ? 1024 : 1000;
  double divisor = 1;
  std::size_t step = 0;
  while (scale.largest / divisor >= base && step + 1 < kBinary.size()) {
    divisor *= base;
    ++step;
  }
  const double span = scale.span / divisor;
  const int decimals = span >= 100 ? 0 : span >= 10 ? 1 : span >= 1 ? 2 : span >= 0.1 ? 3 : 4;
  const std::string_view suffix = scale.unit == Unit::bytes ? kBinary[step] : kDecimal[step];
  return without_minus_zero(fmt::format("{:.{}f}", value / divisor, decimals)) + std::string(suffix);
}

}  // namespace vigil::cli
