// Zone files: any bytes give a zone or an error, and what is a zone answers at any time.
#include "aggregator/calendar/time_interval.h"
#include "aggregator/calendar/tzif.h"

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace {

using namespace vigil::calendar;

constexpr std::int64_t kTimes[] = {-10'000'000'000, -1'000'000'000, 0, 1'774'746'000, 1'792'890'000,
                                   4'000'000'000,   200'000'000'000};

void ask(const ZonePtr& zone, sys_seconds t) {
  const local_seconds local = zone->to_local(t);
  const sys_seconds back = zone->to_utc(local);
  // The same time on the wall, and not later: that one, or the first of two.
  if (back > t || zone->to_local(back) != local) std::abort();
  if (const auto next = zone->next_change(t); next && *next <= t) std::abort();
  TimeInterval interval;
  interval.times = {{0, 90}};
  interval.zone = zone;
  static_cast<void>(interval.contains(t));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto parsed = parse_tzif({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!parsed) return 0;
  const auto zone = std::make_shared<const Zone>(std::move(*parsed));
  for (const std::int64_t t : kTimes) ask(zone, sys_seconds(seconds(t)));
  sys_seconds t{seconds(0)};
  for (int i = 0; i < 20; ++i) {
    const auto next = zone->next_change(t);
    if (!next) break;
    ask(zone, *next - seconds(1));
    ask(zone, t = *next);
  }
  return 0;
}
