#include "aggregator/routing/raw_file.h"

namespace vigil::routing {
namespace {

void describe_matchers(config::Fields& fields, const std::string& prefix, RawMatchers& matchers) {
  fields.field(prefix + "match", matchers.equal, "Labels and their values.");
  fields.field(prefix + "match_re", matchers.regex, "Labels and regular expressions of their values.");
  fields.field(prefix + "matchers", matchers.texts,
               "Matchers such as severity=\"critical\"; all must match.");
}

bool is_positive(const std::optional<std::chrono::milliseconds>& time) {
  return !time || time->count() > 0;
}

}  // namespace

void describe(config::Fields& fields, RawEscalation& escalation) {
  fields.required("after", escalation.after, "How long it must have fired.");
  fields.require("after", escalation.after.count() > 0, "must be more than 0");
  fields.required("receiver", escalation.receiver, "Who is told then.");
}

void describe(config::Fields& fields, RawRoute& route) {
  fields.field("receiver", route.receiver, "Who is told.");
  fields.field("group_by", route.group_by, "Labels whose alerts share a message; '...': all labels.");
  describe_matchers(fields, "", route.matchers);
  fields.field("continue", route.continues, "Whether the routes after it are tried, too.");
  fields.field("group_wait", route.group_wait,
               "How long the first message of a group waits for more alerts.");
  fields.field("group_interval", route.group_interval, "How often a group may have a message.");
  fields.field("repeat_interval", route.repeat_interval,
               "When a message is sent again though nothing changed.");
  fields.field("mute_time_intervals", route.mute_time_intervals, "When nothing is sent.");
  fields.field("escalate", route.escalate,
               "Who is told of alerts that fire on and that nobody acknowledges; vigil's own.");
  fields.field("active_time_intervals", route.active_time_intervals, "When something is sent; none: always.");
  fields.field("routes", route.routes, "Routes below.");
  fields.require("group_interval", is_positive(route.group_interval), "must be more than 0");
  fields.require("repeat_interval", is_positive(route.repeat_interval), "must be more than 0");
}

void describe(config::Fields& fields, RawInhibitRule& rule) {
  fields.field("name", rule.name, "Name, for messages.");
  describe_matchers(fields, "source_", rule.source);
  describe_matchers(fields, "target_", rule.target);
  fields.field("equal", rule.equal, "Labels that must have the same value in both.");
}

void describe(config::Fields& fields, RawTimeInterval& interval) {
  fields.field("times", interval.times, "Times of the day.");
  fields.field("weekdays", interval.weekdays, "Days of the week.");
  fields.field("days_of_month", interval.days_of_month, "Days of the month; -1: the last one.");
  fields.field("months", interval.months, "Months.");
  fields.field("years", interval.years, "Years.");
  fields.field("location", interval.location, "Time zone; UTC if there is none.");
}

void describe(config::Fields& fields, RawCalendar& calendar) {
  fields.required("name", calendar.name, "Name, once.");
  fields.field("time_intervals", calendar.intervals, "The times it stands for.");
}

void describe(config::Fields& fields, RawFile& file) {
  fields.field("global", file.global, "Defaults.");
  fields.paths("templates", file.templates, "Files with templates.");
  fields.required("route", file.route, "The root of the routes.");
  fields.field("receivers", file.receivers, "Who can be told.");
  fields.field("inhibit_rules", file.inhibit_rules, "Which alerts hold back which.");
  fields.field("mute_time_intervals", file.mute_time_intervals, "The older name of time_intervals.");
  fields.field("time_intervals", file.time_intervals, "Times that routes name.");
}

}  // namespace vigil::routing
