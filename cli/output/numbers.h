// Numbers as people read them in tables and drawings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::cli {

/// At most `digits` significant ones, whole numbers whole: "0.933793", "1234567"; powers of ten only where a
/// number is very large or very small.
std::string format_digits(double value, int digits);

/// What the values of an expression are.
enum class Unit : std::uint8_t { number, bytes };

/// Bytes when the metrics are in bytes and the expression neither scales nor counts them: sums and rates keep
/// the unit, quotients do not. A guess for reading, never for programs.
Unit unit_of(std::string_view expression);

/// "1.234k", or "22.6 GiB".
std::string format_in(Unit unit, double value);

/// The label of an axis that spans `span` around `largest` (the greatest absolute value of it): all labels of
/// one axis have the same unit, and digits enough to differ.
struct AxisScale {
  Unit unit = Unit::number;
  double largest = 0;
  double span = 0;
};
std::string axis_label(double value, const AxisScale& scale);

}  // namespace vigil::cli
