#include "common/text/human.h"

#include "common/text/trim.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>
#include <limits>
#include <optional>
#include <vector>

namespace vigil {
namespace {

using std::chrono::milliseconds;

struct Unit {
  std::string_view name;
  std::int64_t ms;
};
constexpr std::array<Unit, 7> kUnits = {{{"y", 31'536'000'000},
                                         {"w", 604'800'000},
                                         {"d", 86'400'000},
                                         {"h", 3'600'000},
                                         {"m", 60'000},
                                         {"s", 1'000},
                                         {"ms", 1}}};

/// Takes leading digits; nothing when there are none or too many.
std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end == text.data() || text.front() == '-') return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::optional<double> take_double(std::string_view& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::int64_t days_in(std::int64_t year, std::int64_t month) {
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  if (month == 2) return leap ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/// "2026-11-21" at the front of `text`.
std::optional<std::tm> take_date(std::string_view& text) {
  std::tm date{};
  std::string_view rest = text;
  const auto year = take_number(rest);
  if (!year || *year < 1970 || *year > 9999 || !rest.starts_with('-')) return std::nullopt;
  rest.remove_prefix(1);
  const auto month = take_number(rest);
  if (!month || *month < 1 || *month > 12 || !rest.starts_with('-')) return std::nullopt;
  rest.remove_prefix(1);
  const auto day = take_number(rest);
  if (!day || *day < 1 || *day > days_in(*year, *month)) return std::nullopt;
  date.tm_year = static_cast<int>(*year) - 1900;
  date.tm_mon = static_cast<int>(*month) - 1;
  date.tm_mday = static_cast<int>(*day);
  text = rest;
  return date;
}

/// "14:00", "14:00:05", "14:00:05.25" at the front of `text`; sets the fields of `date`, gives the fraction
/// in milliseconds.
std::optional<std::int64_t> take_clock(std::string_view& text, std::tm& date) {
  std::string_view rest = text;
  const auto hour = take_number(rest);
  if (!hour || *hour > 23 || !rest.starts_with(':')) return std::nullopt;
  rest.remove_prefix(1);
  const auto minute = take_number(rest);
  if (!minute || *minute > 59) return std::nullopt;
  double second = 0;
  if (rest.starts_with(':')) {
    rest.remove_prefix(1);
    const auto parsed = take_double(rest);
    if (!parsed || *parsed < 0 || *parsed >= 61) return std::nullopt;
    second = *parsed;
  }
  date.tm_hour = static_cast<int>(*hour);
  date.tm_min = static_cast<int>(*minute);
  date.tm_sec = static_cast<int>(second);
  text = rest;
  return static_cast<std::int64_t>(std::llround((second - std::floor(second)) * 1000));
}

std::int64_t local_ms(std::tm date) {
  date.tm_isdst = -1;
  return static_cast<std::int64_t>(std::mktime(&date)) * 1000;
}

/// What may follow the clock of an RFC 3339 time: "Z" or "+01:00", as milliseconds east of Greenwich.
std::optional<std::int64_t> parse_zone(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
  std::string_view hours = text.substr(1, 2);
  std::string_view minutes = text.substr(4);
  const auto h = take_number(hours);
  const auto m = take_number(minutes);
  if (!h || !m || !hours.empty() || !minutes.empty()) return std::nullopt;
  const std::int64_t offset = (*h * 60 + *m) * 60'000;
  return text[0] == '-' ? -offset : offset;
}

/// A date, with or without a clock time behind a space or a T.
std::optional<std::int64_t> parse_date_time(std::string_view text) {
  auto date = take_date(text);
  if (!date) return std::nullopt;
  if (text.empty()) return local_ms(*date);
  if (text.front() != ' ' && text.front() != 'T' && text.front() != 't') return std::nullopt;
  text.remove_prefix(1);
  const auto fraction = take_clock(text, *date);
  if (!fraction) return std::nullopt;
  if (text.empty()) return local_ms(*date) + *fraction;
  const auto zone = parse_zone(text);
  if (!zone) return std::nullopt;
  return static_cast<std::int64_t>(::timegm(&*date)) * 1000 + *fraction - *zone;
}

/// "today 14:00", "yesterday", "tomorrow 9:00", "14:00".
std::optional<std::int64_t> parse_day_word(std::string_view text, std::int64_t now_ms) {
  const std::time_t now = now_ms / 1000;
  std::tm date{};
  ::localtime_r(&now, &date);
  date.tm_hour = date.tm_min = date.tm_sec = 0;
  bool named = false;
  using Word = std::pair<std::string_view, int>;
  for (const auto& [word, days_ahead] : {Word{"today", 0}, {"yesterday", -1}, {"tomorrow", 1}}) {
    if (!text.starts_with(word)) continue;
    text = trim(text.substr(word.size()));
    date.tm_mday += days_ahead;
    named = true;
    break;
  }
  if (named && text.empty()) return local_ms(date);
  const auto fraction = take_clock(text, date);
  if (!fraction || !text.empty()) return std::nullopt;
  return local_ms(date) + *fraction;
}

/// "2 hours", "3 days", "1 hour 5 min" in milliseconds.
std::optional<std::int64_t> parse_words(std::string_view text) {
  struct Word {
    std::string_view name;
    std::int64_t ms;
  };
  constexpr std::array<Word, 23> kWords = {
      {{"seconds", 1'000},   {"second", 1'000},   {"secs", 1'000},        {"sec", 1'000},
       {"s", 1'000},         {"minutes", 60'000}, {"minute", 60'000},     {"mins", 60'000},
       {"min", 60'000},      {"m", 60'000},       {"hours", 3'600'000},   {"hour", 3'600'000},
       {"hrs", 3'600'000},   {"hr", 3'600'000},   {"h", 3'600'000},       {"days", 86'400'000},
       {"day", 86'400'000},  {"d", 86'400'000},   {"weeks", 604'800'000}, {"week", 604'800'000},
       {"wks", 604'800'000}, {"wk", 604'800'000}, {"w", 604'800'000}}};
  std::int64_t total = 0;
  std::int64_t smallest = std::numeric_limits<std::int64_t>::max();
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    const auto number = take_number(text);
    if (!number) return std::nullopt;
    text = trim(text);
    const std::string_view name = text.substr(0, text.find_first_of(" \t0123456789"));
    const auto word = std::ranges::find(kWords, name, &Word::name);
    std::int64_t part = 0;
    if (word == kWords.end() || word->ms >= smallest || __builtin_mul_overflow(*number, word->ms, &part) ||
        __builtin_add_overflow(total, part, &total))
      return std::nullopt;
    smallest = word->ms;
    text = trim(text.substr(name.size()));
  }
  return total;
}

}  // namespace

Result<milliseconds> parse_duration(std::string_view text) {
  const auto bad = [text] {
    return fail(Errc::parse, "'{}' is not a duration; write for example 30s, 5m, 1h30m or 500ms", text);
  };
  std::string_view rest = trim(text);
  if (rest == "0") return milliseconds(0);
  if (rest.empty()) return bad();
  std::int64_t total = 0;
  std::size_t next_unit = 0;
  while (!rest.empty()) {
    const auto number = take_number(rest);
    if (!number) return bad();
    const std::size_t letters = std::min(rest.find_first_of("0123456789"), rest.size());
    const std::string_view name = rest.substr(0, letters);
    std::size_t unit = next_unit;
    while (unit < kUnits.size() && kUnits[unit].name != name) ++unit;
    if (unit == kUnits.size()) return bad();
    std::int64_t part = 0;
    if (__builtin_mul_overflow(*number, kUnits[unit].ms, &part) ||
        __builtin_add_overflow(total, part, &total))
      return bad();
    next_unit = unit + 1;
    rest.remove_prefix(letters);
  }
  return milliseconds(total);
}

std::string format_duration(milliseconds duration) {
  std::int64_t left = std::abs(duration.count());
  if (left == 0) return "0s";
  std::string out = duration.count() < 0 ? "-" : "";
  for (const Unit& unit : kUnits) {
    if (unit.name == "y" || unit.name == "w") {
      if (left % unit.ms != 0) continue;  // years and weeks only when exact: 8 days are "8d"
    }
    if (left < unit.ms) continue;
    out += fmt::format("{}{}", left / unit.ms, unit.name);
    left %= unit.ms;
  }
  return out;
}

std::string format_age(milliseconds duration) {
  std::int64_t left = std::abs(duration.count());
  std::string out = duration.count() < 0 ? "-" : "";
  int parts = 0;
  for (const Unit& unit : kUnits) {
    if (unit.name == "w" || (unit.name == "ms" && parts > 0)) continue;
    if (left < unit.ms) {
      if (parts > 0) break;
      continue;
    }
    out += fmt::format("{}{}{}", parts > 0 ? " " : "", left / unit.ms, unit.name);
    left %= unit.ms;
    if (++parts == 2) break;
  }
  return parts == 0 ? "0s" : out;
}

Result<std::int64_t> parse_time(std::string_view text, std::int64_t now_ms) {
  const std::string_view input = trim(text);
  if (input == "now") return now_ms;
  if (input.starts_with("in ")) {
    constexpr std::int64_t kFarMs = 1000LL * 365 * 86'400'000;
    const std::string_view length = trim(input.substr(3));
    const auto duration = parse_duration(length);
    const auto ahead = duration ? std::optional<std::int64_t>(duration->count()) : parse_words(length);
    if (ahead && *ahead <= kFarMs) return now_ms + *ahead;
  }
  std::string_view ago = input;
  if (ago.starts_with('-')) ago.remove_prefix(1);
  if (ago.ends_with(" ago")) ago = trim(ago.substr(0, ago.size() - 4));
  if (!ago.empty() && ago.find_first_not_of("0123456789.") != std::string_view::npos) {
    if (const auto duration = parse_duration(ago)) return now_ms - duration->count();
    if (const auto past = parse_words(ago)) return now_ms - *past;
  }
  if (const auto t = parse_date_time(input)) return *t;
  if (const auto t = parse_day_word(input, now_ms)) return *t;
  std::string_view rest = input;
  const auto seconds = take_double(rest);
  // As seconds these would be years past 5000: they are milliseconds, such as `time_ms` of vigil's own JSON.
  constexpr double kLeastMs = 1e11;
  if (seconds && rest.empty() && std::abs(*seconds) < 1e16)
    return static_cast<std::int64_t>(
        std::llround(std::abs(*seconds) < kLeastMs ? *seconds * 1000 : *seconds));
  return fail(
      Errc::parse,
      "'{}' is not a time; write for example 2h or '2 hours ago', 'yesterday 14:00', 2026-11-21T14:00:00Z",
      text);
}

std::string format_rfc3339(std::int64_t t_ms) {
  const std::int64_t seconds = t_ms >= 0 ? t_ms / 1000 : (t_ms - 999) / 1000;
  const std::int64_t fraction = t_ms - seconds * 1000;
  const std::time_t time = seconds;
  std::tm date{};
  ::gmtime_r(&time, &date);
  std::string out = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", date.tm_year + 1900, date.tm_mon + 1,
                                date.tm_mday, date.tm_hour, date.tm_min, date.tm_sec);
  if (fraction != 0) out += fmt::format(".{:03}", fraction);
  return out + 'Z';
}

std::string format_local_time(std::int64_t t_ms) {
  const std::time_t time = t_ms / 1000;
  std::tm date{};
  ::localtime_r(&time, &date);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", date.tm_year + 1900, date.tm_mon + 1,
                     date.tm_mday, date.tm_hour, date.tm_min, date.tm_sec);
}

Result<std::uint64_t> parse_bytes(std::string_view text) {
  std::string_view rest = trim(text);
  const auto number = take_double(rest);
  rest = trim(rest);
  constexpr std::array<std::pair<std::string_view, double>, 14> kSuffixes = {{{"", 1},
                                                                              {"B", 1},
                                                                              {"k", 1024},
                                                                              {"K", 1024},
                                                                              {"M", 1048576},
                                                                              {"G", 1073741824},
                                                                              {"kB", 1e3},
                                                                              {"MB", 1e6},
                                                                              {"GB", 1e9},
                                                                              {"TB", 1e12},
                                                                              {"KiB", 1024},
                                                                              {"MiB", 1048576},
                                                                              {"GiB", 1073741824},
                                                                              {"TiB", 1099511627776.0}}};
  for (const auto& [suffix, factor] : kSuffixes) {
    if (rest == suffix && number && *number >= 0 && *number * factor < 9e18)
      return static_cast<std::uint64_t>(*number * factor);
  }
  return fail(Errc::parse, "'{}' is not a size; write for example 64MB, 16MiB or 4096", text);
}

std::string format_bytes(double bytes) {
  constexpr std::array<std::string_view, 6> kNames = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t unit = 0;
  double value = bytes;
  while (std::abs(value) >= 1024 && unit + 1 < kNames.size()) {
    value /= 1024;
    ++unit;
  }
  if (unit == 0) return fmt::format("{:.0f} B", value);
  const int decimals = std::abs(value) < 10 ? 2 : std::abs(value) < 100 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, decimals, kNames[unit]);
}

std::string format_si(double value) {
  if (!std::isfinite(value)) return std::isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
  constexpr std::array<std::string_view, 6> kNames = {"", "k", "M", "G", "T", "P"};
  std::size_t unit = 0;
  while (std::abs(value) >= 1000 && unit + 1 < kNames.size()) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.4g}{}", value, kNames[unit]);
}

std::string counted(std::uint64_t count, std::string_view one, std::string_view many) {
  if (count == 1 || !many.empty()) return fmt::format("{} {}", count, count == 1 ? one : many);
  return fmt::format("{} {}s", count, one);
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Optimal string alignment: a swap of neighbours costs one, since that is how people mistype.
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace vigil
