#include "aggregator/calendar/recurring_window.h"

#include "common/text/human.h"

#include <algorithm>

namespace vigil::calendar {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::local_days;
using std::chrono::year;

constexpr days kLongest{31};
// The fifth Monday of February comes every 28 years, or 40: so many months without one are possible.
constexpr int kMostEmptyPeriods = 500;
constexpr local_days kEarliest = local_days(year(1970) / 1 / 1);
constexpr local_days kLatest = local_days(year(9000) / 1 / 1);

}  // namespace

Result<RecurringWindow> RecurringWindow::create(local_seconds start, seconds length, ZonePtr zone,
                                                Recurrence recurrence) {
  if (length <= seconds(0) || length > kLongest) {
    return fail(Errc::invalid_argument, "a window that comes again lasts at least 1s and at most {}",
                format_duration(kLongest));
  }
  if (start < kEarliest || start >= kLatest)
    return fail(Errc::invalid_argument, "a window begins in the years 1970 to 8999");
  RecurringWindow window(start, length, std::move(zone), std::move(recurrence));
  if (!window.next(sys_seconds::min())) {
    return fail(Errc::invalid_argument, "{} never comes: no day from the start on fits",
                to_string(window.recurrence_));
  }
  return window;
}

void RecurringWindow::walk(sys_seconds t, const std::function<bool(const Span&)>& visit) const {
  const local_days first = floor<days>(start_);
  const seconds time = start_ - first;
  std::int64_t index = 0;
  if (!recurrence_.count) {  // otherwise each one counts
    // Two days more than the length: as far as local time may be from UTC, and rounded up.
    const sys_seconds from = std::max(t, sys_seconds(start_.time_since_epoch())) - length_ - days(2);
    const local_days day(floor<days>(from).time_since_epoch());
    index = std::max<std::int64_t>(0, recurrence_.period_of(first, std::min(day, kLatest)));
  }
  int left = recurrence_.count.value_or(0);
  for (int empty = 0; empty < kMostEmptyPeriods; ++index) {
    const auto found = recurrence_.days_of_period(first, index);
    empty = found.empty() ? empty + 1 : 0;
    for (const local_days day : found) {
      if (day >= kLatest) return;
      const sys_seconds begin = zone_->to_utc(day + time);
      if (recurrence_.until && begin > *recurrence_.until) return;
      if (recurrence_.count && left-- == 0) return;
      if (!visit({begin, begin + length_})) return;
    }
  }
}

std::optional<Span> RecurringWindow::at(sys_seconds t) const {
  std::optional<Span> found;
  walk(t, [&](const Span& span) {
    if (span.begin > t) return false;
    if (t < span.end) found = span;  // all are of one length: the later one ends later
    return true;
  });
  return found;
}

std::optional<Span> RecurringWindow::next(sys_seconds t) const {
  std::optional<Span> found;
  walk(t, [&](const Span& span) {
    if (span.begin > t) found = span;
    return !found;
  });
  return found;
}

}  // namespace vigil::calendar
