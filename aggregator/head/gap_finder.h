// The times for which samples of hosts are missing, told apart: what was declared (History::gaps()), and what
// is found by looking (silence.h): while nothing came the agent was down, or the aggregator, or a collector
// was blocked.
#pragma once

#include "aggregator/head/fleet_view.h"
#include "aggregator/head/silence.h"

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::aggregator {

/// Reasons of gaps that are found by looking.
inline constexpr std::string_view kAgentDown = "agent_down";
inline constexpr std::string_view kAggregatorDown = "aggregator_down";
inline constexpr std::string_view kCollectorBlocked = "collector_blocked";

class GapFinder {
 public:
  GapFinder(FleetView& view, History* history, const GapQuery& query);

  /// Errors as FleetStorage::select(); Errc::timeout when cancelled.
  Result<HostGaps> find(std::span<const HostInfo> hosts);

 private:
  Result<void> add_declared(std::span<const HostInfo> hosts);
  void plan(std::span<const HostInfo> hosts);
  Result<std::vector<promql::Matcher>> beat_matchers() const;
  Result<void> find_samplers();
  Result<void> look(std::span<const HostInfo> hosts);
  Result<void> read_traces();
  void tell(const HostInfo& host, const Traces& traces);
  void tell_silence(const HostInfo& host, const Span& span, std::int64_t least_ms);

  FleetView& view_;
  History* const history_;  // may be null
  const GapQuery& query_;
  HostGaps found_;
  std::map<std::string, Spans, std::less<>> declared_;  // by host
  std::map<std::string, Traces, std::less<>> traces_;   // by host
  std::set<HostId> samplers_;
  Spans aggregator_down_;
  std::int64_t from_ms_ = 0;
  std::int64_t window_ms_ = 0;
};

}  // namespace vigil::aggregator
