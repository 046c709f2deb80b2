#include "aggregator/calendar/zone_rule.h"

#include "common/text/ascii.h"

#include <algorithm>
#include <array>

namespace vigil::calendar {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::hours;
using std::chrono::local_days;
using std::chrono::year;

constexpr int kMaxHours = 167;
constexpr int kMaxOffsetHours = 24;
constexpr seconds kOneHour = hours(1);

/// Reads the text from its front; what does not fit makes everything after it fail.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool failed() const { return failed_; }
  bool at_end() const { return rest_.empty(); }
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) { failed_ = !take(c) || failed_; }

  /// "CET", or "<+03>": three characters or more.
  void name() {
    const bool quoted = take('<');
    std::size_t length = 0;
    while (length < rest_.size() && (quoted ? rest_[length] != '>' : is_plain_letter(rest_[length])))
      ++length;
    if (length < 3) failed_ = true;
    rest_.remove_prefix(length);
    if (quoted) expect('>');
  }

  unsigned number(unsigned least, unsigned most) {
    unsigned value = 0;
    std::size_t digits = 0;
    while (digits < rest_.size() && digits < 4 && is_digit(rest_[digits]))
      value = value * 10 + static_cast<unsigned>(rest_[digits++] - '0');
    rest_.remove_prefix(digits);
    if (digits == 0 || value < least || value > most) failed_ = true;
    return value;
  }

  /// [+-]hh[:mm[:ss]]
  seconds time(unsigned most_hours) {
    const bool negative = take('-');
    if (!negative) take('+');
    seconds value = hours(number(0, most_hours));
    if (take(':')) value += std::chrono::minutes(number(0, 59));
    if (take(':')) value += seconds(number(0, 59));
    return negative ? -value : value;
  }

  YearlyChange change() {
    YearlyChange change;
    if (take('M')) {
      change.month = number(1, 12);
      expect('.');
      change.week = number(1, 5);
      expect('.');
      change.weekday = number(0, 6);
    } else if (take('J')) {
      change.kind = YearlyChange::Kind::day_without_leap;
      change.day = number(1, 365);
    } else {
      change.kind = YearlyChange::Kind::day;
      change.day = number(0, 365);
    }
    change.time = take('/') ? time(kMaxHours) : seconds(hours(2));
    return change;
  }

  bool starts_offset() const { return !rest_.empty() && rest_.front() != ','; }

 private:
  static bool is_plain_letter(char c) { return is_letter(c) && c != '_'; }

  std::string_view rest_;
  bool failed_ = false;
};

local_seconds moment(const YearlyChange& change, year in) {
  using namespace std::chrono;  // NOLINT(google-build-using-namespace): dates read as they are written
  local_days day = local_days(in / January / 1);
  switch (change.kind) {
    case YearlyChange::Kind::nth_weekday: {
      const auto month_of = in / month(change.month);
      const weekday on(change.weekday);
      day = change.week == 5 ? local_days(month_of / on[last]) : local_days(month_of / on[change.week]);
      break;
    }
    case YearlyChange::Kind::day_without_leap: {
      constexpr unsigned kFirstOfMarch = 60;
      const bool behind_leap_day = in.is_leap() && change.day >= kFirstOfMarch;
      day += days(change.day - 1 + (behind_leap_day ? 1 : 0));
      break;
    }
    case YearlyChange::Kind::day:
      day += days(change.day);
      break;
  }
  return local_seconds(day) + change.time;
}

/// From one begin to the first end after it.
struct SummerTime {
  sys_seconds begin;
  sys_seconds end;
};

/// Those that may reach into the year of `t`. A change lies up to 167 hours outside of its year, and what
/// begins at the end of one year may last through the next.
std::array<SummerTime, 4> summers_around(const ZoneRule& rule, sys_seconds t) {
  constexpr sys_seconds kEarliest = std::chrono::sys_days(year(3) / 1 / 1);
  constexpr sys_seconds kLatest = std::chrono::sys_days(year(9999) / 1 / 1);
  const auto day = floor<days>(std::clamp(t, kEarliest, kLatest) + rule.offset);
  const year first = std::chrono::year_month_day(day).year() - std::chrono::years(2);
  std::array<sys_seconds, 5> ends;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const year in = first + std::chrono::years(static_cast<int>(i));
    ends[i] = sys_seconds((moment(rule.summer->end, in) - rule.summer->offset).time_since_epoch());
  }
  std::array<SummerTime, 4> summers{};
  for (std::size_t i = 0; i < summers.size(); ++i) {
    const year in = first + std::chrono::years(static_cast<int>(i));
    const sys_seconds begin((moment(rule.summer->begin, in) - rule.offset).time_since_epoch());
    const auto end = std::upper_bound(ends.begin(), ends.end(), begin);
    summers[i] = {begin, end == ends.end() ? begin : *end};
  }
  return summers;
}

}  // namespace

seconds ZoneRule::offset_at(sys_seconds t) const {
  if (!summer) return offset;
  const auto summers = summers_around(*this, t);
  const bool is_summer = std::any_of(summers.begin(), summers.end(), [t](const SummerTime& summer_time) {
    return t >= summer_time.begin && t < summer_time.end;
  });
  return is_summer ? summer->offset : offset;
}

std::optional<sys_seconds> ZoneRule::next_change(sys_seconds t) const {
  if (!summer) return std::nullopt;
  std::optional<sys_seconds> next;
  for (const SummerTime& summer_time : summers_around(*this, t)) {
    for (const sys_seconds at : {summer_time.begin, summer_time.end}) {
      const bool is_sooner = at > t && (!next || at < *next);
      // A summer time that ends as the next one begins, or later, goes on.
      if (is_sooner && offset_at(at) != offset_at(at - seconds(1))) next = at;
    }
  }
  return next;
}

Result<ZoneRule> parse_zone_rule(std::string_view text) {
  Reader reader(text);
  ZoneRule rule;
  reader.name();
  rule.offset = -reader.time(kMaxOffsetHours);
  if (!reader.at_end() && !reader.failed()) {
    ZoneRule::Summer summer;
    reader.name();
    summer.offset = reader.starts_offset() ? -reader.time(kMaxOffsetHours) : rule.offset + kOneHour;
    // Without dates each system takes its own default; no file of zoneinfo leaves them out.
    reader.expect(',');
    summer.begin = reader.change();
    reader.expect(',');
    summer.end = reader.change();
    rule.summer = summer;
  }
  if (reader.failed() || !reader.at_end()) {
    return fail(Errc::parse, "'{}' is not a rule of a time zone such as CET-1CEST,M3.5.0,M10.5.0/3", text);
  }
  return rule;
}

}  // namespace vigil::calendar
