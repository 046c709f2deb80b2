// actions: what is done about alerts; list, log, show, run, approve, reject.
#include "cli/commands/command.h"
#include "cli/commands/figures.h"
#include "common/text/human.h"
#include "common/text/utf8.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace vigil::cli {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kShortId = 8;

Style style_of_state(const std::string& state) {
  if (state == "succeeded") return Style::good;
  if (state == "failed" || state == "unknown") return Style::bad;
  if (state == "needs_approval" || state == "running" || state == "queued") return Style::warning;
  return Style::faint;
}

Cell state_cell(const std::string& state) {
  std::string words = state;
  std::ranges::replace(words, '_', ' ');
  return Cell{state, std::move(words), style_of_state(state)};
}

Cell duration_cell(std::int64_t ms) {
  return Cell{ms, format_duration(milliseconds(ms)), Style::plain};
}

Cell value_cell(bool has_value, double value) {
  return has_value ? Cell{value, format_si(value), Style::plain} : Cell::unknown();
}

Cell yes_cell(bool is_so) {
  Cell cell = Cell::flag(is_so);
  cell.text = is_so ? "yes" : "no";
  return cell;
}

Result<Exit> list_actions(Context& context) {
  const auto actions = context.client->actions();
  if (!actions) return actions.error();
  Listing listing;
  listing.empty_note = "There are no actions: see actions in the configuration.";
  listing.columns = {{"name", "ACTION"},
                     {"kind", "KIND"},
                     {"does", "DOES", Align::left, Fit::cut, Programs::json_and_csv, 16},
                     {"needs_approval", "APPROVAL", Align::left, Fit::useful},
                     {"dry_run", "DRY RUN", Align::left, Fit::optional},
                     {"cooldown_ms", "COOLDOWN", Align::right, Fit::optional},
                     {"max_per_hour", "PER HOUR", Align::right, Fit::optional},
                     {"concurrency", ""},
                     {"timeout_ms", ""},
                     {"runs", "RUNS", Align::right, Fit::useful},
                     {"last_started_ms", "LATEST", Align::left, Fit::useful},
                     {"rules", "ALERTS", Align::left, Fit::cut, Programs::json_and_csv, 12}};
  for (const v1::Action& action : actions->actions()) {
    Cell rules = Cell::list({action.rules().begin(), action.rules().end()});
    rules.text = fmt::format("{}", fmt::join(action.rules(), ", "));
    listing.rows.push_back(
        {Cell::of(action.name(), Style::bold), Cell::of(action.kind()), Cell::of(action.does()),
         yes_cell(action.needs_approval()), yes_cell(action.dry_run()), duration_cell(action.cooldown_ms()),
         Cell::number(action.max_per_hour()), Cell::number(action.concurrency()),
         Cell::number(action.timeout_ms()), Cell::number(static_cast<std::int64_t>(action.runs())),
         when_cell(action.last_started_ms()), std::move(rules)});
  }
  show(context, listing);
  return Exit::ok;
}

Listing runs_listing() {
  Listing listing;
  listing.empty_note = "No action was asked for.";
  listing.columns = {{"created_ms", "WHEN"},
                     {"id", "ID"},
                     {"state", "STATE"},
                     {"action", "ACTION"},
                     {"host", "HOST", Align::left, Fit::important},
                     {"alert", "ALERT", Align::left, Fit::useful},
                     {"trigger", "ON", Align::left, Fit::optional},
                     {"before", "BEFORE", Align::right, Fit::useful},
                     {"after", "AFTER", Align::right, Fit::useful},
                     {"author", "BY", Align::left, Fit::optional},
                     {"reason", "WHY", Align::left, Fit::cut, Programs::json_and_csv, 12},
                     {"fingerprint", ""},
                     {"started_ms", ""},
                     {"ended_ms", ""},
                     {"comment", ""},
                     {"code", ""},
                     {"output", ""},
                     {"output_cut", ""},
                     {"effect", ""},
                     {"measured_ms", ""}};
  return listing;
}

