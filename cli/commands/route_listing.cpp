#include "cli/commands/route_listing.h"

#include "cli/commands/figures.h"

#include <fmt/ranges.h>

#include <string>
#include <vector>

namespace vigil::cli {
namespace {

using Texts = google::protobuf::RepeatedPtrField<std::string>;

Cell list_cell(const Texts& texts) {
  Cell cell = Cell::list({texts.begin(), texts.end()});
  cell.text = fmt::format("{}", fmt::join(texts, ", "));
  return cell;
}

/// As far in as it is below others.
Cell matchers_cell(const v1::Route& route) {
  Cell cell = list_cell(route.matchers());
  if (cell.text.empty()) cell.text = "all alerts";
  cell.text.insert(0, 2 * std::size_t{route.depth()}, ' ');
  if (route.continues()) cell.text += " (and on)";
  return cell;
}

Cell now_cell(const v1::Route& route) {
  if (route.muted_text().empty()) return Cell{route.muting(), "told", Style::good};
  return Cell{route.muting(), route.muted_text(), Style::warning};
}

}  // namespace

Listing routes_listing(const v1::ListRoutesResponse& routes) {
  Listing listing;
  listing.empty_note =
      "There are no routes: notifications.alertmanager_file is not set. `vigil receivers` says who is told.";
  listing.columns = {{"matchers", "ROUTE", Align::left, Fit::cut},
                     {"receiver", "RECEIVER"},
                     {"group_by", "GROUPED BY", Align::left, Fit::useful},
                     {"muting", "NOW", Align::left, Fit::cut, Programs::json_and_csv, 24},
                     {"muted_by", ""},
                     {"muted_text", ""},
                     {"muted_until_ms", ""},
                     {"depth", ""},
                     {"continue", ""},
                     {"mute_time_intervals", ""},
                     {"active_time_intervals", ""}};
  for (const v1::Route& route : routes.routes()) {
    listing.rows.push_back({matchers_cell(route), Cell::of(route.receiver(), Style::bold),
                            list_cell(route.group_by()), now_cell(route), Cell::of(route.muted_by()),
                            Cell::of(route.muted_text()), time_cell(route.muted_until_ms()),
                            Cell::number(std::int64_t{route.depth()}), Cell::flag(route.continues()),
                            list_cell(route.mute_time_intervals()),
                            list_cell(route.active_time_intervals())});
  }
  return listing;
}

}  // namespace vigil::cli
