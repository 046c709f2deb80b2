#include "aggregator/promql/value.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>

namespace vigil::promql {

Result<void> Storage::visit(const Selection& selection, SeriesSink& sink) {
  auto series = select(selection);
  if (!series) return series.error();
  sink.begin(1);
  for (SelectedSeries& one : *series) {
    if (auto taken = sink.take(0, one); !taken) return taken;
  }
  return {};
}

namespace {

constexpr double kExactIntegers = 9'007'199'254'740'992;  // 2^53

/// Of a large number to_chars would write every digit, as if all of them were known. Go, and so Prometheus,
/// writes those that read back and then zeros: label values that count_values() makes must not differ.
std::string whole_number(double value) {
  std::array<char, 32> buffer;
  const auto [end, error] =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific);
  assert(error == std::errc());
  const std::string_view text(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  const std::size_t e = text.find('e');
  std::string digits(text.substr(0, e));
  std::erase(digits, '.');
  const std::size_t sign = value < 0 ? 1 : 0;
  const auto exponent = static_cast<std::size_t>(std::stoul(std::string(text.substr(e + 1))));
  digits.resize(std::max(digits.size(), sign + exponent + 1), '0');
  return digits;
}

}  // namespace

std::string format_value(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 1200>
      buffer;  // the smallest denormal needs 1 + 1 + 323 + 17 characters, the largest double 309
  const auto [end, error] =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed);
  assert(error == std::errc());
  if (std::fabs(value) >= kExactIntegers) return whole_number(value);
  return std::string(buffer.data(), end);
}

}  // namespace vigil::promql
