// silence: alerts that fire without a message for a time; list, add, expire.
#include "cli/commands/command.h"
#include "cli/commands/figures.h"
#include "cli/commands/silence_options.h"

namespace vigil::cli {
namespace {

// ---- list

Style style_of(const v1::Silence& silence) {
  return silence.state() == "active"    ? Style::good
         : silence.state() == "pending" ? Style::warning
                                        : Style::faint;
}

using ListRequest = std::shared_ptr<v1::ListSilencesRequest>;

Run declare_list(CLI::App& app, const ListRequest& request) {
  app.add_flag_function(
      "--expired", [request](std::int64_t) { request->set_expired(true); },
      "Also those that ended within the last 5 days");
  return [request](Context& context) -> Result<Exit> {
    const auto silences = context.client->silences(*request);
    if (!silences) return silences.error();
    Listing listing;
    listing.empty_note = "No silences.";
    listing.columns = {{"state", "STATE"},
                       {"matchers", "MATCHERS", Align::left, Fit::cut},
                       {"starts_ms", "FROM", Align::left, Fit::useful},
                       {"ends_ms", "TO"},
                       {"times", "TIMES", Align::left, Fit::cut, Programs::json_and_csv, 12},
                       {"author", "AUTHOR", Align::left, Fit::important},
                       {"comment", "COMMENT", Align::left, Fit::optional},
                       {"id", "ID"},
                       {"recurrence", ""},
                       {"zone", ""},
                       {"length_ms", ""},
                       {"updated_ms", ""},
                       {"next_starts_ms", ""},
                       {"next_ends_ms", ""}};
    for (const v1::Silence& silence : silences->silences()) {
      Cell matchers = Cell::list({silence.matchers().begin(), silence.matchers().end()});
      for (const std::string& matcher : silence.matchers())
        matchers.text += (matchers.text.empty() ? "" : " ") + matcher;
      matchers.style = Style::bold;
      listing.rows.push_back({Cell::of(silence.state(), style_of(silence)), std::move(matchers),
                              begin_cell(silence), end_cell(silence), Cell::of(times_text(silence)),
                              Cell::of(silence.author()), Cell::of(silence.comment()), id_cell(silence.id()),
                              Cell::of(silence.recurrence()), Cell::of(silence.zone()),
                              Cell::number(silence.length_ms()), Cell::number(silence.updated_ms()),
                              time_cell(silence.next_starts_ms()), time_cell(silence.next_ends_ms())});
    }
    show(context, listing);
    return Exit::ok;
  };
}

// ---- add

Run declare_add(CLI::App& app) {
  const auto wanted = std::make_shared<SilenceOptions>();
  declare_silence_options(app, *wanted);
  app.footer(
      "Examples:\n  vigil silence add HostDown instance=web-1 --for 2h --comment 'new disks'\n"
      "  vigil silence add instance=~'db-.+' --repeat 'FREQ=WEEKLY;BYDAY=SU' --start 02:00 --for 3h "
      "--comment "
      "backup\nPrints its id. What was told to fire is told its end all the same.");
  return [wanted](Context& context) -> Result<Exit> {
    v1::PutSilenceRequest request;
    v1::Silence& silence = *request.mutable_silence();
    if (auto put = put_silence_options(*wanted, context.now_ms, silence); !put) return put.error();
    return set_silence(context, request);
  };
}

}  // namespace

Run declare_silence(CLI::App& app) {
  const auto request = std::make_shared<v1::ListSilencesRequest>();  // of both ways to list
  Run list = declare_list(app, request);
  return declare_parts(app,
                       {{"list", "Those that are active or will be",
                         [request](CLI::App& sub) { return declare_list(sub, request); }},
                        {"add", "Set one", declare_add},
                        {"expire", "End them",
                         [](CLI::App& sub) {
                           return declare_end(sub, "vigil silence",
                                              "Ends silences now: what still fires is told.");
                         }}},
                       std::move(list));
}

}  // namespace vigil::cli
