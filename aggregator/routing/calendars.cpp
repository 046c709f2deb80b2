#include "aggregator/routing/calendars.h"

#include "common/text/ascii.h"
#include "common/text/human.h"
#include "common/text/letter_case.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace vigil::routing {
namespace {

using calendar::MinuteRange;
using calendar::Range;

constexpr std::array<std::string_view, 7> kWeekdays = {"sunday",   "monday", "tuesday", "wednesday",
                                                       "thursday", "friday", "saturday"};
constexpr std::array<std::string_view, 12> kMonths = {"january",   "february", "march",    "april",
                                                      "may",       "june",     "july",     "august",
                                                      "september", "october",  "november", "december"};
constexpr int kMinutesOfDay = 24 * 60;
constexpr int kShortestMonth = 28;
constexpr int kLongestMonth = 31;

std::optional<int> whole_number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// One word or number of a range; nothing after an error.
using Member = std::optional<int> (*)(const config::Value& at, const std::string& text);

template <class Names>
std::optional<int> named(const config::Value& at, const std::string& text, const Names& names,
                         std::string_view what) {
  const auto found = std::find(names.begin(), names.end(), text);
  if (found != names.end()) return static_cast<int>(found - names.begin());
  const std::string_view nearest = suggest(text, names);
  at.error(nearest.empty() ? fmt::format("'{}' is not a {}; known are {}", text, what, fmt::join(names, ", "))
                           : fmt::format("'{}' is not a {}; did you mean {}?", text, what, nearest));
  return std::nullopt;
}

std::optional<int> weekday(const config::Value& at, const std::string& text) {
  return named(at, text, kWeekdays, "weekday");
}

std::optional<int> month(const config::Value& at, const std::string& text) {
  if (const auto number = whole_number(text)) {
    if (*number < 1 || *number > static_cast<int>(kMonths.size()))
      at.warn(
          fmt::format("there is no month {}: those from 1 to 12 count", *number));  // Alertmanager takes it
    return number;
  }
  const auto index = named(at, text, kMonths, "month");
  return index ? std::optional(*index + 1) : std::nullopt;
}

std::optional<int> day_of_month(const config::Value& at, const std::string& text) {
  const auto number = whole_number(text);
  if (number && *number != 0 && *number >= -kLongestMonth && *number <= kLongestMonth) return number;
  at.error(fmt::format("'{}' is not a day of a month; write 1 to 31, or -1 for the last day to -31", text));
  return std::nullopt;
}

std::optional<int> year(const config::Value& at, const std::string& text) {
  const auto number = whole_number(text);
  if (number) return number;
  at.error(fmt::format("'{}' is not a year", text));
  return std::nullopt;
}

/// "monday:friday", "saturday", "-3:-1"
std::optional<Range> read_range(const config::Value& at, Member member) {
  const auto text = at.scalar("a text such as first:last");
  if (!text) return std::nullopt;
  const std::string plain = lower_case(*text);
  const std::size_t colon = text->find(':');  // g++ 12 warns of plain.find(), wrongly
  const auto first = member(at, plain.substr(0, colon));
  const auto last = colon == std::string::npos ? first : member(at, plain.substr(colon + 1));
  if (!first || !last) return std::nullopt;
  return Range{*first, *last};
}

std::vector<Range> read_ranges(const std::vector<config::Value>& raw, Member member) {
  std::vector<Range> out;
  for (const config::Value& at : raw) {
    const auto range = read_range(at, member);
    if (!range) continue;
    if (range->first > range->last) {
      at.error("ends before it begins; write two ranges instead");
    } else {
      out.push_back(*range);
    }
  }
  return out;
}

/// Which of two days of a month comes first may depend on the month; what is wrong in all of them is an
/// error.
std::vector<Range> read_days_of_month(const std::vector<config::Value>& raw) {
  std::vector<Range> out;
  for (const config::Value& at : raw) {
    const auto range = read_range(at, day_of_month);
    if (!range) continue;
    const auto in_shortest = [](int day) { return day < 0 ? kShortestMonth + day : day; };
    if (range->first < 0 && range->last > 0) {
      at.error("a range that begins with a day counted from the end must end with one");
    } else if (in_shortest(range->first) > in_shortest(range->last)) {
      at.error("ends before it begins; write two ranges instead");
    } else {
      out.push_back(*range);
    }
  }
  return out;
}

/// "HH:MM", 00:00 to 24:00.
std::optional<int> minute_of_day(const PlacedText& at) {
  const std::string_view text = at.text;
  const bool has_form = text.size() == 5 && text[2] == ':' && is_digit(text[0]) && is_digit(text[1]) &&
                        is_digit(text[3]) && is_digit(text[4]);
  const int minute =
      has_form ? *whole_number(text.substr(0, 2)) * 60 + *whole_number(text.substr(3)) : kMinutesOfDay + 1;
  if (minute <= kMinutesOfDay && *whole_number(text.substr(3)) < 60) return minute;
  if (at.at) at.at.error(fmt::format("'{}' is not a time of the day; write 00:00 to 24:00, in quotes", text));
  return std::nullopt;
}

struct RawTimes {
  PlacedText start;
  PlacedText end;
};
void describe(config::Fields& fields, RawTimes& times) {
  fields.required("start_time", times.start, "Begin, such as '09:00'.");
  fields.required("end_time", times.end, "End, up to '24:00'.");
}

std::vector<MinuteRange> read_times(const std::vector<config::Value>& raw) {
  std::vector<MinuteRange> out;
  for (const config::Value& at : raw) {
    RawTimes times;
    config::decode(at, times);
    const auto begin = minute_of_day(times.start);
    const auto end = minute_of_day(times.end);
    if (!begin || !end) continue;
    if (*begin >= *end) {
      at.error("ends before it begins; over midnight, write two of them: until 24:00, and from 00:00");
    } else {
      out.push_back({*begin, *end});
    }
  }
  return out;
}

}  // namespace

calendar::TimeInterval read_time_interval(const RawTimeInterval& raw, calendar::Zones& zones) {
  calendar::TimeInterval out;
  out.times = read_times(raw.times);
  out.weekdays = read_ranges(raw.weekdays, weekday);
  out.days_of_month = read_days_of_month(raw.days_of_month);
  out.months = read_ranges(raw.months, month);
  out.years = read_ranges(raw.years, year);
  if (raw.location.at && !raw.location.text.empty()) {
    const auto zone = zones.find(raw.location.text);
    if (zone) {
      out.zone = *zone;
    } else {
      raw.location.at.error(zone.error().message);
    }
  }
  return out;
}

}  // namespace vigil::routing
