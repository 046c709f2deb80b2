// What a host samples, row by row: for benchmarks, which must name the trace they fed, since bytes per sample
// depend on it more than on anything else.
#pragma once

#include "common/error.h"
#include "common/series.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil {

struct Trace {
  std::string name;                             // "synthetic", or the file it was read from
  std::vector<SeriesSpec> series;               // a column each
  std::vector<std::int64_t> times_ms;           // of each row; Unix milliseconds
  std::vector<std::vector<std::int64_t>> rows;  // rows[i][column]; kAbsent where there is no sample
};

/// A fleet's host at 1 Hz: 40 % noisy counters, 30 % slowly moving integers, 20 % percentages with two
/// decimals, 10 % constant. The same for the same shape, always.
Trace synthetic_trace(std::size_t rows, std::size_t columns);

/// Tab-separated text: a line with `time_ms` and the names of the columns, then a line for each row, Unix
/// milliseconds and raw integers; an empty field is an absent sample. Errors: Errc::parse with the line.
Result<Trace> parse_trace(std::string_view text);

/// The same from a file, which may be packed with zstd. Errors name the file.
Result<Trace> read_trace(const std::string& path);

}  // namespace vigil
