#include "aggregator/serve/route_messages.h"

#include "aggregator/routing/route.h"

#include <chrono>

namespace vigil::aggregator {
namespace {

struct Now {
  const routing::Calendars& calendars;
  const routing::Channels& channels;
  calendar::sys_seconds t;
};

void put_muting(const routing::Route& route, const Now& now, v1::Route& out) {
  const routing::Mute mute = mute_of(route, now.calendars, now.t);
  out.set_muting(std::string(routing::to_string(mute.muting)));
  if (!mute) return;
  const routing::MuteEnd end = end_of_mute(route, now.calendars, now.t);
  out.set_muted_by(mute.calendar);
  out.set_muted_text(mute_text(route, now.calendars, now.t, end));
  if (end.is_known) out.set_muted_until_ms(std::chrono::milliseconds(end.at.time_since_epoch()).count());
}

/// What no calendar ends.
void put_reach(const routing::Route& route, const Now& now, v1::Route& out) {
  switch (reach_of(route.receiver, now.channels)) {
    case routing::Reach::nobody:
      return out.set_muted_text(routing::nobody_text(route.receiver));
    case routing::Reach::critical_only:
      return out.set_muted_text(fmt::format("{}{}", out.muted_text().empty() ? "" : out.muted_text() + "; ",
                                            "takes critical alerts only"));
    case routing::Reach::all:
      return;
  }
}

void put_route(const routing::Route& route, std::uint32_t depth, const Now& now,
               v1::ListRoutesResponse& all) {
  v1::Route& out = *all.add_routes();
  out.set_depth(depth);
  for (const auto& matcher : route.matchers) out.add_matchers(matchers::to_string(matcher));
  out.set_receiver(route.receiver);
  out.set_continues(route.continues);
  if (route.group_by_all) out.add_group_by("...");
  for (const std::string& label : route.group_by) out.add_group_by(label);
  for (const std::string& name : route.mute_calendars) out.add_mute_time_intervals(name);
  for (const std::string& name : route.active_calendars) out.add_active_time_intervals(name);
  put_muting(route, now, out);
  put_reach(route, now, out);
  for (const routing::Route& child : route.routes) put_route(child, depth + 1, now, all);
}

}  // namespace

void put_routes(const routing::Configuration& configuration, const routing::Channels& channels,
                std::int64_t now_ms, v1::ListRoutesResponse& out) {
  const auto now = std::chrono::floor<std::chrono::seconds>(
      std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(now_ms)));
  put_route(configuration.root, 0, {configuration.calendars, channels, now}, out);
}

}  // namespace vigil::aggregator
