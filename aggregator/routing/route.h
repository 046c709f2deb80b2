// The tree of routes: which receivers an alert goes to, with what it is grouped, and how long it waits. Pure,
// and constant once made. It is Alertmanager's: a route takes an alert that all its matchers match; of its
// children the first one that takes it has it, and those after it also as long as `continue` says so; the
// route itself has it when no child takes it.
#pragma once

#include "aggregator/calendar/time_interval.h"
#include "aggregator/matchers/matchers.h"
#include "common/series.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::routing {

struct Timings {
  std::chrono::milliseconds wait = std::chrono::seconds(30);     // before the first message of a group
  std::chrono::milliseconds interval = std::chrono::minutes(5);  // between messages of a group
  std::chrono::milliseconds repeat = std::chrono::hours(4);      // of what did not change
  friend bool operator==(const Timings&, const Timings&) = default;
};

/// Who hears of an alert that has fired so long and that nobody acknowledged.
struct Escalation {
  std::chrono::milliseconds after{};
  std::string receiver;
  friend bool operator==(const Escalation&, const Escalation&) = default;
};

struct Route {
  /// As Alertmanager has it, `{}/{team="db"}`: the matchers from the root on. Not always one route's alone.
  std::string key;
  /// One route's alone, and the same after a reload as long as its matchers and its receiver are: the key,
  /// the receiver, and "#2" for the second one like it.
  std::string id;
  std::string receiver;
  matchers::Matchers matchers;
  bool continues = false;
  bool group_by_all = false;          // '...': each alert is a group
  std::vector<std::string> group_by;  // sorted
  Timings timings;
  std::vector<std::string> mute_calendars;    // by name; of this route alone, they are not inherited
  std::vector<std::string> active_calendars;  // none: always active
  std::vector<Escalation> escalations;        // the parent's where it has none of its own
  std::vector<Route> routes;

  /// Every route that has the alert, in order: this one, unless its matchers do not match. At least one for
  /// the root, which has no matchers. Pointers into the tree.
  std::vector<const Route*> match(const Labels& labels) const;
  /// This route and all below it, each before its children.
  void walk(const std::function<void(const Route&)>& visit) const;
  /// The labels that the alert's group has in common.
  Labels group_labels(const Labels& labels) const;
  /// Alertmanager's `groupKey`: `{}/{team="db"}:{alertname="Down"}`.
  std::string group_key(const Labels& group_labels) const;
};

using Calendars = std::map<std::string, calendar::Calendar, std::less<>>;

/// What time says about a route.
enum class Muting : std::uint8_t {
  none,
  muted,    // one of mute_time_intervals is now
  inactive  // none of active_time_intervals is now
};
std::string_view to_string(Muting muting);

struct Mute {
  Muting muting = Muting::none;
  std::string calendar;  // muted: by which one
  explicit operator bool() const { return muting != Muting::none; }
};
Mute mute_of(const Route& route, const Calendars& calendars, calendar::sys_seconds t);

/// When what mute_of() says at `t` is over.
struct MuteEnd {
  calendar::sys_seconds at{};  // then; or how far was looked: a year, or less where calendars change all day
  bool is_known = false;
  friend bool operator==(const MuteEnd&, const MuteEnd&) = default;
};
MuteEnd end_of_mute(const Route& route, const Calendars& calendars, calendar::sys_seconds t);
/// "muted by nights until 2026-12-02 08:00 Europe/Berlin", on the clock of that calendar, with what
/// mute_of() and end_of_mute() say at `t`; "" where nothing is muted.
std::string mute_text(const Route& route, const Calendars& calendars, calendar::sys_seconds t,
                      const MuteEnd& end);

}  // namespace vigil::routing