void add_run(const v1::ActionRun& run, Listing& listing) {
  listing.rows.push_back({when_cell(run.created_ms()),
                          Cell{run.id(), run.id().substr(0, kShortId), Style::faint},
                          state_cell(run.state()),
                          Cell::of(run.action(), Style::bold),
                          Cell::of(run.host()),
                          Cell::of(run.alert()),
                          Cell::of(run.trigger()),
                          value_cell(run.has_before(), run.before()),
                          value_cell(run.has_after(), run.after()),
                          Cell::of(run.author()),
                          Cell::of(run.reason()),
                          Cell::of(run.fingerprint()),
                          time_cell(run.started_ms()),
                          time_cell(run.ended_ms()),
                          Cell::of(run.comment()),
                          run.has_code() ? Cell::number(run.code()) : Cell::unknown(),
                          Cell::of(run.output()),
                          Cell::flag(run.output_cut()),
                          Cell::of(run.effect()),
                          time_cell(run.measured_ms())});
}

Run declare_log(CLI::App& app) {
  auto request = std::make_shared<v1::ListRunsRequest>();
  app.add_option_function<std::string>(
         "ACTION", [request](const std::string& name) { request->set_action(name); }, "Of this action")
      ->type_name("");
  app.add_option_function<std::uint32_t>(
         "--limit", [request](std::uint32_t limit) { request->set_limit(limit); }, "At most so many [100]")
      ->type_name("N");
  app.add_flag_function(
      "--waiting", [request](std::int64_t) { request->set_waiting(true); }, "Only those that need approval");
  return [request](Context& context) -> Result<Exit> {
    const auto runs = context.client->action_runs(*request);
    if (!runs) return runs.error();
    Listing listing = runs_listing();
    if (request->waiting()) listing.empty_note = "No run needs approval.";
    for (const v1::ActionRun& run : runs->runs()) add_run(run, listing);
    show(context, listing);
    return Exit::ok;
  };
}

void say_run(const Context& context, const v1::ActionRun& run) {
  std::string state = run.state();
  std::ranges::replace(state, '_', ' ');
  fmt::print("{} {}{}\n", paint(printable(run.action()), Style::bold, context.colours),
             paint(state, style_of_state(run.state()), context.colours),
             run.reason().empty() ? "" : ": " + printable(run.reason()));
  const auto line = [](std::string_view name, const std::string& text) {
    if (!text.empty()) fmt::print("  {:<10} {}\n", name, printable(text));
  };
  const auto time_text = [](std::int64_t t_ms) {
    return t_ms == 0 ? std::string() : format_local_time(t_ms);
  };
  line("id", run.id());
  line("host", run.host());
  line("alert", run.alert());
  line("on", run.trigger());
  line("asked for", time_text(run.created_ms()));
  line("began", time_text(run.started_ms()));
  line("ended", time_text(run.ended_ms()));
  if (run.has_code()) line("status", fmt::format("{}", run.code()));
  line("by", run.author() + (run.comment().empty() ? "" : ": " + run.comment()));
  line("measured", run.effect());
  if (run.has_before())
    line("effect",
         fmt::format("{} before, {}", format_si(run.before()),
                     run.has_after()          ? format_si(run.after()) + " after"
                     : run.measured_ms() == 0 ? "not measured after"
                                              : "to be measured again at " + time_text(run.measured_ms())));
  if (run.output().empty()) return;
  fmt::print("\n");
  std::string_view output = run.output();
  while (!output.empty()) {
    const std::size_t end = std::min(output.find('\n'), output.size());
    fmt::print("{}\n", printable(output.substr(0, end)));
    output.remove_prefix(std::min(end + 1, output.size()));
  }
  if (run.output_cut()) fmt::print("{}\n", paint("(there was more)", Style::faint, context.colours));
}

