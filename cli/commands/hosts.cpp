// gaps, forget: what is missing of hosts, and the end of one.
#include "cli/commands/command.h"
#include "common/text/human.h"

namespace vigil::cli {

std::vector<std::string> gap_notes(const v1::ListGapsRequest& request, const v1::ListGapsResponse& gaps) {
  const std::string_view instead =
      request.host().empty() ? "name a host, or a later --start" : "name a later --start";
  std::vector<std::string> notes;
  if (gaps.truncated())
    notes.push_back(fmt::format("Only the {} that ended last are shown: {}.", gaps.gaps_size(), instead));
  if (gaps.looked_from_ms() != 0)
    notes.push_back(fmt::format("Times at which nothing was sampled were looked for since {} only: {}.",
                                format_local_time(gaps.looked_from_ms()), instead));
  if (gaps.collectors_left_out())
    notes.push_back(fmt::format("Blocked collectors are left out: {}.", instead));
  return notes;
}

Run declare_gaps(CLI::App& app) {
  auto request = std::make_shared<v1::ListGapsRequest>();
  auto start = std::make_shared<std::string>("30d");
  app.add_option_function<std::string>(
      "host", [request](const std::string& host) { request->set_host(host); }, "Only of this host");
  auto end = std::make_shared<std::string>("now");
  app.add_option("--start", *start, "Gaps that end before are left out: 2h (two hours ago), yesterday")
      ->type_name("TIME")
      ->capture_default_str();
  app.add_option("--end", *end, "Gaps that begin after are left out")
      ->type_name("TIME")
      ->capture_default_str();
  app.footer(
      "Reasons that are found by looking at what is stored: agent_down, aggregator_down, "
      "collector_blocked.\nThe others were declared: docs/operations.md has all.");
  return [request, start, end](Context& context) -> Result<Exit> {
    const auto start_ms = parse_time(*start, context.now_ms);
    if (!start_ms) return fail(Errc::invalid_argument, "--start: {}", start_ms.error().message);
    const auto end_ms = parse_time(*end, context.now_ms);
    if (!end_ms) return fail(Errc::invalid_argument, "--end: {}", end_ms.error().message);
    request->set_start_ms(*start_ms);
    if (*end_ms < *start_ms)
      return fail(Errc::invalid_argument, "--end: {} is before --start {}", *end, *start);
    if (*end != "now") request->set_end_ms(*end_ms);  // the aggregator's clock, not ours
    const auto gaps = context.client->gaps(*request);
    if (!gaps) return gaps.error();
    Listing listing;
    listing.empty_note = "No samples are known to be missing.";
    listing.columns = {{"host", "HOST"},     {"first_ms", "FROM"},
                       {"last_ms", "TO"},    {"duration_ms", "LONG", Align::right},
                       {"reason", "REASON"}, {"collector", "COLLECTOR"}};
    for (const auto& gap : gaps->gaps()) {
      const std::int64_t took_ms = gap.last_ms() - gap.first_ms();
      listing.rows.push_back(
          {Cell::of(gap.host(), Style::bold),
           Cell{gap.first_ms(), format_local_time(gap.first_ms()), Style::plain},
           Cell{gap.last_ms(), format_local_time(gap.last_ms()), Style::plain},
           Cell{took_ms, format_duration(std::chrono::milliseconds(took_ms)), Style::plain},
           Cell::of(gap.reason()), Cell::of(gap.collector())});
    }
    show(context, listing);
    for (const std::string& note : gap_notes(*request, *gaps)) fmt::print(stderr, "{}\n", note);
    return Exit::ok;
  };
}

Run declare_forget(CLI::App& app) {
  auto request = std::make_shared<v1::ForgetHostRequest>();
  app.add_option_function<std::string>(
         "name", [request](const std::string& name) { request->set_name(name); },
         "The host, its whole name; it must be down, or have left")
      ->required();
  app.footer(
      "Its series and alerts end and nothing shows it any more. Its samples stay on disk until retention "
      "takes "
      "them.\nAn agent that uses the name again begins a new host.");
  return [request](Context& context) -> Result<Exit> {
    const auto forgotten = context.client->forget(*request);
    if (!forgotten) return forgotten.error();
    Listing listing;
    listing.columns = {{"host", "FORGOTTEN"}, {"series", "SERIES", Align::right}};
    listing.rows.push_back({Cell::of(request->name(), Style::bold),
                            Cell::number(static_cast<std::int64_t>(forgotten->series()))});
    show(context, listing);
    return Exit::ok;
  };
}

}  // namespace vigil::cli
