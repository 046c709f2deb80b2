#include "cli/commands/explanation.h"

#include "cli/commands/figures.h"
#include "common/text/exposition.h"
#include "common/text/human.h"
#include "common/text/utf8.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

namespace vigil::cli {
namespace {

using std::chrono::milliseconds;

struct Word {
  std::string_view kind;
  std::string_view text;
  Style style;
};
constexpr std::array<Word, 24> kWords{{{"holds", "true since", Style::plain},
                                       {"will_fire", "fires if it stays true", Style::warning},
                                       {"fires", "fires", Style::bad},
                                       {"no_data", "no data since", Style::warning},
                                       {"unheard", "nothing heard since", Style::warning},
                                       {"flaps", "flaps since", Style::warning},
                                       {"stays", "false since, fires on", Style::warning},
                                       {"over", "over", Style::good},
                                       {"acknowledged", "acknowledged", Style::good},
                                       {"silenced", "silenced until", Style::faint},
                                       {"maintenance", "in maintenance until", Style::faint},
                                       {"maintenance_over", "maintenance ended", Style::plain},
                                       {"inhibited", "held back by", Style::faint},
                                       {"told", "told", Style::plain},
                                       {"told_again", "told again", Style::plain},
                                       {"escalated", "escalated to", Style::warning},
                                       {"told_over", "told that it is over", Style::good},
                                       {"waits", "not told yet, since", Style::warning},
                                       {"given_up", "not told, given up", Style::bad},
                                       {"not_told", "not told", Style::warning},
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

/// Of the id of a silence its first part is enough.
Cell by_cell(const v1::AlertEvent& event) {
  constexpr std::size_t kShown = 8;
  Cell cell = Cell::of(event.by());
  if (event.kind() == "silenced" || event.kind().starts_with("maintenance"))
    cell.text = event.by().substr(0, kShown);
  return cell;
}

bool is_telling(const std::string& kind) {
  return kind == "told" || kind == "told_again" || kind == "escalated" || kind == "told_over";
}

/// "14:04:42", with its day where that is not the one of `other_ms`.
std::string time_beside(std::int64_t other_ms, std::int64_t t_ms) {
  const std::string text = format_local_time(t_ms);
  const std::size_t day = text.find(' ');
  return format_local_time(other_ms).starts_with(text.substr(0, day)) ? text.substr(day + 1) : text;
}

/// What became of a message, before what is told else.
std::string message_text(const v1::AlertEvent& event, std::int64_t now_ms) {
  if (is_telling(event.kind()))
    return event.arrived_ms() == 0 ? "arrival unknown"
                                   : "arrived " + time_beside(event.at_ms(), event.arrived_ms());
  if (event.attempts() == 0) return "";
  const std::string failed = counted(event.attempts(), "attempt") + " failed";
  return event.next_attempt_ms() <= now_ms
             ? failed
             : fmt::format("{}, next at {}", failed, time_beside(now_ms, event.next_attempt_ms()));
}

/// Programs have the parts apart.
Cell event_text_cell(const v1::AlertEvent& event, std::int64_t now_ms) {
  Cell cell = Cell::of(event.text());
  const std::string message = message_text(event, now_ms);
  cell.text = message.empty() || cell.text.empty() ? message + cell.text : message + "; " + cell.text;
  return cell;
}

// ---- how a rule stands

std::string labels_text(const v1::RuleSeries& series) {
  const Object labels = object_of(series.labels());
  const auto instance = series.labels().find("instance");
  std::string text = instance == series.labels().end() ? "" : instance->second;
  for (const auto& [name, value] : labels) {
    if (name != "instance") text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, value);
  }
  return text;
}

/// How long, or how often, it was true of what it must be.
std::string progress_text(const v1::RuleSeries& series, const v1::RuleOutlook& rule) {
  if (series.alert_id().empty()) return "";
  if (rule.times_of() > 1 && series.times_true() > 0)
    return fmt::format("{} of {}", series.times_true(), rule.times_of());
  const std::string held = format_duration(milliseconds(series.held_ms() / 1000 * 1000));
  return series.state() == "firing"
             ? held
             : fmt::format("{} of {}", held, format_duration(milliseconds(rule.for_ms())));
}

Style style_of_alert(const std::string& state) {
  return state == "firing" ? Style::bad : state == "pending" ? Style::warning : Style::faint;
}

Listing series_listing(const v1::RuleOutlook& rule) {
  Listing listing;
  listing.columns = {{"value", "NOW", Align::right},
                     {"limit", "FIRES AT", Align::right, Fit::important},
                     {"is_true", "TRUE"},
                     {"state", "STATE"},
                     {"held_ms", "TRUE FOR", Align::right, Fit::useful},
                     {"times_true", ""},
                     {"labels", "SERIES", Align::left, Fit::cut},
                     {"alert_id", ""},
                     {"held_back_by", "HELD BACK BY", Align::left, Fit::cut, Programs::json_and_csv, 20}};
  for (const v1::RuleSeries& series : rule.series()) {
    Cell held_back = Cell::list({series.held_back_by().begin(), series.held_back_by().end()});
    held_back.text = fmt::format("{}", fmt::join(series.held_back_by(), "; "));
    Cell is_true = Cell::flag(series.is_true());
    is_true.text = series.is_true() ? "yes" : "no";
    Cell labels = Cell::object(object_of(series.labels()));
    labels.text = labels_text(series);
    listing.rows.push_back(
        {series.has_value() ? Cell::number(series.value(), format_si(series.value())) : Cell::unknown(),
         rule.has_limit() ? Cell::number(rule.limit(), rule.comparison()) : Cell{{}, "", Style::plain},
         std::move(is_true), Cell::of(series.state(), style_of_alert(series.state())),
         Cell{series.held_ms(), progress_text(series, rule), Style::plain},
         Cell::number(std::int64_t{series.times_true()}), std::move(labels), Cell::of(series.alert_id()),
         std::move(held_back)});
  }
  return listing;
}

Listing outlooks_listing(const v1::ExplainAlertResponse& explained) {
  Listing listing;
  for (const char* key : {"name", "severity", "group", "expression", "compared", "comparison", "limit",
                          "for_ms", "keep_firing_for_ms", "times_enough", "times_of", "clear", "interval_ms",
                          "last_evaluation_ms", "last_error", "why", "series", "left_out"})
    listing.columns.push_back({key, ""});
  for (const v1::RuleOutlook& rule : explained.rules()) {
    listing.rows.push_back(
        {Cell::of(rule.name()), Cell::of(rule.severity()), Cell::of(rule.group()),
         Cell::of(rule.expression()), Cell::of(rule.compared()), Cell::of(rule.comparison()),
         rule.has_limit() ? Cell::number(rule.limit(), "") : Cell::unknown(), Cell::number(rule.for_ms()),
         Cell::number(rule.keep_firing_for_ms()), Cell::number(std::int64_t{rule.times_enough()}),
         Cell::number(std::int64_t{rule.times_of()}), Cell::of(rule.clear()),
         Cell::number(rule.interval_ms()), time_cell(rule.last_evaluation_ms()), Cell::of(rule.last_error()),
         Cell::of(rule.why()), nested(series_listing(rule)), Cell::number(std::int64_t{rule.left_out()})});
  }
  return listing;
}

void say_rule(const Context& context, const v1::RuleOutlook& rule, bool is_of_alert) {
  const std::string name = rule.name() + (rule.severity().empty() ? "" : " (" + rule.severity() + ")");
  if (!is_of_alert) {
    const bool is_quiet = !rule.why().empty();
    fmt::print("{}\n", paint(printable((is_quiet ? "does not fire: " : "fires: ") + name),
                             is_quiet ? Style::good : Style::bad, context.colours));
    if (is_quiet) fmt::print("{}\n", printable(rule.why()));
  }
  fmt::print("{}Rule: {}\n", is_of_alert ? "\n" : "", printable(rule_text(rule)));
  fmt::print("Last looked at: {}{}\n",
             rule.last_evaluation_ms() == 0 ? "not yet" : format_local_time(rule.last_evaluation_ms()),
             rule.interval_ms() == 0 ? "" : ", every " + format_duration(milliseconds(rule.interval_ms())));
  if (is_of_alert && !rule.last_error().empty())
    fmt::print("{}\n", paint(printable("It failed: " + rule.last_error()), Style::bad, context.colours));
  if (rule.series().empty()) return;
  fmt::print("\n");
  show(context, series_listing(rule));
  if (rule.left_out() > 0) fmt::print("… and {} more\n", rule.left_out());
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

void show_table(const Context& context, const v1::ExplainAlertResponse& explained) {
  if (explained.has_alert()) {
    say_alert(context, explained.alert());
    show(context, events_listing(explained, context.now_ms));
  }
  for (const v1::RuleOutlook& rule : explained.rules()) {
    if (!explained.has_alert() && &rule != &explained.rules(0)) fmt::print("\n");
    say_rule(context, rule, explained.has_alert());
  }
}

void show_json(const Context& context, const v1::ExplainAlertResponse& explained) {
  Listing all;
  all.shape = Shape::pairs;
  all.columns = {{"key", ""}, {"value", ""}};
  v1::ListAlertsResponse alerts;
  if (explained.has_alert()) *alerts.add_alerts() = explained.alert();
  all.rows.push_back({Cell::of("alert"), explained.has_alert()
                                             ? nested(as_pairs(alerts_listing(alerts, context.now_ms)))
                                             : Cell::unknown()});
  all.rows.push_back({Cell::of("events"), nested(events_listing(explained, context.now_ms))});
  all.rows.push_back({Cell::of("rules"), nested(outlooks_listing(explained))});
  show(context, all);
}

void show_csv(const Context& context, const v1::ExplainAlertResponse& explained) {
  if (explained.has_alert()) return show(context, events_listing(explained, context.now_ms));
  Listing all = series_listing({});
  for (const v1::RuleOutlook& rule : explained.rules()) {
    for (std::vector<Cell>& row : series_listing(rule).rows) all.rows.push_back(std::move(row));
  }
  show(context, all);
}

}  // namespace

Listing events_listing(const v1::ExplainAlertResponse& explained, std::int64_t now_ms) {
  Listing listing;
  listing.columns = {{"at_ms", "WHEN"},
                     {"kind", "WHAT"},
                     {"by", "BY", Align::left, Fit::cut, Programs::json_and_csv, 8},
                     {"text", "ABOUT", Align::left, Fit::cut, Programs::json_and_csv, 24},
                     {"arrived_ms", ""},
                     {"attempts", ""},
                     {"next_attempt_ms", ""}};
  for (const v1::AlertEvent& event : explained.events())
    listing.rows.push_back({when_cell(event.at_ms()), what_cell(event.kind()), by_cell(event),
                            event_text_cell(event, now_ms), time_cell(event.arrived_ms()),
                            Cell::number(std::int64_t{event.attempts()}),
                            time_cell(event.next_attempt_ms())});
  return listing;
}

std::string rule_text(const v1::RuleOutlook& rule) {
  constexpr std::string_view kWhile = "while ";
  constexpr std::string_view kUntil = "until ";
  std::string text = rule.expression();
  if (rule.for_ms() > 0) text += " for " + format_duration(milliseconds(rule.for_ms()));
  if (rule.times_of() > 1)
    text += fmt::format(", true in {} of {} evaluations", rule.times_enough(), rule.times_of());
  const std::string keep =
      rule.keep_firing_for_ms() > 0 ? " for " + format_duration(milliseconds(rule.keep_firing_for_ms())) : "";
  const std::string_view clear = rule.clear();
  if (clear.starts_with(kWhile))
    return fmt::format("{}; clears when not ({}){}", text, clear.substr(kWhile.size()), keep);
  if (clear.starts_with(kUntil))
    return fmt::format("{}; clears when {}{}", text, clear.substr(kUntil.size()), keep);
  return keep.empty() ? text : fmt::format("{}; clears when not true{}", text, keep);
}

void show_explanation(const Context& context, const v1::ExplainAlertResponse& explained) {
  switch (context.format) {
    case Format::table:
      return show_table(context, explained);
    case Format::json:
      return show_json(context, explained);
    case Format::csv:
      return show_csv(context, explained);
  }
}

}  // namespace vigil::cli
