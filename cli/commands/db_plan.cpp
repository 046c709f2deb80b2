// db plan: what other limits, or another fleet, would take on disk.
#include "cli/commands/command.h"
#include "cli/commands/db_cells.h"
#include "cli/commands/forecast.h"
#include "common/flags/help.h"
#include "common/text/human.h"

#include <cmath>

namespace vigil::cli {
namespace {

struct PlanFlags {
  std::array<std::string, 3> keep;  // raw, minute, hour
  double series = 0;
  double hosts = 0;
  std::string interval;
};

Result<Retention> planned_retention(const PlanFlags& flags, const v1::StoreStatus& status) {
  constexpr std::array<const char*, 3> kNames{"--raw", "--minute", "--hour"};
  Retention retention = retention_of(status);
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (flags.keep.at(i).empty()) continue;
    const auto keep = parse_duration(flags.keep.at(i));
    if (!keep) return fail(Errc::invalid_argument, "{}: {}", kNames.at(i), keep.error().message);
    retention.keep_ms.at(i) = keep->count();
  }
  return retention;
}

Result<Load> planned_load(const PlanFlags& flags, const v1::StoreStatus& status) {
  Load load = load_of(status);
  double per_series = load.series() > 0 ? load.samples_per_second / load.series() : 1;  // samples a second
  if (flags.hosts > 0) load.hosts = flags.hosts;
  if (flags.series > 0) load.series_per_host = flags.series;
  if (!flags.interval.empty()) {
    const auto interval = parse_duration(flags.interval);
    if (!interval || interval->count() <= 0)
      return fail(Errc::invalid_argument, "--interval: '{}' is not a duration; write for example 1s",
                  flags.interval);
    per_series = 1000.0 / static_cast<double>(interval->count());
  }
  load.samples_per_second = load.series() * per_series;
  // What rules compute, and what the aggregator says of itself, is there without any host.
  if (load.series() > 0) return load;
  return fail(Errc::invalid_argument,
              "no host sends anything yet: say what to reckon with, --hosts 100 --series 400 --interval 1s");
}

Listing plan_listing(const Forecast& ahead) {
  Listing listing;
  listing.columns = {{"tier", "TIER"},
                     {"keep_ms", "KEPT", Align::right},
                     {"unit_bytes", "B/SAMPLE", Align::right},
                     {"bytes_per_day", "A DAY", Align::right},
                     {"full_bytes", "IN ALL", Align::right},
                     {"now_bytes", "NOW", Align::right},
                     {"basis", "BASIS"},
                     {"room_bytes", ""},
                     {"days_left", ""}};
  const auto full = [](const std::optional<double>& bytes) {
    return bytes ? size_cell(*bytes) : Cell{{}, "grows for ever", Style::warning};
  };
  double now = 0;
  for (const TierForecast& tier : ahead.tiers) {
    now += tier.now_bytes;
    listing.rows.push_back({Cell::of(tier.name, Style::bold), keep_cell(tier.keep_ms),
                            Cell::number(tier.unit_bytes, fmt::format("{:.2f}", tier.unit_bytes)),
                            size_cell(tier.bytes_per_day), full(tier.full_bytes), size_cell(tier.now_bytes),
                            Cell::of(tier.measured ? "measured" : "assumed"), Cell::unknown(),
                            Cell::unknown()});
  }
  listing.rows.push_back({Cell::of("all", Style::bold), Cell::unknown(), Cell::unknown(),
                          size_cell(ahead.bytes_per_day), full(ahead.full_bytes), size_cell(now),
                          Cell::unknown(), size_cell(ahead.room_bytes),
                          ahead.days_left ? Cell::number(*ahead.days_left, "") : Cell::unknown()});
  return listing;
}

void say_plan(const Context& context, const Load& load, const Forecast& ahead) {
  fmt::print(
      "\n{} with {} each, {} samples a second{}. B/SAMPLE of minute and hour: of a row of a series.\n",
      counted(static_cast<std::uint64_t>(load.hosts), "host"),
      counted(static_cast<std::uint64_t>(std::llround(load.series_per_host)), "series", "series"),
      format_si(std::round(load.samples_per_second)),
      load.other_series == 0
          ? ""
          : fmt::format("; besides {} series of rules and other senders, {} samples a second",
                        format_si(load.other_series), format_si(std::round(load.other_samples_per_second))));
  const std::string room = format_bytes(ahead.room_bytes);
  if (!ahead.days_left) {
    fmt::print("{}\n",
               paint(fmt::format("It fits: there is room for {}.", room), Style::good, context.colours));
    return;
  }
  fmt::print("{}\n", paint(fmt::format("It does not fit: there is room for {}, which is used up in {}.", room,
                                       days_text(*ahead.days_left)),
                           Style::bad, context.colours));
}

}  // namespace

Run declare_db_plan(CLI::App& app) {
  auto flags = std::make_shared<PlanFlags>();
  app.add_option("--raw", flags->keep[0], "How long samples would be kept, for example 30d; 0: for ever");
  app.add_option("--minute", flags->keep[1], "How long rows by minute would be kept");
  app.add_option("--hour", flags->keep[2], "How long rows by hour would be kept");
  app.add_option("--hosts", flags->hosts, "So many hosts")->check(number_within(1.0, 1e9));
  app.add_option("--series", flags->series, "So many series of each host")->check(number_within(1.0, 1e6));
  app.add_option("--interval", flags->interval, "How often each is sampled, for example 1s");
  app.footer("What is not given is as it is now.");
  return [flags](Context& context) -> Result<Exit> {
    const auto status = context.client->store_status({});
    if (!status) return status.error();
    const auto retention = planned_retention(*flags, *status);
    if (!retention) return retention.error();
    const auto load = planned_load(*flags, *status);
    if (!load) return load.error();
    const Forecast ahead = forecast(*status, *load, *retention);
    show(context, plan_listing(ahead));
    if (context.format == Format::table) say_plan(context, *load, ahead);
    return Exit::ok;
  };
}

}  // namespace vigil::cli
