// How figures of the history on disk look in tables.
#pragma once

#include "cli/commands/forecast.h"
#include "cli/output/listing.h"

#include <cstdint>
#include <string>

namespace vigil::cli {

Cell size_cell(std::uint64_t bytes);
Cell size_cell(double bytes);
/// "12.35M"
Cell count_cell(std::uint64_t count);
/// The day of a moment, "2026-11-22"; 0: none.
Cell day_cell(std::int64_t t_ms);
/// "30d"; 0: for ever.
Cell keep_cell(std::int64_t keep_ms);
/// 0: none.
Cell limit_cell(std::uint64_t bytes);
/// "3 days", "12 hours", "less than an hour"
std::string days_text(double days);
/// How long there is room, as a sentence, and how bad that is.
Cell room_cell(const v1::StoreStatus& status, const Forecast& forecast);
/// The table of `db status`.
Listing store_listing(const v1::StoreStatus& status, const Forecast& forecast);

}  // namespace vigil::cli
