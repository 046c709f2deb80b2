#include "aggregator/routing/configuration.h"

#include "aggregator/routing/calendars.h"
#include "aggregator/routing/raw_file.h"
#include "common/text/human.h"
#include "common/text/utf8.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace vigil::routing {
namespace {

using matchers::Matcher;
using matchers::Matchers;
using promql::MatchOp;

bool is_label_name(std::string_view name) {
  return !name.empty() && is_utf8(name);
}

void add(Matchers& out, MatchOp op, const PlacedTexts& texts) {
  for (const auto& [label, value] : texts) {
    if (!is_label_name(label)) value.at.error_at_key("is not a label's name");
    auto matcher = Matcher::create(op, label, value.text);
    if (matcher) {
      out.push_back(std::move(*matcher));
    } else {
      value.at.error(matcher.error().message);
    }
  }
}

/// Sorted, so that the order they are written in does not change a route's key.
Matchers read_matchers(const RawMatchers& raw) {
  Matchers out;
  add(out, MatchOp::equal, raw.equal);
  add(out, MatchOp::regex, raw.regex);
  for (const PlacedText& text : raw.texts) {
    auto parsed = matchers::parse_matchers(text.text);
    if (!parsed) {
      text.at.error(parsed.error().message);
      continue;
    }
    if (!parsed->note.empty()) text.at.warn(parsed->note);
    for (Matcher& matcher : parsed->matchers) out.push_back(std::move(matcher));
  }
  const auto order = [](const Matcher& m) { return std::tuple(m.name(), m.value(), m.op()); };
  std::sort(out.begin(), out.end(), [&](const Matcher& a, const Matcher& b) { return order(a) < order(b); });
  return out;
}

/// Makes the tree, with what children take from their parents.
class TreeMaker {
 public:
  TreeMaker(std::set<std::string> receivers, const Calendars& calendars) : receivers_(std::move(receivers)) {
    for (const auto& [name, calendar] : calendars) calendars_.insert(name);
  }

  Route root(const RawRoute& raw) {
    if (!raw.receiver.at || raw.receiver.text.empty())
      raw.at.error("missing key receiver: the root's is that of every alert no other route takes");
    if (!raw.matchers.empty()) raw.at.error("the root must have no matchers: every alert goes there");
    if (raw.continues) raw.at.error("the root must not have continue: no route stands beside it");
    if (!raw.mute_time_intervals.empty() || !raw.active_time_intervals.empty())
      raw.at.error("the root must have no mute_time_intervals and no active_time_intervals");
    Route defaults;
    return make(raw, defaults, "");
  }

 private:
  Route make(const RawRoute& raw, const Route& parent, const std::string& key_above) {
    Route route;
    route.matchers = read_matchers(raw.matchers);
    route.key = key_above + matchers::to_string(route.matchers);
    route.receiver = raw.receiver.text.empty() ? parent.receiver : raw.receiver.text;
    route.continues = raw.continues;
    route.timings = parent.timings;
    if (raw.group_wait) route.timings.wait = *raw.group_wait;
    if (raw.group_interval) route.timings.interval = *raw.group_interval;
    if (raw.repeat_interval) route.timings.repeat = *raw.repeat_interval;
    check_name(raw.receiver, receivers_, "receiver");
    group(raw, parent, route);
    route.mute_calendars = names(raw.mute_time_intervals);
    route.active_calendars = names(raw.active_time_intervals);
    escalate(raw, parent, route);
    route.id = id_of(route);
    for (const RawRoute& child : raw.routes) route.routes.push_back(make(child, route, route.key + '/'));
    return route;
  }

  std::string id_of(const Route& route) {
    std::string id = fmt::format("{} {}", route.key, route.receiver);
    const int nth = ++seen_[id];
    return nth == 1 ? id : fmt::format("{} #{}", id, nth);
  }

  /// An empty list is the parent's, too: so does Alertmanager read it.
  static void group(const RawRoute& raw, const Route& parent, Route& route) {
    route.group_by = parent.group_by;
    route.group_by_all = parent.group_by_all;
    if (raw.group_by.empty()) return;
    std::set<std::string> labels;
    route.group_by_all = false;
    for (const PlacedText& label : raw.group_by) {
      if (label.text == "...") {
        route.group_by_all = true;
        if (raw.group_by.size() > 1) label.at.error("'...' means all labels: no other one stands beside it");
      } else if (!is_label_name(label.text)) {
        label.at.error("is not a label's name");
      } else if (!labels.insert(label.text).second) {
        label.at.error(fmt::format("{} is there twice", label.text));
      }
    }
    route.group_by.assign(labels.begin(), labels.end());
  }

  void escalate(const RawRoute& raw, const Route& parent, Route& route) const {
    if (raw.escalate.empty()) route.escalations = parent.escalations;
    for (const RawEscalation& from : raw.escalate) {
      check_name(from.receiver, receivers_, "receiver");
      route.escalations.push_back({from.after, from.receiver.text});
    }
  }

