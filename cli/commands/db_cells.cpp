#include "cli/commands/db_cells.h"

#include "common/text/human.h"

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
  return days < 2 ? fmt::format("{:.0f} hours", days * 24) : fmt::format("{:.0f} days", days);
}

std::string hosts_text(std::uint64_t hosts) {
  return hosts == 1 ? "1 host" : fmt::format("{} hosts", hosts);
}

}  // namespace vigil::cli
