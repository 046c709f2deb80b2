#include "cli/commands/db_cells.h"

#include "common/text/human.h"

#include <cmath>

namespace vigil::cli {

Cell size_cell(std::uint64_t bytes) {
  return Cell{static_cast<std::int64_t>(bytes), format_bytes(static_cast<double>(bytes)), Style::plain};
}

Cell size_cell(double bytes) {
  return Cell{static_cast<std::int64_t>(bytes), format_bytes(bytes), Style::plain};
}

Cell count_cell(std::uint64_t count) {
  return Cell{static_cast<std::int64_t>(count), format_si(static_cast<double>(count)), Style::plain};
}

Cell day_cell(std::int64_t t_ms) {
  return t_ms == 0 ? Cell::unknown() : Cell{t_ms, format_local_time(t_ms).substr(0, 10), Style::plain};
}

Cell keep_cell(std::int64_t keep_ms) {
  constexpr std::int64_t kDay = 86'400'000;
  if (keep_ms == 0) return Cell{std::int64_t{0}, "ever", Style::plain};
  const bool days = keep_ms % kDay == 0;
  return Cell{keep_ms,
              days ? fmt::format("{}d", keep_ms / kDay) : format_duration(std::chrono::milliseconds(keep_ms)),
              Style::plain};
}

Cell limit_cell(std::uint64_t bytes) {
  return bytes == 0 ? Cell::unknown() : size_cell(bytes);
}

std::string days_text(double days) {
  if (days >= 2) return fmt::format("{:.0f} days", days);
  if (days * 24 < 1) return "less than an hour";
  return counted(static_cast<std::uint64_t>(std::lround(days * 24)), "hour");
}

Cell room_cell(const v1::StoreStatus& status, const Forecast& forecast) {
  if (status.disk_size_bytes() > 0 && status.free_bytes() == 0)
    return Cell::of("The disk is full: make room on it, or keep less (see `vigil db plan`).", Style::bad);
  if (forecast.days_left)
    return Cell::of(fmt::format("At this rate the disk is full in {}: see `vigil db plan`.",
                                days_text(*forecast.days_left)),
                    Style::warning);
  return Cell::of(fmt::format("What is to be kept fits: at most {} in all.",
                              format_bytes(forecast.full_bytes.value_or(0))));
}

Listing store_listing(const v1::StoreStatus& status, const Forecast& forecast) {
  Listing listing;
  listing.columns = {{"what", "WHAT"},
                     {"files", "FILES", Align::right},
                     {"disk_bytes", "SIZE", Align::right},
                     {"samples", "SAMPLES", Align::right},
                     {"bytes_per_sample", "B/SAMPLE", Align::right},
                     {"oldest_ms", "OLDEST"},
                     {"keep_ms", "KEPT", Align::right},
                     {"max_bytes", "LIMIT", Align::right},
                     {"newest_ms", ""},
                     {"blocks", ""},
                     {"free_bytes", ""},
                     {"disk_size_bytes", ""},
                     {"hosts", ""},
                     {"series", ""},
                     {"samples_per_second", ""},
                     {"days_left", ""},
                     {"state", ""},
                     {"other_series", ""}};
  const std::size_t width = listing.columns.size();
  const auto row = [&](std::vector<Cell> cells) {
    cells.resize(width, Cell::unknown());
    listing.rows.push_back(std::move(cells));
  };
  for (const v1::StoreTier& tier : status.tiers()) {
    const double each = tier.samples() == 0
                            ? 0
                            : static_cast<double>(tier.disk_bytes()) / static_cast<double>(tier.samples());
    row({Cell::of(tier.name(), Style::bold), count_cell(tier.files()), size_cell(tier.disk_bytes()),
         count_cell(tier.samples()),
         tier.samples() < kEnoughSamples ? Cell::unknown() : Cell::number(each, fmt::format("{:.2f}", each)),
         day_cell(tier.oldest_ms()), keep_cell(tier.keep_ms()), limit_cell(tier.max_bytes()),
         day_cell(tier.newest_ms()), count_cell(tier.blocks())});
  }
  row({Cell::of("journal", Style::bold), count_cell(status.journal_files()),
       size_cell(status.journal_bytes())});
  row({Cell::of("index", Style::bold), count_cell(1), size_cell(status.index_bytes())});
  const std::uint64_t alerts_files = status.alerts_bytes() > 0 ? 1 : 0;
  row({Cell::of("alerts", Style::bold), count_cell(alerts_files), size_cell(status.alerts_bytes())});
  std::uint64_t files = status.journal_files() + 1 + alerts_files;
  for (const v1::StoreTier& tier : status.tiers()) files += tier.files();
  std::vector<Cell> all{Cell::of("all", Style::bold), count_cell(files), size_cell(status.disk_bytes())};
  all.resize(10, Cell::unknown());
  all.insert(all.end(),
             {size_cell(status.free_bytes()), size_cell(status.disk_size_bytes()), count_cell(status.hosts()),
              count_cell(status.series()), Cell::number(status.samples_per_second(), ""),
              forecast.days_left ? Cell::number(*forecast.days_left, "") : Cell::unknown(),
              Cell::of(status.state()), count_cell(status.other_series())});
  row(std::move(all));
  return listing;
}

}  // namespace vigil::cli
