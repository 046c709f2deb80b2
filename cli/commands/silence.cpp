// silence: alerts that fire without a message for a time; list, add, expire.
#include "cli/commands/command.h"
#include "common/text/human.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>

namespace vigil::cli {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kFarMs = 250'000'000'000'000;  // the year 9892: no end was given

// ---- list

Style style_of(const v1::Silence& silence) {
  return silence.state() == "active" ? Style::good : silence.state() == "pending" ? Style::warning : Style::faint;
}

Cell end_cell(std::int64_t t_ms) {
  return t_ms > kFarMs ? Cell{t_ms, "for ever", Style::plain} : Cell{t_ms, format_local_time(t_ms), Style::plain};
}

/// "2h each: FREQ=WEEKLY;BYDAY=TU Europe/Berlin"
std::string times_text(const v1::Silence& silence) {
  if (silence.recurrence().empty()) return "";
  return fmt::format("{} each: {} {}", format_duration(milliseconds(silence.length_ms())), silence.recurrence(),
                     silence.zone());
}

Run declare_list(CLI::App& app) {
  auto request = std::make_shared<v1::ListSilencesRequest>();
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
                       {"times", "TIMES", Align::left, Fit::cut},
                       {"author", "AUTHOR", Align::left, Fit::important},
                       {"comment", "COMMENT", Align::left, Fit::cut},
                       {"id", "ID"},
                       {"recurrence", ""},
                       {"zone", ""},
                       {"length_ms", ""},
                       {"updated_ms", ""}};
    for (const v1::Silence& silence : silences->silences()) {
      Cell matchers = Cell::list({silence.matchers().begin(), silence.matchers().end()});
      for (const std::string& matcher : silence.matchers())
        matchers.text += (matchers.text.empty() ? "" : " ") + matcher;
      matchers.style = Style::bold;
      listing.rows.push_back({Cell::of(silence.state(), style_of(silence)), std::move(matchers),
                              end_cell(silence.starts_ms()), end_cell(silence.ends_ms()),
                              Cell::of(times_text(silence)), Cell::of(silence.author()),
                              Cell::of(silence.comment()), Cell::of(silence.id()),
                              Cell::of(silence.recurrence()), Cell::of(silence.zone()),
                              Cell::number(silence.length_ms()), Cell::number(silence.updated_ms())});
    }
    show(context, listing);
    return Exit::ok;
  };
}

// ---- add

struct Wanted {
  std::vector<std::string> matchers;
  std::string length;
  std::string start = "now";
  std::string end;
  std::string comment;
  std::string author;
  std::string repeat;
  std::string zone;
};

std::string user_name() {
  const passwd* user = ::getpwuid(::geteuid());
  return user == nullptr ? "" : user->pw_name;
}

/// A word by itself is the alert's name, as amtool has it.
std::string matcher_text(const std::string& text) {
  if (text.find_first_of("=~!{") != std::string::npos) return text;
  return "alertname=\"" + text + "\"";
}

Result<void> put_times(const Wanted& wanted, std::int64_t now_ms, v1::Silence& out) {
  const auto start = parse_time(wanted.start, now_ms);
  if (!start) return fail(Errc::invalid_argument, "--start: {}", start.error().message);
  if (wanted.start != "now") out.set_starts_ms(*start);  // the aggregator's clock, not ours
  const bool repeats = !wanted.repeat.empty();
  if (wanted.length.empty() && (wanted.end.empty() || repeats))
    return fail(Errc::invalid_argument, "for how long? --for 2h{}", repeats ? "" : ", or --end 'tomorrow 9:00'");
  if (!wanted.length.empty() && !wanted.end.empty() && !repeats)
    return fail(Errc::invalid_argument, "--for or --end, not both");
  if (!wanted.zone.empty() && !repeats)
    return fail(Errc::invalid_argument, "--zone is for silences that come again, with --repeat");
  if (!wanted.length.empty()) {
    const auto length = parse_duration(wanted.length);
    if (!length || length->count() <= 0)
      return fail(Errc::invalid_argument, "--for: '{}' is not a duration; write for example 2h", wanted.length);
    if (repeats) {
      out.set_length_ms(length->count());
    } else {
      out.set_ends_ms(*start + length->count());
    }
  }
  if (wanted.end.empty()) return {};
  const auto end = parse_time(wanted.end, now_ms);
  if (!end) return fail(Errc::invalid_argument, "--end: {}", end.error().message);
  out.set_ends_ms(*end);
  return {};
}

