#include "cli/commands/silence_options.h"

#include "common/text/human.h"

#include <algorithm>
#include <ctime>

namespace vigil::cli {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kFarMs = 250'000'000'000'000;  // the year 9892: no end was given

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
  out.set_ends_ms(*end);
  return {};
}

/// The silence that is called so, or the only one whose id begins so.
Result<std::string> full_id(const std::string& given, const v1::ListSilencesResponse& silences) {
  std::vector<std::string> found;
  for (const v1::Silence& silence : silences.silences()) {
    if (silence.id().starts_with(given)) found.push_back(silence.id());
  }
  if (found.size() > 1)
    return fail(Errc::invalid_argument, "{} is the beginning of {} silences' ids: write more of it", given,
                found.size());
  return found.empty() ? given : found.front();
}

/// Ends those whose ids begin so.
Result<Exit> end_silences(Context& context, const std::vector<std::string>& ids) {
  v1::ListSilencesRequest every;
  every.set_expired(true);
  const auto silences = context.client->silences(every);
  if (!silences) return silences.error();
  Result<void> all;
  const auto end = [&](const std::string& given) -> Result<void> {
    const auto id = full_id(given, *silences);
    if (!id) return id.error();
    v1::ExpireSilenceRequest request;
    request.set_id(*id);
    const auto ended = context.client->expire_silence(request);
    return ended ? Result<void>() : ended.error();
  };
  for (const std::string& given : ids) {
    auto done = end(given);
    if (done) continue;
    if (!all) fmt::print(stderr, "vigil: {}\n", all.error().message);
    all = std::move(done);
  }
  if (!all) return all.error();
  return Exit::ok;
}

Cell time_or_ever(std::int64_t t_ms) {
  return t_ms > kFarMs ? Cell{t_ms, "for ever", Style::plain}
                       : Cell{t_ms, format_local_time(t_ms), Style::plain};
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
}

Run declare_end(CLI::App& app, const std::string& command, const std::string& footer) {
  auto ids = std::make_shared<std::vector<std::string>>();
  app.add_option("ID", *ids, "As in `" + command + "`; the beginning is enough")->required()->type_name("");
  app.footer(footer);
  return [ids](Context& context) -> Result<Exit> { return end_silences(context, *ids); };
}

std::string times_text(const v1::Silence& silence) {
  if (silence.recurrence().empty()) return "";
  const std::int64_t clock_s = (silence.local_start_s() % 86'400 + 86'400) % 86'400;
  return fmt::format("{} from {:02}:{:02} {}, {}", format_duration(milliseconds(silence.length_ms())),
                     clock_s / 3600, clock_s / 60 % 60, silence.zone(), silence.recurrence());
}

Cell begin_cell(const v1::Silence& silence) {
  Cell cell = time_or_ever(silence.next_starts_ms() != 0 ? silence.next_starts_ms() : silence.starts_ms());
  cell.value = silence.starts_ms();
  return cell;
}

Cell end_cell(const v1::Silence& silence) {
  Cell cell = time_or_ever(silence.next_ends_ms() != 0 ? silence.next_ends_ms() : silence.ends_ms());
  cell.value = silence.ends_ms();
  return cell;
}

Cell id_cell(const std::string& id) {
  constexpr std::size_t kShown = 8;
  return Cell{id, id.substr(0, kShown), Style::plain};
}

}  // namespace vigil::cli
