// What the aggregator itself says about a host, as ordinary series: written each second, stored and queried
// like any other.
//
//   up{job="node"}                        1 while rows come, 0 when the host is down; ends when it left
//   vigil_host_state{state="late"}        1 for the state it is in, 0 for the others
//   vigil_host_connected                  1 while its agent's stream is open
//   vigil_host_clock_skew_seconds         positive: the agent's clock is ahead
//   vigil_host_last_sample_age_seconds    since rows last arrived
#pragma once

#include "aggregator/fleet/host_state.h"
#include "aggregator/store/records.h"
#include "common/series.h"

#include <array>
#include <cstdint>
#include <vector>

namespace vigil::aggregator {

inline constexpr std::uint32_t kFleetSource = 0;  // agents number theirs from 1
inline constexpr std::size_t kFleetColumns = 8;

/// The source they are stored under.
SourceKey fleet_source();

struct FleetSeries {
  SourceKey source;  // `up` belongs to the job it is about, as with Prometheus
  SeriesSpec spec;
};
/// In column order.
const std::vector<FleetSeries>& fleet_series();

struct FleetRow {
  HostState state = HostState::late;
  bool verdict = false;  // see has_verdict()
  double clock_skew_seconds = 0;
  std::int64_t age_ms = 0;
  bool connected = false;
};
std::array<std::int64_t, kFleetColumns> fleet_values(const FleetRow& row);

}  // namespace vigil::aggregator
