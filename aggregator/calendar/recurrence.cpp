#include "aggregator/calendar/recurrence.h"

#include <algorithm>

namespace vigil::calendar {
namespace {

using std::chrono::days;
using std::chrono::local_days;
using std::chrono::weekday;
using std::chrono::year_month;
using std::chrono::year_month_day;

constexpr std::int64_t kDaysOfWeek = 7;
constexpr std::int64_t kMonthsOfYear = 12;
constexpr std::int64_t kLastYear = 9999;

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

local_days monday_of(local_days day) {
  return day - days(weekday(day).iso_encoding() - 1);
}

std::int64_t month_index(local_days day) {
  const year_month_day date(day);
  return int{date.year()} * kMonthsOfYear + unsigned{date.month()} - 1;
}

year_month month_at(std::int64_t index) {
  const std::int64_t in_year = floor_divide(index, kMonthsOfYear);
  return std::chrono::year(static_cast<int>(in_year)) /
         std::chrono::month(static_cast<unsigned>(index - in_year * kMonthsOfYear) + 1);
}

bool is_asked(const std::vector<RecurrenceDay>& by_day, local_days day) {
  const weekday on(day);
  return std::any_of(by_day.begin(), by_day.end(),
                     [on](const RecurrenceDay& asked) { return asked.weekday == on; });
}

void add_days_of_month(const Recurrence& recurrence, year_month month, local_days first,
                       std::vector<local_days>& out) {
  if (recurrence.by_day.empty()) {
    const year_month_day date = month / year_month_day(first).day();
    if (date.ok()) out.emplace_back(date);
    return;
  }
  for (const RecurrenceDay& asked : recurrence.by_day) {
    for (unsigned nth = 1; nth <= 5; ++nth) {
      const auto date = month / asked.weekday[nth];
      const bool is_wanted = asked.nth == 0 || static_cast<unsigned>(asked.nth) == nth;
      if (is_wanted && date.ok()) out.emplace_back(date);
    }
    if (asked.nth < 0) {
      const local_days day =
          local_days(month / asked.weekday[std::chrono::last]) + kDaysOfWeek * days(asked.nth + 1);
      if (year_month_day(day).month() == month.month()) out.push_back(day);
    }
  }
}

}  // namespace

std::vector<local_days> Recurrence::days_of_period(local_days first, std::int64_t index) const {
  std::vector<local_days> found;
  const std::int64_t step = index * interval;
  switch (frequency) {
    case Frequency::daily: {
      const local_days day = first + days(step);
      if (by_day.empty() || is_asked(by_day, day)) found.push_back(day);
      break;
    }
    case Frequency::weekly: {
      const local_days monday = monday_of(first) + days(step * kDaysOfWeek);
      for (int i = 0; i < kDaysOfWeek; ++i) {
        const local_days day = monday + days(i);
        if (by_day.empty() ? weekday(day) == weekday(first) : is_asked(by_day, day)) found.push_back(day);
      }
      break;
    }
    case Frequency::monthly:
      if (const std::int64_t month = month_index(first) + step; month < kMonthsOfYear * kLastYear)
        add_days_of_month(*this, month_at(month), first, found);
      break;
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  std::erase_if(found, [first](local_days day) { return day < first; });
  return found;
}

std::int64_t Recurrence::period_of(local_days first, local_days day) const {
  std::int64_t units = 0;
  switch (frequency) {
    case Frequency::daily:
      units = (day - first).count();
      break;
    case Frequency::weekly:
      units = (monday_of(day) - monday_of(first)).count() / kDaysOfWeek;
      break;
    case Frequency::monthly:
      units = month_index(day) - month_index(first);
      break;
  }
  return floor_divide(units, interval);
}

}  // namespace vigil::calendar