Run declare_add(CLI::App& app) {
  auto wanted = std::make_shared<Wanted>();
  app.add_option("MATCHER", wanted->matchers,
                 "What it is for: an alert's name, or label=value, label=~regex, label!=value; all must match")
      ->required()
      ->type_name("");
  app.add_option("--for", wanted->length, "How long: 2h")->type_name("TIME");
  app.add_option("--comment", wanted->comment, "Why there is one")->required()->type_name("TEXT");
  app.add_option("--start", wanted->start, "When it begins: 'in 1h', 22:00, 'tomorrow 9:00'")
      ->type_name("TIME")
      ->capture_default_str();
  app.add_option("--end", wanted->end, "Instead of --for: when it ends; with --repeat: when it comes no more")
      ->type_name("TIME");
  app.add_option("--author", wanted->author, "Who answers for it; else your user name")->type_name("NAME");
  app.add_option("--repeat", wanted->repeat, "It comes again: FREQ=WEEKLY;BYDAY=TU, as in calendars (RRULE)")
      ->type_name("RULE");
  app.add_option("--zone", wanted->zone, "Of its times, with --repeat: Europe/Berlin; else the aggregator's")
      ->type_name("NAME");
  app.footer(
      "Examples:\n  vigil silence add HostDown instance=web-1 --for 2h --comment 'new disks'\n"
      "  vigil silence add instance=~'db-.+' --repeat 'FREQ=WEEKLY;BYDAY=SU' --start 02:00 --for 3h --comment "
      "backup\nPrints its id. What was told to fire is told its end all the same.");
  return [wanted](Context& context) -> Result<Exit> {
    v1::PutSilenceRequest request;
    v1::Silence& silence = *request.mutable_silence();
    for (const std::string& matcher : wanted->matchers) silence.add_matchers(matcher_text(matcher));
    silence.set_comment(wanted->comment);
    silence.set_author(wanted->author.empty() ? user_name() : wanted->author);
    silence.set_recurrence(wanted->repeat);
    silence.set_zone(wanted->zone);
    if (auto put = put_times(*wanted, context.now_ms, silence); !put) return put.error();
    const auto set = context.client->put_silence(request);
    if (!set) return set.error();
    Listing listing;
    listing.shape = Shape::pairs;
    listing.columns = {{"key", ""}, {"value", ""}};
    listing.rows.push_back({Cell::of("id"), Cell::of(set->id())});
    if (context.format == Format::table) {
      fmt::print("{}\n", set->id());
    } else {
      show(context, listing);
    }
    return Exit::ok;
  };
}

// ---- expire

Run declare_expire(CLI::App& app) {
  auto ids = std::make_shared<std::vector<std::string>>();
  app.add_option("ID", *ids, "As in `vigil silence`")->required()->type_name("");
  app.footer("Ends silences now: what still fires is told.");
  return [ids](Context& context) -> Result<Exit> {
    for (const std::string& id : *ids) {
      v1::ExpireSilenceRequest request;
      request.set_id(id);
      if (auto done = context.client->expire_silence(request); !done) return done.error();
    }
    return Exit::ok;
  };
}

}  // namespace

Run declare_silence(CLI::App& app) {
  app.require_subcommand(0, 1);
  auto runs = std::make_shared<std::vector<std::pair<const CLI::App*, Run>>>();
  const auto add = [&](const char* name, const char* summary, Run (*declare)(CLI::App&)) {
    CLI::App* sub = app.add_subcommand(name, summary);
    runs->emplace_back(sub, declare(*sub));
  };
  const Run list = declare_list(app);
  add("list", "Those that are active or will be", declare_list);
  add("add", "Set one", declare_add);
  add("expire", "End them", declare_expire);
  return [list, runs](Context& context) -> Result<Exit> {
    const auto chosen = std::ranges::find_if(*runs, [](const auto& each) { return each.first->parsed(); });
    return chosen == runs->end() ? list(context) : chosen->second(context);
  };
}

}  // namespace vigil::cli
