#include "aggregator/fleet/fleet_rows.h"

#include <cmath>

namespace vigil::aggregator {

SourceKey fleet_source() {
  return {"vigil", 1000};
}

const std::vector<FleetSeries>& fleet_series() {
  static const std::vector<FleetSeries> series = [] {
    std::vector<FleetSeries> all;
    all.push_back({{"node", 1000}, {"up", {}, SeriesType::gauge, Encoding::decimal, 0}});
    for (const HostState state : kHostStates) {
      const Labels labels{{"state", std::string(to_string(state))}};
      all.push_back({fleet_source(), {"vigil_host_state", labels, SeriesType::gauge, Encoding::decimal, 0}});
    }
    all.push_back(
        {fleet_source(), {"vigil_host_clock_skew_seconds", {}, SeriesType::gauge, Encoding::decimal, 3}});
    all.push_back({fleet_source(),
                   {"vigil_host_last_sample_age_seconds", {}, SeriesType::gauge, Encoding::decimal, 3}});
    all.push_back({fleet_source(), {"vigil_host_connected", {}, SeriesType::gauge, Encoding::decimal, 0}});
    return all;
  }();
  return series;
}

std::array<std::int64_t, kFleetColumns> fleet_values(const FleetRow& row) {
  std::array<std::int64_t, kFleetColumns> values{};
  values[0] = row.verdict ? (row.state == HostState::down ? 0 : 1) : kAbsent;
  for (std::size_t i = 0; i < std::size(kHostStates); ++i)
    values[1 + i] = kHostStates[i] == row.state ? 1 : 0;
  values[5] = std::llround(row.clock_skew_seconds * 1000);
  values[6] = row.age_ms;
  values[7] = row.connected ? 1 : 0;
  return values;
}

}  // namespace vigil::aggregator
