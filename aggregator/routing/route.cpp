#include "aggregator/routing/route.h"

#include <algorithm>

namespace vigil::routing {
namespace {

/// Control characters as Go's %q writes them, which Alertmanager puts its keys together with. Quotation
/// marks, backslashes and line feeds are escaped already.
std::string with_escaped_controls(std::string_view text) {
  constexpr std::string_view kNamed = "\a\b\t\n\v\f\r";
  constexpr std::string_view kNames = "abtnvfr";
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    if (const std::size_t at = kNamed.find(text[i]); at != std::string_view::npos) {
      out += {'\\', kNames[at]};
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {  // U+0080 to U+009F
      out += fmt::format("\\u{:04x}", next);
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

std::vector<const Route*> Route::match(const Labels& labels) const {
  std::vector<const Route*> all;
  if (!matchers::matches(matchers, labels)) return all;
  for (const Route& child : routes) {
    const auto below = child.match(labels);
    all.insert(all.end(), below.begin(), below.end());
    if (!below.empty() && !child.continues) break;
  }
  if (all.empty()) all.push_back(this);
  return all;
}

void Route::walk(const std::function<void(const Route&)>& visit) const {
  visit(*this);
  for (const Route& child : routes) child.walk(visit);
}

Labels Route::group_labels(const Labels& labels) const {
  if (group_by_all) return labels;
  Labels group;
  for (const std::string& name : group_by) group.set(name, labels.get(name));
  return group;
}

std::string Route::group_key(const Labels& group_labels) const {
  return with_escaped_controls(fmt::format("{}:{}", key, group_labels.to_string()));
}

std::string_view to_string(Muting muting) {
  switch (muting) {
    case Muting::none:
      return "none";
    case Muting::muted:
      return "muted";
    case Muting::inactive:
      break;
  }
  return "inactive";
}

Mute mute_of(const Route& route, const Calendars& calendars, calendar::sys_seconds t) {
  const auto is_now = [&](const std::string& name) {
    const auto found = calendars.find(name);
    return found != calendars.end() && found->second.contains(t);
  };
  for (const std::string& name : route.mute_calendars) {
    if (is_now(name)) return {Muting::muted, name};
  }
  const auto& active = route.active_calendars;
  if (!active.empty() && std::none_of(active.begin(), active.end(), is_now)) return {Muting::inactive, ""};
  return {};
}

MuteEnd end_of_mute(const Route& route, const Calendars& calendars, calendar::sys_seconds t) {
  constexpr std::chrono::days kFar(366);
  constexpr std::size_t kMostLooks = 50'000;
  const auto today = std::chrono::floor<std::chrono::days>(t);
  std::vector<calendar::sys_seconds> edges;
  std::size_t looks = 0;
  for (auto day = today; day <= today + kFar; day += std::chrono::days(1)) {
    edges.clear();
    for (const auto* names : {&route.mute_calendars, &route.active_calendars}) {
      for (const std::string& name : *names) {
        const auto found = calendars.find(name);
        if (found != calendars.end()) found->second.add_edges(day, edges);
      }
    }
    std::sort(edges.begin(), edges.end());
    edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
    for (const calendar::sys_seconds edge : edges) {
      if (edge <= t || edge >= day + std::chrono::days(1)) continue;
      if (++looks > kMostLooks) return {edge, false};
      if (!mute_of(route, calendars, edge)) return {edge, true};
    }
  }
  return {t + kFar, false};
}

namespace {

/// Of the calendar that mutes, or of the first one that could be active.
calendar::ZonePtr zone_of(const Mute& mute, const Route& route, const Calendars& calendars) {
  const std::string& name = mute.muting == Muting::muted ? mute.calendar : route.active_calendars.front();
  const auto found = calendars.find(name);
  return found == calendars.end() || found->second.intervals.empty() ? calendar::utc()
                                                                     : found->second.intervals.front().zone;
}

std::string minute_text(calendar::sys_seconds t, const calendar::Zone& zone) {
  const auto local = zone.to_local(t);
  const auto day = std::chrono::floor<std::chrono::days>(local);
  const std::chrono::year_month_day date(day);
  const auto minute = std::chrono::floor<std::chrono::minutes>(local - day).count();
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} {}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), minute / 60,
                     minute % 60, zone.name());
}

}  // namespace

std::string mute_text(const Route& route, const Calendars& calendars, calendar::sys_seconds t,
                      const MuteEnd& end) {
  const Mute mute = mute_of(route, calendars, t);
  if (!mute) return {};
  const std::string what =
      mute.muting == Muting::muted ? "muted by " + mute.calendar : "outside its active times";
  if (!end.is_known && end.at - t > std::chrono::days(365)) return what + " for more than a year";
  return fmt::format("{} {} {}", what, end.is_known ? "until" : "at least until",
                     minute_text(end.at, *zone_of(mute, route, calendars)));
}

}  // namespace vigil::routing