  std::vector<std::string> names(const std::vector<PlacedText>& raw) const {
    std::vector<std::string> out;
    for (const PlacedText& name : raw) {
      check_name(name, calendars_, "time interval");
      out.push_back(name.text);
    }
    return out;
  }

  static void check_name(const PlacedText& name, const std::set<std::string>& known, std::string_view what) {
    if (!name.at || name.text.empty() || known.contains(name.text)) return;
    const std::string_view nearest = suggest(name.text, known);
    name.at.error(nearest.empty()
                      ? fmt::format("there is no {} {}", what, name.text)
                      : fmt::format("there is no {} {}; did you mean {}?", what, name.text, nearest));
  }

  std::set<std::string> receivers_;
  std::set<std::string> calendars_;
  std::map<std::string, int> seen_;
};

void add_calendars(const std::vector<RawCalendar>& raw, calendar::Zones& zones, Calendars& out) {
  for (const RawCalendar& from : raw) {
    if (!from.name.at) continue;
    if (from.name.text.empty()) from.name.at.error("must not be empty");
    calendar::Calendar made{from.name.text, {}};
    for (const RawTimeInterval& interval : from.intervals)
      made.intervals.push_back(read_time_interval(interval, zones));
    if (!out.emplace(from.name.text, std::move(made)).second)
      from.name.at.error(fmt::format("there are two time intervals called {}", from.name.text));
  }
}

std::vector<InhibitRule> inhibit_rules(const std::vector<RawInhibitRule>& raw) {
  std::vector<InhibitRule> out;
  for (const RawInhibitRule& from : raw) {
    InhibitRule rule;
    rule.name = from.name.empty() ? fmt::format("inhibit_rules[{}]", out.size()) : from.name;
    rule.source = read_matchers(from.source);
    rule.target = read_matchers(from.target);
    for (const PlacedText& label : from.equal) {
      if (!is_label_name(label.text)) label.at.error("is not a label's name");
      rule.equal.push_back(label.text);
    }
    out.push_back(std::move(rule));
  }
  return out;
}

/// Fills in the defaults; what no description of a single key sees.
std::set<std::string> complete_all(std::vector<Receiver>& receivers, const GlobalDefaults& global,
                                   config::Problems& problems) {
  std::set<std::string> names;
  for (Receiver& receiver : receivers) {
    if (!names.insert(receiver.name).second)
      problems.add(
          receiver.at.wrong("name", fmt::format("there are two receivers called {}", receiver.name)));
    problems.add(complete(receiver, global));
  }
  return names;
}

/// Where alerts are taken that this receiver is not told of: its routes, and steps of `escalate`.
std::vector<std::string> ways_to(const std::string& receiver, const Route& root) {
  std::vector<std::string> out;
  std::set<std::string> steps;
  root.walk([&](const Route& route) {
    if (route.receiver == receiver) out.push_back("route " + route.key);
    for (const Escalation& step : route.escalations) {
      // Routes below have it from above.
      const std::string after = format_duration(step.after);
      if (step.receiver == receiver && steps.insert(after).second)
        out.push_back(fmt::format("escalate after {} of route {}", after, route.key));
    }
  });
  return out;
}

/// Receivers of which every channel is of a kind that vigil has not. One that has none at all is meant so.
void warn_of_nobody(const config::Value& receivers, const Configuration& configuration) {
  if (configuration.receivers.empty()) return;  // the file may have no such key
  const std::vector<config::Value> items = receivers.items();
  for (std::size_t i = 0; i < items.size() && i < configuration.receivers.size(); ++i) {
    const auto keys = items[i].entries();
    const bool has_some = std::ranges::any_of(
        keys, [](const auto& entry) { return std::string_view(entry.first).ends_with("_configs"); });
    const Receiver& receiver = configuration.receivers[i];
    if (!has_some || has_channels(receiver)) continue;
    const auto ways = ways_to(receiver.name, configuration.root);
    if (!ways.empty())
      items[i].warn(fmt::format("has no channel vigil can use, so nobody is told of what comes by {}",
                                fmt::join(ways, ", ")));
  }
}

}  // namespace

Result<Configuration> read_configuration(std::string_view text, std::string name, calendar::Zones& zones) {
  auto document = config::Document::parse(text, std::move(name));
  if (!document) return document.error();
  RawFile raw;
  config::decode(document->root(), raw);
  config::Problems problems;
  Configuration out;
  out.receivers = std::move(raw.receivers);
  out.at = document->root();
  out.templates = std::move(raw.templates);
  auto receivers = complete_all(out.receivers, raw.global, problems);
  add_calendars(raw.mute_time_intervals, zones, out.calendars);
  add_calendars(raw.time_intervals, zones, out.calendars);
  if (raw.route) out.root = TreeMaker(std::move(receivers), out.calendars).root(*raw.route);
  out.inhibit_rules = inhibit_rules(raw.inhibit_rules);
  if (raw.route) warn_of_nobody(document->root().find("receivers"), out);
  problems.add(document->result());
  if (auto fine = problems.result(); !fine) return fine.error();
  out.warnings = document->warnings();
  return out;
}

}  // namespace vigil::routing
