// alerts explain, ack: one alert: why it is as it is, who was told, and who looks after it.
#include "cli/commands/command.h"
#include "common/text/human.h"
#include "common/text/utf8.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vigil::cli {
namespace {

struct Word {
  std::string_view kind;
  std::string_view text;
  Style style;
};
constexpr std::array<Word, 17> kWords{{{"holds", "true since", Style::plain},
                                       {"will_fire", "fires if it stays true", Style::warning},
                                       {"fires", "fires", Style::bad},
                                       {"no_data", "no data since", Style::warning},
                                       {"flaps", "flaps since", Style::warning},
                                       {"stays", "false since, fires on", Style::warning},
                                       {"over", "over", Style::good},
                                       {"acknowledged", "acknowledged", Style::good},
                                       {"silenced", "silenced until", Style::faint},
                                       {"inhibited", "held back by", Style::faint},
                                       {"told", "told", Style::plain},
                                       {"waits", "not told yet, since", Style::warning},
                                       {"given_up", "not told, given up", Style::bad},
                                       {"will_be_told", "to be told", Style::warning},
                                       {"will_be_repeated", "to be told again", Style::faint},
                                       {"will_escalate", "escalates to", Style::warning},
                                       {"action", "action", Style::plain}}};

Cell what_cell(const std::string& kind) {
  const auto found =
      std::find_if(kWords.begin(), kWords.end(), [&](const Word& word) { return word.kind == kind; });
  if (found == kWords.end()) return Cell::of(kind);  // of a newer aggregator
  return Cell{kind, std::string(found->text), found->style};
}

Cell event_time_cell(std::int64_t t_ms) {
  return t_ms == 0 ? Cell::unknown() : Cell{t_ms, format_local_time(t_ms), Style::plain};
}

Listing events_listing(const v1::ExplainAlertResponse& explained) {
  Listing listing;
  listing.columns = {{"at_ms", "WHEN"},
                     {"kind", "WHAT"},
                     {"by", "BY", Align::left, Fit::cut, Programs::json_and_csv, 8},
                     {"text", "ABOUT", Align::left, Fit::cut, Programs::json_and_csv, 24}};
  for (const v1::AlertEvent& event : explained.events())
    listing.rows.push_back({event_time_cell(event.at_ms()), what_cell(event.kind()), Cell::of(event.by()),
                            Cell::of(event.text())});
  return listing;
}

/// "HighCpu on web-1 (critical)"
std::string place_of(const v1::Alert& alert) {
  return alert.name() + (alert.instance().empty() ? "" : " on " + alert.instance()) +
         (alert.severity().empty() ? "" : " (" + alert.severity() + ")");
}

void say_alert(const Context& context, const v1::Alert& alert) {
  const auto summary = alert.annotations().find("summary");
  const Style style = alert.state() == "resolved"      ? Style::good
                      : alert.severity() == "critical" ? Style::bad
                                                       : Style::warning;
  fmt::print("{}{}{}\n",
             paint(printable(fmt::format("{}: {}", alert.state(), alert.name())), style, context.colours),
             alert.instance().empty() ? "" : " on " + printable(alert.instance()),
             alert.severity().empty() ? "" : fmt::format(" ({})", printable(alert.severity())));
  if (summary != alert.annotations().end() && !summary->second.empty())
    fmt::print("{}\n", printable(summary->second));
  for (const std::string& line : alert.evidence())
    fmt::print("{}\n", paint(printable(line), Style::faint, context.colours));
  fmt::print("\n");
}

/// Those that are meant by the beginning of an id, or by a name and perhaps a host: one, or, of one name and
/// host, those of several severities. The worst is first.
Result<std::vector<v1::Alert>> find_alerts(Context& context, const std::string& wanted,
                                           const std::string& host) {
  const auto alerts = context.client->alerts({});
  if (!alerts) return alerts.error();
  std::vector<v1::Alert> found;
  for (const v1::Alert& alert : alerts->alerts()) {
    const bool is_meant = alert.id().starts_with(wanted) || alert.name() == wanted;
    const bool is_known =
        std::ranges::any_of(found, [&](const v1::Alert& other) { return other.id() == alert.id(); });
    if (is_meant && !is_known && (host.empty() || alert.instance() == host)) found.push_back(alert);
  }
  if (found.empty())
    return fail(Errc::not_found, "no alert {}{} is listed by `vigil alerts`", wanted,
                host.empty() ? "" : " of " + host);
  const bool are_one = std::ranges::all_of(found, [&](const v1::Alert& other) {
    return other.name() == wanted && !other.instance().empty() &&
           other.instance() == found.front().instance() &&
           (&other == &found.front() || other.severity() != found.front().severity());
  });
  if (found.size() == 1 || are_one) return found;
  std::string list;
  for (const v1::Alert& alert : found) list += "\n  " + alert.id() + "  " + printable(place_of(alert));
  return fail(Errc::invalid_argument, "{} alerts are meant; write the id of one{}:{}", found.size(),
              host.empty() ? ", or its host" : "", list);
}

/// An alert by its name or id, and perhaps its host.
using NamedAlert = std::pair<std::string, std::string>;

std::shared_ptr<NamedAlert> add_named_alert(CLI::App& app) {
  auto wanted = std::make_shared<NamedAlert>();
  app.add_option("ALERT", wanted->first, "Its name, or its id; the beginning of the id is enough")
      ->required()
      ->type_name("");
  app.add_option("HOST", wanted->second, "Of this host")->type_name("");
  return wanted;
}

}  // namespace

