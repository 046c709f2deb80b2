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

struct Change {
  sys_seconds at;
  seconds offset;
};

/// The changes of the years around `t`, in order. What is due at the same moment stays in the order of the
/// years: a summer time that ends as the next one begins lasts.
std::array<Change, 6> changes_around(const ZoneRule& rule, sys_seconds t) {
  constexpr sys_seconds kEarliest = std::chrono::sys_days(year(1) / 1 / 1);
  constexpr sys_seconds kLatest = std::chrono::sys_days(year(9999) / 1 / 1);
  const auto day = floor<days>(std::clamp(t, kEarliest, kLatest) + rule.offset);
  const year here = std::chrono::year_month_day(day).year();
  std::array<Change, 6> changes{};
  std::size_t i = 0;
  for (const year in : {here - std::chrono::years(1), here, here + std::chrono::years(1)}) {
    const auto begin = moment(rule.summer->begin, in) - rule.offset;
    const auto end = moment(rule.summer->end, in) - rule.summer->offset;
    changes[i++] = {sys_seconds(begin.time_since_epoch()), rule.summer->offset};
    changes[i++] = {sys_seconds(end.time_since_epoch()), rule.offset};
  }
  std::stable_sort(changes.begin(), changes.end(),
                   [](const Change& a, const Change& b) { return a.at < b.at; });
  return changes;
}

}  // namespace

seconds ZoneRule::offset_at(sys_seconds t) const {
  if (!summer) return offset;
  seconds current = offset;
  for (const Change& change : changes_around(*this, t)) {
    if (change.at <= t) current = change.offset;
  }
  return current;
}

std::optional<sys_seconds> ZoneRule::next_change(sys_seconds t) const {
  if (!summer) return std::nullopt;
  for (const Change& change : changes_around(*this, t)) {
    if (change.at > t && offset_at(change.at) != offset_at(change.at - seconds(1))) return change.at;
  }
  return std::nullopt;
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
