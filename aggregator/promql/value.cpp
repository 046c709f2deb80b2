#include "aggregator/promql/value.h"

#include <array>
#include <cassert>
#include <charconv>
#include <cmath>

namespace vigil::promql {

std::string format_value(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 1200>
      buffer;  // the smallest denormal needs 1 + 1 + 323 + 17 characters, the largest double 309
  const auto [end, error] =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed);
  assert(error == std::errc());
  return std::string(buffer.data(), end);
}

}  // namespace vigil::promql
