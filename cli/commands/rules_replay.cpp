// rules replay: rule files over the history of a running aggregator, beside the rules in force.
#include "cli/commands/command.h"
#include "cli/commands/figures.h"
#include "cli/output/progress.h"
#include "common/config/files.h"
#include "common/text/human.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace vigil::cli {
namespace {

constexpr std::size_t kShown = 5;  // label sets named in a cell of the table

struct Flags {
  std::vector<std::string> files;
  std::string since = "7d";
  std::string until = "now";
  std::string step;
  bool each = false;
};

/// Of an alert what tells it from others of its rule: its host, and the labels that are not the rule's.
std::string place_of(const v1::ReplayedAlert& alert, const v1::ReplayedRule& rule) {
  std::string out;
  const auto add = [&out](std::string_view text) {
    if (!out.empty()) out += ' ';
    out += text;
  };
  const auto instance = alert.labels().find("instance");
  if (instance != alert.labels().end()) add(instance->second);
  const std::map<std::string, std::string> sorted(alert.labels().begin(), alert.labels().end());
  for (const auto& [name, value] : sorted) {
    if (name == "instance" || name == "alertname" || name == "job" || rule.labels().contains(name)) continue;
    add(fmt::format("{}={}", name, value));
  }
  return out.empty() ? "-" : out;
}

std::string severity_of(const v1::ReplayedRule& rule) {
  const auto found = rule.labels().find("severity");
  return found == rule.labels().end() ? "" : found->second;
}

std::string length(std::int64_t ms) {
  return ms == 0 ? "" : format_age(std::chrono::milliseconds(ms));
}

/// "web-1 3x 12m 5s": one label set.
std::string account(const v1::ReplayedAlert& alert, const v1::ReplayedRule& rule) {
  return fmt::format("{} {}x {}{}", place_of(alert, rule), alert.count(), length(alert.total_ms()),
                     alert.firing() ? " still" : "");
}

std::string join_some(const std::vector<std::string>& texts) {
  const auto shown = static_cast<std::ptrdiff_t>(std::min(texts.size(), kShown));
  std::string out = fmt::format("{}", fmt::join(texts.begin(), texts.begin() + shown, ", "));
  if (texts.size() > kShown) out += fmt::format(" and {} more", texts.size() - kShown);
  return out;
}

Cell texts_cell(std::vector<std::string> texts, Style style = Style::plain) {
  std::string text = join_some(texts);
  return Cell{List{std::move(texts)}, std::move(text), style};
}

Cell count_cell(std::uint64_t count) {
  return Cell::number(static_cast<std::int64_t>(count), count > 0 ? Style::bold : Style::faint);
}
Cell length_cell(std::int64_t ms) {
  return Cell{ms, length(ms), Style::plain};
}

/// Places of `a` that `b` has not.
std::vector<std::string> only_in(const v1::ReplayedRule* a, const v1::ReplayedRule* b) {
  std::set<std::string> known;
  if (b != nullptr) {
    for (const auto& alert : b->alerts()) known.insert(place_of(alert, *b));
  }
  std::vector<std::string> out;
  if (a == nullptr) return out;
  for (const auto& alert : a->alerts()) {
    std::string place = place_of(alert, *a);
    if (!known.contains(place)) out.push_back(std::move(place));
  }
  return out;
}

/// A rule of the files, and the one in force with its name and severity; one of them may be missing.
struct Pair {
  const v1::ReplayedRule* proposed = nullptr;
  const v1::ReplayedRule* today = nullptr;
  const v1::ReplayedRule& any() const { return proposed != nullptr ? *proposed : *today; }
};

std::vector<Pair> pairs_of(const v1::ReplayResult& result) {
  std::vector<Pair> pairs;
  for (const auto& rule : result.rules()) {
    if (!rule.in_force()) {
      pairs.push_back({&rule, nullptr});
      continue;
    }
    const auto same = std::ranges::find_if(pairs, [&rule](const Pair& pair) {
      return pair.proposed != nullptr && pair.today == nullptr && !pair.proposed->recording() &&
             pair.proposed->name() == rule.name() && severity_of(*pair.proposed) == severity_of(rule);
    });
    if (same != pairs.end()) {
      same->today = &rule;
    } else {
      pairs.push_back({nullptr, &rule});
    }
  }
  return pairs;
}

Listing rules_listing(const v1::ReplayResult& result) {
  Listing listing;
  listing.empty_note = "The files hold no rules.";
  listing.columns = {{"name", "RULE"},
                     {"severity", "SEVERITY", Align::left, Fit::useful},
                     {"fired", "FIRED", Align::right},
                     {"fired_today", "TODAY", Align::right, Fit::important},
                     {"firing_ms", "FOR", Align::right},
                     {"firing_today_ms", "TODAY FOR", Align::right, Fit::useful},
                     {"longest_ms", "LONGEST", Align::right, Fit::optional},
                     {"pending_only", "PENDING ONLY", Align::right, Fit::optional},
                     {"where", "WHERE", Align::left, Fit::cut},
                     {"new", "NEW", Align::left, Fit::cut},
                     {"no_longer", "NO LONGER", Align::left, Fit::cut},
                     {"group", ""},
                     {"kind", ""},
                     {"recorded_samples", ""},
                     {"error", "ERROR", Align::left, Fit::cut}};
  for (const Pair& pair : pairs_of(result)) {
    const v1::ReplayedRule& any = pair.any();
    const v1::ReplayedRule* rule = pair.proposed;
    std::vector<std::string> where;
    if (rule != nullptr) {
      for (const auto& alert : rule->alerts()) where.push_back(account(alert, *rule));
    }
    const bool records = any.recording();
    if (records)
      where.push_back(fmt::format("records {} samples", format_si(static_cast<double>(any.recorded()))));
    listing.rows.push_back(
        {Cell::of(any.name(), Style::bold), Cell::of(severity_of(any), severity_style(severity_of(any))),
         rule != nullptr && !records ? count_cell(rule->count()) : Cell::unknown(),
         pair.today != nullptr ? count_cell(pair.today->count()) : Cell::unknown(),
         rule != nullptr ? length_cell(rule->total_ms()) : Cell::unknown(),
         pair.today != nullptr ? length_cell(pair.today->total_ms()) : Cell::unknown(),
         rule != nullptr ? length_cell(rule->longest_ms()) : Cell::unknown(),
         Cell::number(static_cast<std::int64_t>(any.pending_only())), texts_cell(std::move(where)),
         pair.today != nullptr ? texts_cell(only_in(rule, pair.today), Style::warning) : texts_cell({}),
         texts_cell(only_in(pair.today, rule), Style::good), Cell::of(any.group()),
         Cell::of(records           ? "recording"
                  : rule == nullptr ? "only today"
                                    : "alert"),
         Cell::number(static_cast<std::int64_t>(any.recorded())), Cell::of(any.error(), Style::bad)});
  }
  return listing;
}

/// A row for each label set of each rule.
Listing replayed_alerts_listing(const v1::ReplayResult& result) {
  Listing listing;
  listing.empty_note = "Nothing would have fired.";
  listing.columns = {{"name", "RULE"},
                     {"severity", "SEVERITY"},
                     {"rules", "RULES"},
                     {"where", "WHERE", Align::left, Fit::cut},
                     {"fired", "FIRED", Align::right},
                     {"firing_ms", "FOR", Align::right},
                     {"longest_ms", "LONGEST", Align::right},
                     {"first_ms", "FIRST", Align::left, Fit::useful},
                     {"last_ms", "LAST", Align::left, Fit::useful},
                     {"still_firing", ""},
                     {"labels", ""}};
  for (const auto& rule : result.rules()) {
    for (const auto& alert : rule.alerts()) {
      const std::map<std::string, std::string> labels(alert.labels().begin(), alert.labels().end());
      const auto moment = [](std::int64_t t_ms) { return Cell{t_ms, format_local_time(t_ms), Style::plain}; };
      listing.rows.push_back({Cell::of(rule.name(), Style::bold), Cell::of(severity_of(rule)),
                              Cell::of(rule.in_force() ? "today's" : "file"), Cell::of(place_of(alert, rule)),
                              count_cell(alert.count()), length_cell(alert.total_ms()),
                              length_cell(alert.longest_ms()), moment(alert.first_ms()),
                              moment(alert.last_ms()), Cell::of(alert.firing() ? "true" : "false"),
                              Cell::object(Object(labels.begin(), labels.end()))});
    }
  }
  return listing;
}

Result<v1::ReplayRequest> request_of(const Flags& flags, std::int64_t now_ms) {
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
  auto flags = std::make_shared<Flags>();
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
    show(context, flags->each ? replayed_alerts_listing(*result) : rules_listing(*result));
    for (const std::string& warning : result->warnings()) fmt::print(stderr, "warning: {}\n", warning);
    fmt::print(stderr, "{} to {}, evaluated every {}\n", format_local_time(result->start_ms()),
               format_local_time(result->end_ms()),
               format_duration(std::chrono::milliseconds(result->step_ms())));
    return Exit::ok;
  };
}

}  // namespace vigil::cli
