#include "aggregator/promql/value.h"

#include <array>
#include <cassert>
#include <charconv>
#include <cmath>

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
