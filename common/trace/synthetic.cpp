#include "common/trace/trace.h"

#include <algorithm>
#include <random>

namespace vigil {
namespace {

constexpr std::int64_t kT0 = 1'700'000'000'000;
constexpr std::int64_t kHundredPercent = 10'000;  // two decimals

std::int64_t step(std::size_t column, std::int64_t before, std::mt19937_64& random) {
  const auto uniform = [&](int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(random);
  };
  switch (column % 10) {
    case 0:
    case 1:
    case 2:
    case 3:
      return before + uniform(0, 100);
    case 4:
    case 5:
    case 6:
      return before + (uniform(0, 9) == 0 ? uniform(-3, 3) : 0);
    case 7:
    case 8:
      return std::clamp<std::int64_t>(before + uniform(-50, 50), 0, kHundredPercent);
    default:
      return before;
  }
}

SeriesSpec spec(std::size_t column) {
  SeriesSpec spec;
  spec.type = SeriesType::gauge;
  const std::size_t kind = column % 10;
  if (kind <= 3) {
    spec.name = "noisy_total";
    spec.type = SeriesType::counter;
  } else if (kind <= 6) {
    spec.name = "slow";
  } else if (kind <= 8) {
    spec.name = "percent";
    spec.scale = 2;
  } else {
    spec.name = "constant";
  }
  return spec;
}

}  // namespace

Trace synthetic_trace(std::size_t rows, std::size_t columns) {
  std::mt19937_64 random(1);
  Trace trace;
  trace.name = "synthetic";
  for (std::size_t column = 0; column < columns; ++column) trace.series.push_back(spec(column));
  std::vector<std::int64_t> now(columns);
  for (auto& value : now) value = std::uniform_int_distribution<std::int64_t>(0, kHundredPercent)(random);
  for (std::size_t row = 0; row < rows; ++row) {
    trace.times_ms.push_back(kT0 + static_cast<std::int64_t>(row) * 1000);
    for (std::size_t column = 0; column < columns; ++column) now[column] = step(column, now[column], random);
    trace.rows.push_back(now);
  }
  return trace;
}

}  // namespace vigil
