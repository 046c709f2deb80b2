// alertmanager.yml as written: YAML in, plain values out. Keys that are neither Alertmanager's nor of
// own_receivers.h are errors. Receivers and calendars are understood at once (receivers.h, calendars.h),
// routes by read_configuration().
#pragma once

#include "aggregator/routing/receivers.h"
#include "common/config/fields.h"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vigil::routing {

using config::PlacedText;
using PlacedTexts = std::map<std::string, PlacedText>;

/// Matchers in the three ways of writing them: label to value, label to regular expression, and as text.
struct RawMatchers {
  PlacedTexts equal;
  PlacedTexts regex;
  std::vector<PlacedText> texts;
  bool empty() const { return equal.empty() && regex.empty() && texts.empty(); }
};

struct RawEscalation {
  std::chrono::milliseconds after{};
  PlacedText receiver;
};
void describe(config::Fields& fields, RawEscalation& escalation);

struct RawRoute {
  PlacedText receiver;
  std::vector<PlacedText> group_by;
  RawMatchers matchers;
  bool continues = false;
  std::optional<std::chrono::milliseconds> group_wait;
  std::optional<std::chrono::milliseconds> group_interval;
  std::optional<std::chrono::milliseconds> repeat_interval;
  std::vector<PlacedText> mute_time_intervals;
  std::vector<PlacedText> active_time_intervals;
  std::vector<RawEscalation> escalate;
  std::vector<RawRoute> routes;
  config::Value at;
};
void describe(config::Fields& fields, RawRoute& route);

struct RawInhibitRule {
  std::string name;
  RawMatchers source;
  RawMatchers target;
  std::vector<PlacedText> equal;
};
void describe(config::Fields& fields, RawInhibitRule& rule);

struct RawTimeInterval {
  std::vector<config::Value> times, weekdays, days_of_month, months, years;
  PlacedText location;
};
void describe(config::Fields& fields, RawTimeInterval& interval);

struct RawCalendar {
  PlacedText name;
  std::vector<RawTimeInterval> intervals;
};
void describe(config::Fields& fields, RawCalendar& calendar);

struct RawFile {
  GlobalDefaults global;
  std::vector<std::string> templates;  // paths, with wildcards in the last part
  std::optional<RawRoute> route;
  std::vector<Receiver> receivers;
  std::vector<RawInhibitRule> inhibit_rules;
  std::vector<RawCalendar> mute_time_intervals;  // the older name of the next one
  std::vector<RawCalendar> time_intervals;
};
void describe(config::Fields& fields, RawFile& file);

}  // namespace vigil::routing
