#include "cli/commands/silence_options.h"

#include "common/text/human.h"
#include "common/text/utf8.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <optional>
#include <set>
#include <sstream>

namespace vigil::cli {
namespace {

/// A word by itself is the alert's name, as amtool has it.
bool is_name(const std::string& text) {
  return text.find_first_of("=~!{") == std::string::npos;
}

std::string matcher_text(const std::string& text) {
  if (!is_name(text)) return text;
  std::string out = "alertname=\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

/// What a clock on the wall here shows then, as seconds since 1970-01-01 00:00 on it.
std::int64_t wall_clock_s(std::int64_t t_ms) {
  const std::time_t t = t_ms / 1000;
  std::tm local{};
  ::localtime_r(&t, &local);
  return ::timegm(&local);
}

/// "now" and "in 2h" are moments; 22:00 is a time on the clock: of a silence that comes again, its zone's.
Result<void> put_start(const SilenceOptions& wanted, std::int64_t now_ms, v1::Silence& out) {
  if (wanted.start == "now") return {};  // the aggregator's clock, not ours
  const auto start = parse_time(wanted.start, now_ms);
  if (!start) return fail(Errc::invalid_argument, "--start: {}", start.error().message);
  if (!wanted.repeat.empty() && !wanted.start.starts_with("in ")) {
    out.set_local_start_s(wall_clock_s(*start));
    return {};
  }
  constexpr std::int64_t kLateMs = 60'000;
  if (*start < now_ms - kLateMs)
    return fail(Errc::invalid_argument, "--start: {} is past; write for example 'in 30m' or 'tomorrow 9:00'",
                format_local_time(*start));
  out.set_starts_ms(*start);
  return {};
}

Result<void> put_times(const SilenceOptions& wanted, std::int64_t now_ms, v1::Silence& out) {
  if (auto put = put_start(wanted, now_ms, out); !put) return put;
  const bool repeats = !wanted.repeat.empty();
  if (wanted.length.empty() && (wanted.end.empty() || repeats))
    return fail(Errc::invalid_argument, "for how long? --for 2h{}",
                repeats ? "" : ", or --end 'tomorrow 9:00'");
  if (!wanted.length.empty() && !wanted.end.empty() && !repeats)
    return fail(Errc::invalid_argument, "--for or --end, not both");
  if (!wanted.zone.empty() && !repeats)
    return fail(Errc::invalid_argument, "--zone is for silences that come again, with --repeat");
  if (!wanted.length.empty()) {
    const auto length = parse_duration(wanted.length);
    if (!length || length->count() <= 0)
      return fail(Errc::invalid_argument, "--for: '{}' is not a duration; write for example 2h",
                  wanted.length);
    out.set_length_ms(length->count());
  }
  if (wanted.end.empty()) return {};
  const auto end = parse_time(wanted.end, now_ms);
  if (!end) return fail(Errc::invalid_argument, "--end: {}", end.error().message);
  if (*end <= now_ms)
    return fail(Errc::invalid_argument, "--end: {} is past; write for example 'in 2h' or 'tomorrow 9:00'",
                format_local_time(*end));
  out.set_ends_ms(*end);
  return {};
}

// ---- what may not be what was meant

/// The period of a rule that comes at each of its steps: nothing of one that leaves some out, as
/// FREQ=DAILY;BYDAY=MO does, or that cannot be read here.
std::optional<std::int64_t> period_ms(const std::string& rule) {
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 4> kFrequencies{
      {{"MINUTELY", 60'000}, {"HOURLY", 3'600'000}, {"DAILY", 86'400'000}, {"WEEKLY", 604'800'000}}};
  std::int64_t step_ms = 0;
  std::int64_t interval = 1;
  bool is_weekly = false;
  bool has_days = false;
  std::istringstream parts(rule);
  for (std::string part; std::getline(parts, part, ';');) {
    const std::size_t equals = std::min(part.find('='), part.size());
    const std::string name = part.substr(0, equals);
    const std::string value = part.substr(std::min(equals + 1, part.size()));
    if (name == "FREQ") {
      for (const auto& [word, ms] : kFrequencies) step_ms = value == word ? ms : step_ms;
      is_weekly = value == "WEEKLY";
    } else if (name == "INTERVAL") {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), interval);
      if (error != std::errc{} || interval < 1 || interval > 10'000) return std::nullopt;
    } else if (name == "BYDAY") {
      has_days = true;
    } else if (name != "WKST") {
      return std::nullopt;
    }
  }
  if (step_ms == 0 || (has_days && !is_weekly)) return std::nullopt;
  return step_ms * interval;
}

void warn(const std::string& text) {
  fmt::print(stderr, "vigil: warning: {}\n", printable(text));
}

/// What holds for nothing now, and one that never ends, are what somebody may want, and more likely mistakes.
void say_doubts(const v1::PutSilenceRequest& request, const v1::PutSilenceResponse& set) {
  const v1::Silence& silence = request.silence();
  const auto period = period_ms(silence.recurrence());
  if (period && silence.length_ms() >= *period)
    warn(fmt::format("it comes again before it is over: without a break it holds {}",
                     silence.ends_ms() == 0 ? "for ever" : "until " + format_local_time(silence.ends_ms())));
  for (const std::string& doubt : set.warnings()) warn(doubt);
}

/// What people know it by.
std::string name_of(const v1::Silence& silence) {
  return silence.has_maintenance() ? silence.maintenance().title() : matchers_text(silence);
}

/// "\n  6f0c0a83  silence, active: alertname="HostDown"" for each; ids as far as they differ.
std::string candidates_text(const std::vector<const v1::Silence*>& found) {
  constexpr std::size_t kMostListed = 10;
  std::set<std::string> beginnings;
  std::size_t length = 8;
  for (;; ++length) {
    beginnings.clear();
    bool are_whole = true;
    for (const v1::Silence* silence : found) {
      beginnings.insert(silence->id().substr(0, length));
      are_whole = are_whole && silence->id().size() <= length;
    }
    if (beginnings.size() == found.size() || are_whole) break;
  }
  std::string list;
  for (std::size_t i = 0; i < std::min(found.size(), kMostListed); ++i)
    list += fmt::format("\n  {}  {}, {}: {}", found[i]->id().substr(0, length), to_string(kind_of(*found[i])),
                        found[i]->state(), printable(name_of(*found[i])));
  if (found.size() > kMostListed) list += fmt::format("\n  and {} more", found.size() - kMostListed);
  return list;
}

/// As it is once it is over.
Result<v1::Silence> end_silence(Context& context, const v1::Silence& silence) {
  v1::ExpireSilenceRequest request;
  request.set_id(silence.id());
  const auto ended = context.client->expire_silence(request);
  if (!ended) return ended.error();
  return ended->has_silence() ? ended->silence() : silence;  // an older aggregator says nothing of it
}

void say_ended(const Context& context, SilenceKind kind, const std::vector<v1::Silence>& ended) {
  if (context.format != Format::table) return show(context, listing_of(kind, ended));
  for (const v1::Silence& silence : ended) fmt::print("{}\n", ended_text(silence));
}

/// Ends those whose ids begin so.
Result<Exit> end_silences(Context& context, SilenceKind kind, const std::vector<std::string>& ids) {
  v1::ListSilencesRequest every;
  every.set_expired(true);
  const auto silences = context.client->silences(every);
  if (!silences) return silences.error();
  Result<void> all;
  std::vector<v1::Silence> over;
  for (const std::string& given : ids) {
    const auto meant = find_silence(given, kind, *silences);
    auto ended = meant ? end_silence(context, *meant) : meant;
    if (ended) {
      over.push_back(std::move(*ended));
      continue;
    }
    if (!all) fmt::print(stderr, "vigil: {}\n", all.error().message);
    all = ended.error();
  }
  if (!over.empty()) say_ended(context, kind, over);
  if (!all) return all.error();
  return Exit::ok;
}

}  // namespace

void declare_silence_options(CLI::App& app, SilenceOptions& options) {
  app.add_option(
         "MATCHER", options.matchers,
         "What it is for: an alert's name, or label=value, label=~regex, label!=value; all must match")
      ->required()
      ->type_name("");
  app.add_option("--for", options.length, "How long: 2h")->type_name("TIME");
  app.add_option("--comment", options.comment, "Why there is one")->required()->type_name("TEXT");
  app.add_option("--start", options.start, "When it begins: 'in 1h', 22:00, 'tomorrow 9:00'")
      ->type_name("TIME")
      ->capture_default_str();
  app.add_option("--end", options.end, "Instead of --for: when it ends; with --repeat: when it comes no more")
      ->type_name("TIME");
  app.add_option("--author", options.author, "Who answers for it; else your user name")->type_name("NAME");
  app.add_option("--repeat", options.repeat, "It comes again: FREQ=WEEKLY;BYDAY=TU, as in calendars (RRULE)")
      ->type_name("RULE");
  app.add_option("--zone", options.zone, "Of its times, with --repeat: Europe/Berlin; else the aggregator's")
      ->type_name("NAME");
}

Result<void> put_silence_options(const SilenceOptions& options, std::int64_t now_ms, v1::Silence& out) {
  if (std::ranges::count_if(options.matchers, is_name) > 1)
    return fail(Errc::invalid_argument, "a silence is for one alert: write alertname=~'A|B' for several");
  for (const std::string& matcher : options.matchers) out.add_matchers(matcher_text(matcher));
  out.set_comment(options.comment);
  out.set_author(options.author.empty() ? user_name() : options.author);
  out.set_recurrence(options.repeat);
  out.set_zone(options.zone);
  return put_times(options, now_ms, out);
}

Result<Exit> set_silence(Context& context, const v1::PutSilenceRequest& request) {
  const auto set = context.client->put_silence(request);
  if (!set) return set.error();
  say_doubts(request, *set);
  if (context.format == Format::table) {
    fmt::print("{}\n", set->id());
    return Exit::ok;
  }
  v1::Silence silence = set->has_silence() ? set->silence() : request.silence();
  silence.set_id(set->id());
  show(context, as_pairs(listing_of(kind_of(silence), {silence})));
  return Exit::ok;
}

std::string ended_text(const v1::Silence& silence) {
  return fmt::format("{} {} is over{}: {}", to_string(kind_of(silence)), silence.id().substr(0, 8),
                     silence.recurrence().empty() ? "" : " and comes no more", printable(name_of(silence)));
}

Result<v1::Silence> find_silence(const std::string& given, SilenceKind kind,
                                 const v1::ListSilencesResponse& silences) {
  if (given.empty())
    return fail(Errc::invalid_argument, "the id is empty: `vigil {}` lists them", to_string(kind));
  std::vector<const v1::Silence*> found;
  for (const v1::Silence& silence : silences.silences()) {
    if (silence.id().starts_with(given)) found.push_back(&silence);
  }
  if (found.empty())
    return fail(Errc::not_found, "no {} {}: `vigil {}` lists their ids", to_string(kind), given,
                to_string(kind));
  if (found.size() > 1)
    return fail(Errc::invalid_argument, "{} is the beginning of {} ids; write more of the one you mean:{}",
                given, found.size(), candidates_text(found));
  const v1::Silence& silence = *found.front();
  if (kind_of(silence) != kind)
    return fail(Errc::invalid_argument, "{} is a {}: vigil {} {} {}", given, to_string(kind_of(silence)),
                to_string(kind_of(silence)), kind == SilenceKind::silence ? "end" : "expire", given);
  if (silence.state() == "expired")
    return fail(Errc::conflict, "{} {} is over already", to_string(kind), given);
  return silence;
}

Run declare_end(CLI::App& app, SilenceKind kind, const std::string& footer) {
  auto ids = std::make_shared<std::vector<std::string>>();
  app.add_option("ID", *ids, fmt::format("As in `vigil {}`; the beginning is enough", to_string(kind)))
      ->required()
      ->type_name("");
  app.footer(footer);
  return [ids, kind](Context& context) -> Result<Exit> { return end_silences(context, kind, *ids); };
}

}  // namespace vigil::cli
