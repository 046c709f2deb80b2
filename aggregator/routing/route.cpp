#include "aggregator/routing/route.h"

#include <algorithm>

namespace vigil::routing {

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
  return fmt::format("{}:{}", key, group_labels.to_string());
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

std::vector<Destination> destinations(const Route& root, const Calendars& calendars, const Labels& labels,
                                      calendar::sys_seconds t) {
  std::vector<Destination> out;
  for (const Route* route : root.match(labels)) {
    Destination& to = out.emplace_back();
    to.route = route;
    to.group_labels = route->group_labels(labels);
    to.group_key = route->group_key(to.group_labels);
    to.mute = mute_of(*route, calendars, t);
  }
  return out;
}

}  // namespace vigil::routing
