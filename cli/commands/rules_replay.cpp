// rules replay: rule files over the history of a running aggregator, beside the rules in force.
#include "cli/commands/command.h"
#include "cli/commands/replay_listing.h"
#include "cli/output/progress.h"
#include "common/config/files.h"
#include "common/text/human.h"

#include <optional>

namespace vigil::cli {
namespace {

struct ReplayFlags {
  std::vector<std::string> files;
  std::string since = "7d";
  std::string until = "now";
  std::string step;
  bool each = false;
};

Result<v1::ReplayRequest> request_of(const ReplayFlags& flags, std::int64_t now_ms) {
  v1::ReplayRequest request;
  for (const std::string& path : flags.files) {
    auto text = config::read_file(path);
    if (!text) return fail(Errc::invalid_argument, "{}", text.error().message);
    v1::RuleFile& file = *request.add_files();
    file.set_name(path);
    file.set_text(std::move(*text));
  }
  const auto since = parse_time(flags.since, now_ms);
  if (!since) return fail(Errc::invalid_argument, "--since: {}", since.error().message);
  const auto until = parse_time(flags.until, now_ms);
  if (!until) return fail(Errc::invalid_argument, "--until: {}", until.error().message);
  if (*since >= *until)
    return fail(Errc::invalid_argument, "--since ({}) must lie before --until ({})", flags.since,
                flags.until);
  request.set_start_ms(*since);
  request.set_end_ms(*until);
  if (flags.step.empty()) return request;
  const auto step = parse_duration(flags.step);
  if (!step || step->count() <= 0)
    return fail(Errc::invalid_argument, "--step: '{}' is not a duration; write for example 30s", flags.step);
  request.set_step_ms(step->count());
  return request;
}

Result<v1::ReplayResult> ask(Context& context, const v1::ReplayRequest& request) {
  std::optional<v1::ReplayResult> result;
  Progress bar;
  auto done = context.client->replay_rules(request, [&](const v1::ReplayEvent& event) -> Result<void> {
    if (event.has_result()) {
      result = event.result();
    } else {
      bar.show("replaying", event.share_done(), "");
    }
    return {};
  });
  if (!done) return done.error();
  if (!result) return fail(Errc::unavailable, "the aggregator ended before the replay was complete");
  return *result;
}

}  // namespace

Run declare_rules_replay(CLI::App& app) {
  auto flags = std::make_shared<ReplayFlags>();
  app.add_option("FILE", flags->files, "Rule files")->required()->type_name("");
  app.add_option("--since", flags->since, "From when: 30d (thirty days ago), 'yesterday 14:00', 2026-11-21")
      ->type_name("TIME")
      ->capture_default_str();
  app.add_option("--until", flags->until, "Until when")->type_name("TIME")->capture_default_str();
  app.add_option("--step", flags->step,
                 "Between evaluations; when absent the rules' interval, or longer where the time is long")
      ->type_name("TIME");
  app.add_flag("--each", flags->each, "A row for each label set that fired");
  app.footer(
      "Evaluates the files over the aggregator's history as if they had been in force, `for` and "
      "keep_firing_for too,\nand beside them today's rules of the same names. Nobody is told and nothing is "
      "stored.\nExample:\n  vigil rules replay new-rules.yml --since 30d");
  return [flags](Context& context) -> Result<Exit> {
    const auto request = request_of(*flags, context.now_ms);
    if (!request) return request.error();
    const auto result = ask(context, *request);
    if (!result) return result.error();
    show(context, flags->each ? replayed_alerts_listing(*result) : replayed_rules_listing(*result));
    for (const std::string& warning : result->warnings()) fmt::print(stderr, "warning: {}\n", warning);
    fmt::print(stderr, "{} to {}, evaluated every {}\n", format_local_time(result->start_ms()),
               format_local_time(result->end_ms()),
               format_duration(std::chrono::milliseconds(result->step_ms())));
    return Exit::ok;
  };
}

}  // namespace vigil::cli