void show_run(const Context& context, const v1::ActionRun& run) {
  if (context.format == Format::table) return say_run(context, run);
  Listing listing = runs_listing();
  add_run(run, listing);
  show(context, listing);
}

Run declare_show(CLI::App& app) {
  auto id = std::make_shared<std::string>();
  app.add_option("ID", *id, "As in `vigil actions log`; the beginning is enough")->required()->type_name("");
  return [id](Context& context) -> Result<Exit> {
    v1::ListRunsRequest request;
    request.set_id(*id);
    request.set_limit(2);
    const auto runs = context.client->action_runs(request);
    if (!runs) return runs.error();
    if (runs->runs_size() != 1)
      return fail(Errc::not_found, "{} run is called {}: `vigil actions log` lists their ids",
                  runs->runs_size() == 0 ? "no" : "more than one", *id);
    show_run(context, runs->runs(0));
    return Exit::ok;
  };
}

Run declare_run(CLI::App& app) {
  auto request = std::make_shared<v1::RunActionRequest>();
  app.add_option_function<std::string>(
         "ACTION", [request](const std::string& name) { request->set_action(name); }, "Its name")
      ->required()
      ->type_name("");
  app.add_option_function<std::string>(
         "HOST", [request](const std::string& host) { request->set_host(host); },
         "For this host; an agent's action needs one")
      ->type_name("");
  app.add_option_function<std::string>(
         "--comment", [request](const std::string& text) { request->set_comment(text); }, "Why")
      ->type_name("TEXT");
  app.add_option_function<std::string>(
         "--author", [request](const std::string& name) { request->set_author(name); },
         "Who wants it; else your user name")
      ->type_name("NAME");
  app.add_flag_function(
      "--dry-run", [request](std::int64_t) { request->set_dry_run(true); }, "Only say what would be done");
  app.footer(
      "Examples:\n  vigil actions run restart-nginx web-1 --comment 'new configuration'\n"
      "Cooldown and limits hold; approval is not asked for. `vigil actions log` tells how it ended.");
  return [request](Context& context) -> Result<Exit> {
    if (request->author().empty()) request->set_author(user_name());
    const auto done = context.client->run_action(*request);
    if (!done) return done.error();
    show_run(context, done->run());
    return done->run().state() == "skipped" ? Exit::failed : Exit::ok;
  };
}

Run declare_decide(CLI::App& app, bool approve) {
  auto request = std::make_shared<v1::DecideRunRequest>();
  request->set_approve(approve);
  app.add_option_function<std::string>(
         "ID", [request](const std::string& id) { request->set_id(id); },
         "As in `vigil actions log --waiting`; the beginning is enough")
      ->required()
      ->type_name("");
  app.add_option_function<std::string>(
         "--comment", [request](const std::string& text) { request->set_comment(text); }, "Why")
      ->type_name("TEXT");
  app.add_option_function<std::string>(
         "--author", [request](const std::string& name) { request->set_author(name); },
         "Who decides; else your user name")
      ->type_name("NAME");
  return [request](Context& context) -> Result<Exit> {
    if (request->author().empty()) request->set_author(user_name());
    const auto done = context.client->decide_run(*request);
    if (!done) return done.error();
    show_run(context, done->run());
    return done->run().state() == "skipped" ? Exit::failed : Exit::ok;
  };
}

}  // namespace

Run declare_actions(CLI::App& app) {
  return declare_parts(
      app,
      {{"list", "Those of the configuration", [](CLI::App&) -> Run { return list_actions; }},
       {"log", "What ran, will run, or was kept from it", declare_log},
       {"show", "One run: how it ended, what it said, what it was good for", declare_show},
       {"run", "Run one by hand", declare_run},
       {"approve", "Let a run begin that waits for that",
        [](CLI::App& sub) { return declare_decide(sub, true); }},
       {"reject", "Keep a run from beginning", [](CLI::App& sub) { return declare_decide(sub, false); }}},
      list_actions);
}

}  // namespace vigil::cli
