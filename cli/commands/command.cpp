#include "cli/commands/command.h"

#include "common/series.h"
#include "common/text/human.h"

#include <array>
#include <cstdio>

namespace vigil::cli {

void show(const Context& context, const Listing& listing) {
  const std::string text = render(listing, context.format, context.colours);
  std::fwrite(text.data(), 1, text.size(), stdout);
}

std::string series_name(const v1::QuerySeries& series) {
  std::vector<Label> labels;
  for (const auto& label : series.labels()) labels.push_back({label.name(), label.value()});
  return Labels(std::move(labels)).to_string();
}

void RangeFlags::add_to(CLI::App& app) {
  app.add_option("--start", start, "From when: 2h (two hours ago), 'yesterday 14:00', 2026-11-21T14:00:00Z")
      ->capture_default_str();
  app.add_option("--end", end, "Until when")->capture_default_str();
  app.add_option("--step", step, "Distance of the points, for example 15s; chosen to fit when absent");
}

Result<Range> resolve(const RangeFlags& flags, std::int64_t now_ms, int points) {
  const auto start = parse_time(flags.start, now_ms);
  if (!start) return fail(Errc::invalid_argument, "--start: {}", start.error().message);
  const auto end = parse_time(flags.end, now_ms);
  if (!end) return fail(Errc::invalid_argument, "--end: {}", end.error().message);
  if (*start >= *end)
    return fail(Errc::invalid_argument, "--start ({}) must lie before --end ({})", flags.start, flags.end);
  Range range{*start, *end, 0};
  if (!flags.step.empty()) {
    const auto step = parse_duration(flags.step);
    if (!step) return fail(Errc::invalid_argument, "--step: {}", step.error().message);
    if (step->count() <= 0) return fail(Errc::invalid_argument, "--step must be more than 0");
    range.step_ms = step->count();
    return range;
  }
  constexpr std::array<std::int64_t, 14> kRound = {1,   2,   5,   10,   15,   30,    60,
                                                   120, 300, 600, 1800, 3600, 21600, 86400};
  const std::int64_t wanted_ms = (*end - *start) / std::max(points, 1);
  range.step_ms = kRound.back() * 1000;
  for (const std::int64_t seconds : kRound) {
    if (seconds * 1000 < wanted_ms) continue;
    range.step_ms = seconds * 1000;
    break;
  }
  // Points on multiples of the step, so that a plot drawn twice shows the same points.
  range.start_ms = range.start_ms / range.step_ms * range.step_ms;
  return range;
}

}  // namespace vigil::cli