Run declare_ack(CLI::App& app) {
  const auto wanted = add_named_alert(app);
  auto request = std::make_shared<v1::AcknowledgeAlertRequest>();
  auto withdraw = std::make_shared<bool>(false);
  app.add_option_function<std::string>(
         "--comment", [request](const std::string& text) { request->set_comment(text); },
         "What you do about it")
      ->type_name("TEXT");
  app.add_option_function<std::string>(
         "--author", [request](const std::string& name) { request->set_author(name); },
         "Who looks after it; else your user name")
      ->type_name("NAME");
  app.add_flag("--withdraw", *withdraw, "Nobody looks after it any more");
  app.footer(
      "Examples:\n  vigil ack HighCpu web-1 --comment 'the nightly job, moved to 4:00'\n"
      "Groups of alerts that are all acknowledged are not told of again; that they are over is.");
  return [wanted, request, withdraw](Context& context) -> Result<Exit> {
    auto found = find_alerts(context, wanted->first, wanted->second);
    if (!found) return found.error();
    if (found->size() > 1)
      std::erase_if(*found, [](const v1::Alert& alert) { return alert.state() != "firing"; });
    if (found->empty())
      return fail(Errc::conflict, "{} does not fire: only what fires can be acknowledged", wanted->first);
    if (*withdraw) {
      request->clear_author();
    } else if (request->author().empty()) {
      request->set_author(user_name());
    }
    for (const v1::Alert& alert : *found) {
      request->set_id(alert.id());
      const auto done = context.client->acknowledge(*request);
      if (!done) return done.error();
    }
    return Exit::ok;
  };
}

Run declare_explain(CLI::App& app) {
  const auto wanted = add_named_alert(app);
  app.footer("Examples:\n  vigil alerts explain HighCpu web-1\n  vigil alerts explain 0e2b51");
  return [wanted](Context& context) -> Result<Exit> {
    v1::ExplainAlertRequest request;
    const auto found = find_alerts(context, wanted->first, wanted->second);
    if (!found) return found.error();
    request.set_id(found->front().id());
    const auto explained = context.client->explain(request);
    if (!explained) return explained.error();
    if (context.format == Format::table) say_alert(context, explained->alert());
    show(context, events_listing(*explained));
    for (const v1::Alert& other : *found) {
      if (context.format == Format::table && other.id() != found->front().id())
        fmt::print("\nAlso {}: vigil alerts explain {}\n", printable(place_of(other)), other.id());
    }
    return Exit::ok;
  };
}

}  // namespace vigil::cli
