// bench fleet: how much one aggregator takes.
#include "cli/bench/fleet_bench.h"
#include "cli/commands/command.h"
#include "common/flags/help.h"
#include "common/text/human.h"
#include "common/wire/schema.h"

#include <cstdio>

namespace vigil::cli {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMostAgents = 25'000;      // ports of one address, and descriptors
constexpr std::size_t kMostSeries = 20'000'000;  // of the whole fleet
constexpr std::size_t kSyntheticRows = 600;      // before the trace begins anew
constexpr std::size_t kSyntheticSeries = 100;

struct Flags {
  std::size_t agents = 100;
  std::size_t series = 0;
  std::string interval = "1s";
  std::string duration = "60s";
  std::string trace = "synthetic";
  std::string phase = "together";
  std::string rules = "none";
  bool keep = false;
  bool verify_restart = false;
};

Result<milliseconds> duration_within(const char* flag, const std::string& text, milliseconds least,
                                     milliseconds most) {
  const auto parsed = parse_duration(text);
  if (!parsed || *parsed < least || *parsed > most) {
    return fail(Errc::invalid_argument, "{}: '{}' must be a duration of {} to {}", flag, text,
                format_duration(least), format_duration(most));
  }
  return *parsed;
}

Result<Replay> make_replay(const Flags& flags) {
  const bool synthetic = flags.trace == "synthetic";
  const std::size_t wanted = flags.series == 0 && synthetic ? kSyntheticSeries : flags.series;
  auto trace = synthetic ? Result<Trace>(synthetic_trace(kSyntheticRows, wanted)) : read_trace(flags.trace);
  if (!trace) return fail(Errc::invalid_argument, "--trace: {}", trace.error().message);
  const std::size_t all = std::min(trace->series.size(), wire::kMaxSeriesPerSource);
  auto replay = Replay::create(*trace, wanted == 0 ? all : wanted);
  if (!replay) return fail(Errc::invalid_argument, "--trace: {}", replay.error().message);
  if (replay->series().size() * flags.agents > kMostSeries) {
    return fail(Errc::invalid_argument, "--agents x --series: {} series, at most {} are simulated",
                replay->series().size() * flags.agents, kMostSeries);
  }
  return replay;
}

Result<FleetBenchOptions> make_options(const Flags& flags, const Context& context) {
  FleetBenchOptions options;
  options.agents = flags.agents;
  const auto interval =
      duration_within("--interval", flags.interval, milliseconds(100), std::chrono::hours(1));
  if (!interval) return interval.error();
  options.interval = *interval;
  const auto duration =
      duration_within("--duration", flags.duration,
                      std::max<milliseconds>(*interval, std::chrono::seconds(1)), std::chrono::hours(24));
  if (!duration) return duration.error();
  options.duration = *duration;
  options.phase = flags.phase == "spread" ? Phase::spread : Phase::together;
  options.rules_preset = flags.rules;
  options.afterwards = flags.keep ? Afterwards::keep : Afterwards::clean_up;
  options.verify = flags.verify_restart ? Verify::restarted_too : Verify::running;
  if (context.named == Named::on_command_line) options.aggregator = context.aggregator;
  if (options.aggregator && (flags.verify_restart || flags.rules != "none"))
    return fail(Errc::invalid_argument,
                "--verify-restart and --rules are for an aggregator of our own: leave --aggregator out");
  return options;
}

Result<Exit> bench_fleet(const Flags& flags, Context& context) {
  const auto options = make_options(flags, context);
  if (!options) return options.error();
  const auto replay = make_replay(flags);
  if (!replay) return replay.error();
  FleetBench bench(*options, *replay);
  const auto figures = bench.run();
  for (const std::string& note : bench.notes()) fmt::print(stderr, "note: {}\n", note);
  if (!figures) return figures.error();
  if (context.format == Format::json) {
    fmt::print("{}", to_json(*figures));
  } else {
    show(context, to_listing(*figures));
  }
  const auto& read = figures->read_back;
  return read && (read->lost > 0 || read->doubled > 0) ? Exit::failed : Exit::ok;
}

}  // namespace

Run declare_bench(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  app.require_subcommand(1);
  CLI::App* fleet = app.add_subcommand("fleet", "Simulate a fleet of agents, and measure its aggregator");
  fleet->add_option("--agents", flags->agents, "Agents, each with a connection of its own")
      ->check(number_within(std::size_t{1}, kMostAgents))
      ->capture_default_str();
  fleet->add_option("--series", flags->series, "Series of each agent [100; with a file: its columns]")
      ->check(number_within(std::size_t{1}, wire::kMaxSeriesPerSource));
  fleet->add_option("--interval", flags->interval, "How often each series is sampled")->capture_default_str();
  fleet->add_option("--duration", flags->duration, "How long to measure, once all agents are connected")
      ->capture_default_str();
  fleet->add_option("--trace", flags->trace, "What is sampled: synthetic, or a recorded host (FILE)")
      ->capture_default_str();
  fleet->add_option("--phase", flags->phase, "Agents deliver together, as on synchronized clocks, or spread")
      ->check(CLI::IsMember({"together", "spread"}))
      ->capture_default_str();
  fleet->add_option("--rules", flags->rules, "Shipped rules that an aggregator of our own evaluates")
      ->check(CLI::IsMember({"none", "production", "staging", "development"}))
      ->capture_default_str();
  fleet->add_flag("--keep", flags->keep, "Leave the temporary folder, or the hosts, where they are");
  fleet->add_flag("--verify-restart", flags->verify_restart, "Restart the aggregator and read back again");
  fleet->footer(
      "Without --aggregator it starts a vigil-aggregator in a temporary folder (TMPDIR) and removes it "
      "afterwards.\nOnly --aggregator on the command line counts, not VIGIL_AGGREGATOR: this is load.\n"
      "Everything acknowledged is read back and compared; exit code 1 when something is lost or doubled.\n\n"
      "Examples:\n  vigil bench fleet --agents 1000 --series 100\n"
      "  vigil bench fleet --agents 200 --trace host.tsv.zst --duration 10m -o json\n"
      "  TMPDIR=/var/tmp vigil bench fleet --agents 5000 --rules production\n"
      "  vigil bench fleet --agents 50 --aggregator monitor:8460 --tls");
  return [flags](Context& context) { return bench_fleet(*flags, context); };
}

}  // namespace vigil::cli
