// A window that comes again: "every second Tuesday of the month at 22:00 in Berlin, for two hours".
//
// Its begin is a local time, so that it stays at 22:00 in summer and winter; its length is time that passes,
// so that two hours of work are two hours also in the night in which clocks change. A begin that does not
// exist on its day is moved as zone.h says. (RFC 5545 would leave out that day: a window that silently does
// not come wakes people for planned work.)
#pragma once

#include "aggregator/calendar/recurrence.h"
#include "aggregator/calendar/zone.h"
#include "common/error.h"

#include <chrono>
#include <functional>
#include <optional>

namespace vigil::calendar {

/// The end is outside.
struct Span {
  sys_seconds begin;
  sys_seconds end;
  friend bool operator==(const Span&, const Span&) = default;
};

class RecurringWindow {
 public:
  /// It comes on the days of `recurrence` from that of `start` on; that day itself is one only if the
  /// recurrence says so. Errc::invalid_argument when the length is not above 0 and at most 31 days, or when
  /// it never comes.
  static Result<RecurringWindow> create(local_seconds start, seconds length, ZonePtr zone,
                                        Recurrence recurrence);

  local_seconds start() const { return start_; }
  seconds length() const { return length_; }
  const Zone& zone() const { return *zone_; }
  const Recurrence& recurrence() const { return recurrence_; }

  /// The occurrence that `t` lies in; of several the one that ends last.
  std::optional<Span> at(sys_seconds t) const;
  /// The first occurrence that begins after `t`.
  std::optional<Span> next(sys_seconds t) const;

 private:
  RecurringWindow(local_seconds start, seconds length, ZonePtr zone, Recurrence recurrence)
      : start_(start), length_(length), zone_(std::move(zone)), recurrence_(std::move(recurrence)) {}
  /// Occurrences in order, from one that ends before `t` or the first one, until `visit` gives false.
  void walk(sys_seconds t, const std::function<bool(const Span&)>& visit) const;

  local_seconds start_;
  seconds length_;
  ZonePtr zone_;
  Recurrence recurrence_;
};

}  // namespace vigil::calendar
