// Lines in a terminal, drawn with braille dots: two by four dots per character cell.
#pragma once

#include "cli/output/listing.h"
#include "cli/output/numbers.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vigil::cli {

struct PlotSeries {
  std::string name;
  std::vector<std::int64_t> times_ms;
  std::vector<double> values;  // as many; not finite ones leave a hole
};

struct PlotOptions {
  int width = 80;   // characters, the axis included; at least 20
  int height = 12;  // rows of the drawing; at least 2
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;
  std::int64_t step_ms = 0;  // points further apart than twice this are not joined: a gap stays a gap
  Colours colours = Colours::never;
  Unit unit = Unit::number;  // of axis and legend
};

/// The drawing with its axes and a legend with least, greatest and last value of each series (at most 8 are
/// drawn).
std::string plot(const std::vector<PlotSeries>& series, const PlotOptions& options);

/// One line of eight heights, for tables and top: "▁▂▅█".
std::string sparkline(const std::vector<double>& values, double low, double high);

}  // namespace vigil::cli
