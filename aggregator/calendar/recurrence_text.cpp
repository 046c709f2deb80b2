// Recurrences as text: RFC 5545, 3.3.10.
#include "aggregator/calendar/recurrence.h"
#include "common/text/human.h"

#include <array>
#include <charconv>
#include <utility>

namespace vigil::calendar {
namespace {

constexpr int kLargestInterval = 1000;
constexpr int kLargestCount = 10'000;
constexpr std::array<std::pair<std::string_view, Frequency>, 3> kFrequencies = {
    {{"DAILY", Frequency::daily}, {"WEEKLY", Frequency::weekly}, {"MONTHLY", Frequency::monthly}}};
constexpr std::array<std::string_view, 7> kDays = {"SU", "MO", "TU", "WE", "TH", "FR", "SA"};
constexpr std::array<std::string_view, 5> kParts = {"FREQ", "INTERVAL", "BYDAY", "UNTIL", "COUNT"};

std::string_view take_until(std::string_view& rest, char separator) {
  const std::size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<int> positive(std::string_view part, std::string_view text, int most) {
  const auto value = number(text);
  if (!value || *value < 1 || *value > most)
    return fail(Errc::parse, "{}={}: must be a number from 1 to {}", part, text, most);
  return *value;
}

Result<Frequency> parse_frequency(std::string_view text) {
  for (const auto& [word, frequency] : kFrequencies) {
    if (word == text) return frequency;
  }
  return fail(Errc::parse, "FREQ={}: must be DAILY, WEEKLY or MONTHLY", text);
}

Result<RecurrenceDay> parse_day(std::string_view text) {
  for (unsigned i = 0; i < kDays.size(); ++i) {
    if (!text.ends_with(kDays[i])) continue;
    std::string_view nth = text.substr(0, text.size() - 2);
    if (nth.empty()) return RecurrenceDay{0, std::chrono::weekday(i)};
    if (nth.starts_with('+')) nth.remove_prefix(1);
    const auto value = number(nth);
    if (value && *value != 0 && *value >= -5 && *value <= 5)
      return RecurrenceDay{*value, std::chrono::weekday(i)};
  }
  return fail(
      Errc::parse,
      "BYDAY: '{}' is not a day; write MO, TU, WE, TH, FR, SA or SU, in months also 2TU for the second "
      "Tuesday and -1FR for the last Friday",
      text);
}

/// 20271231T235959Z. RFC 5545 wants UTC wherever the start has a zone.
Result<sys_seconds> parse_until(std::string_view text) {
  const auto at = [text](std::size_t from, std::size_t length) { return number(text.substr(from, length)); };
  if (text.size() == 16 && text[8] == 'T' && text[15] == 'Z') {
    const auto year = at(0, 4), month = at(4, 2), day = at(6, 2), hour = at(9, 2), minute = at(11, 2),
               second = at(13, 2);
    if (year && month && day && hour && minute && second && *month > 0 && *day > 0) {
      const std::chrono::year_month_day date = std::chrono::year(*year) / *month / *day;
      const bool is_time =
          *hour >= 0 && *hour < 24 && *minute >= 0 && *minute < 60 && *second >= 0 && *second < 60;
      if (date.ok() && is_time && *year > 0) {
        return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
               seconds(*second);
      }
    }
  }
  return fail(Errc::parse, "UNTIL={}: must be a time in UTC such as 20271231T235959Z", text);
}

Result<void> read_days(std::string_view text, std::vector<RecurrenceDay>& out) {
  do {
    const std::string_view word = take_until(text, ',');
    const auto day = parse_day(word);
    if (!day) return day.error();
    // So there are no more than 7 weekdays times 11 places in a month, whoever writes them.
    if (std::ranges::find(out, *day) != out.end())
      return fail(Errc::parse, "BYDAY: '{}' is there twice", word);
    out.push_back(*day);
  } while (!text.empty());
  return {};
}

Result<void> read_part(std::string_view key, std::string_view value, Recurrence& out) {
  if (key == "FREQ") {
    const auto frequency = parse_frequency(value);
    if (!frequency) return frequency.error();
    out.frequency = *frequency;
  } else if (key == "INTERVAL") {
    const auto interval = positive(key, value, kLargestInterval);
    if (!interval) return interval.error();
    out.interval = *interval;
  } else if (key == "COUNT") {
    const auto count = positive(key, value, kLargestCount);
    if (!count) return count.error();
    out.count = *count;
  } else if (key == "UNTIL") {
    const auto until = parse_until(value);
    if (!until) return until.error();
    out.until = *until;
  } else if (key == "BYDAY") {
    return read_days(value, out.by_day);
  } else {
    const std::string_view nearest = suggest(key, kParts);
    return fail(Errc::unsupported, "'{}' is not supported in a recurrence; {}", key,
                nearest.empty() ? fmt::format("known are {}", fmt::join(kParts, ", "))
                                : fmt::format("did you mean {}?", nearest));
  }
  return {};
}

}  // namespace

Result<Recurrence> parse_recurrence(std::string_view text) {
  Recurrence recurrence;
  std::vector<std::string_view> seen;
  std::string_view rest = text;
  if (rest.starts_with("RRULE:")) rest.remove_prefix(6);
  while (!rest.empty()) {
    std::string_view value = take_until(rest, ';');
    const std::string_view key = take_until(value, '=');
    if (std::find(seen.begin(), seen.end(), key) != seen.end())
      return fail(Errc::parse, "'{}' is there twice in the recurrence", key);
    seen.push_back(key);
    if (auto read = read_part(key, value, recurrence); !read) return read.error();
  }
  if (std::find(seen.begin(), seen.end(), "FREQ") == seen.end())
    return fail(Errc::parse, "'{}' is not a recurrence; write for example FREQ=WEEKLY;BYDAY=SU", text);
  if (recurrence.until && recurrence.count)
    return fail(Errc::parse, "a recurrence has UNTIL or COUNT, not both");
  const bool has_nth = std::any_of(recurrence.by_day.begin(), recurrence.by_day.end(),
                                   [](const RecurrenceDay& day) { return day.nth != 0; });
  if (has_nth && recurrence.frequency != Frequency::monthly)
    return fail(Errc::parse, "the second or last of a weekday, as in 2TU, needs FREQ=MONTHLY");
  return recurrence;
}

std::string to_string(const Recurrence& recurrence) {
  std::string out = "FREQ=";
  for (const auto& [word, frequency] : kFrequencies) {
    if (frequency == recurrence.frequency) out += word;
  }
  if (recurrence.interval != 1) out += fmt::format(";INTERVAL={}", recurrence.interval);
  std::string_view separator = ";BYDAY=";
  for (const RecurrenceDay& day : recurrence.by_day) {
    out += separator;
    if (day.nth != 0) out += fmt::format("{}", day.nth);
    out += kDays[day.weekday.c_encoding()];
    separator = ",";
  }
  if (recurrence.until) {
    const auto day = std::chrono::floor<std::chrono::days>(*recurrence.until);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss time(*recurrence.until - day);
    out += fmt::format(";UNTIL={:04}{:02}{:02}T{:02}{:02}{:02}Z", int{date.year()}, unsigned{date.month()},
                       unsigned{date.day()}, time.hours().count(), time.minutes().count(),
                       time.seconds().count());
  }
  if (recurrence.count) out += fmt::format(";COUNT={}", *recurrence.count);
  return out;
}

}  // namespace vigil::calendar
