#include "aggregator/calendar/time_interval.h"

#include <algorithm>

namespace vigil::calendar {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::local_days;
using std::chrono::minutes;
using std::chrono::year_month_day;

constexpr days kHorizon{3653};

bool is_in(const std::vector<Range>& ranges, int value) {
  return ranges.empty() || std::any_of(ranges.begin(), ranges.end(), [value](const Range& range) {
           return value >= range.first && value <= range.last;
         });
}

bool is_in(const std::vector<MinuteRange>& ranges, int minute) {
  return ranges.empty() || std::any_of(ranges.begin(), ranges.end(), [minute](const MinuteRange& range) {
           return minute >= range.begin && minute < range.end;
         });
}

/// Of a month of `length` days; a range that reaches over its end ends there.
bool is_day_in(const std::vector<Range>& ranges, int day, int length) {
  if (ranges.empty()) return true;
  const auto from_front = [length](int of_month) { return of_month < 0 ? length + of_month + 1 : of_month; };
  return std::any_of(ranges.begin(), ranges.end(), [&](const Range& range) {
    return day >= from_front(range.first) && day <= from_front(range.last);
  });
}

int days_in_month(const year_month_day& date) {
  const std::chrono::year_month_day_last last(date.year(), std::chrono::month_day_last(date.month()));
  return static_cast<int>(static_cast<unsigned>(last.day()));
}

}  // namespace

bool TimeInterval::contains(sys_seconds t) const {
  const local_seconds local = zone->to_local(t);
  const local_days day = floor<days>(local);
  const year_month_day date(day);
  const auto minute = static_cast<int>(floor<minutes>(local - day).count());
  const auto weekday = static_cast<int>(std::chrono::weekday(day).c_encoding());
  return is_in(times, minute) && is_in(weekdays, weekday) &&
         is_day_in(days_of_month, static_cast<int>(static_cast<unsigned>(date.day())), days_in_month(date)) &&
         is_in(months, static_cast<int>(static_cast<unsigned>(date.month()))) &&
         is_in(years, static_cast<int>(date.year()));
}

bool Calendar::contains(sys_seconds t) const {
  return std::any_of(intervals.begin(), intervals.end(),
                     [t](const TimeInterval& interval) { return interval.contains(t); });
}

namespace {

/// The changes of the clock, and midnight and the ends of the interval's times by each offset the day has.
void add_edges(const TimeInterval& interval, std::chrono::sys_days day, std::vector<sys_seconds>& out) {
  const sys_seconds end = day + days(1);
  for (std::optional<sys_seconds> from = day; from && *from < end; from = interval.zone->next_change(*from)) {
    out.push_back(*from);
    const seconds offset = interval.zone->offset_at(*from);
    for (sys_seconds midnight = floor<days>(day + offset) - offset; midnight < end; midnight += days(1)) {
      out.push_back(midnight);
      for (const MinuteRange& range : interval.times) {
        out.push_back(midnight + minutes(range.begin));
        out.push_back(midnight + minutes(range.end));
      }
    }
  }
}

}  // namespace

void Calendar::add_edges(std::chrono::sys_days day, std::vector<sys_seconds>& out) const {
  for (const TimeInterval& interval : intervals) calendar::add_edges(interval, day, out);
}

std::optional<sys_seconds> Calendar::next_change(sys_seconds t) const {
  const bool now = contains(t);
  const auto today = floor<days>(t);
  std::vector<sys_seconds> edges;
  for (auto day = today; day < today + kHorizon; day += days(1)) {
    edges.clear();
    add_edges(day, edges);
    std::sort(edges.begin(), edges.end());
    for (const sys_seconds edge : edges) {
      if (edge > t && edge < day + days(1) && contains(edge) != now) return edge;
    }
  }
  return std::nullopt;
}

}  // namespace vigil::calendar
