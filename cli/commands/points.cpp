#include "cli/commands/points.h"

#include "cli/commands/command.h"
#include "cli/output/numbers.h"
#include "common/text/human.h"

#include <cstdio>

namespace vigil::cli {
namespace {

/// Six digits are what people read; programs get all.
Cell value_cell(double value) {
  return Cell::number(value, format_digits(value, 6));
}
Cell moment_cell(std::int64_t t_ms) {
  return Cell{t_ms, format_local_time(t_ms), Style::faint};
}

}  // namespace

void show_annotations(const v1::QueryResult& result) {
  for (const auto& text : result.warnings()) fmt::print(stderr, "warning: {}\n", text);
  for (const auto& text : result.infos()) fmt::print(stderr, "info: {}\n", text);
}

Listing points_listing(const v1::QueryResult& result) {
  Listing listing;
  listing.empty_note = "No series match.";
  const bool one_each = result.kind() != v1::QueryResult::KIND_MATRIX;
  listing.columns = {{"series", "SERIES"},
                     kMetricColumn,
                     {"time_ms", one_each ? "" : "TIME"},
                     {"value", "VALUE", Align::right}};
  for (const auto& series : result.series()) {
    const std::string name = result.kind() == v1::QueryResult::KIND_SCALAR ? "scalar" : series_name(series);
    for (int i = 0; i < series.values_size(); ++i) {
      listing.rows.push_back({Cell::of(name), Cell::object(series_labels(series)),
                              moment_cell(series.times_ms(i)), value_cell(series.values(i))});
    }
  }
  if (result.kind() == v1::QueryResult::KIND_STRING)
    listing.rows.push_back({Cell::of("string"), Cell::object({}), Cell::unknown(), Cell::of(result.text())});
  return listing;
}

}  // namespace vigil::cli
