// The figures one sees at a glance, asked of the query engine like any user would: so they mean exactly what
// the same PromQL means elsewhere, and need no metric to be known outside this list.
#pragma once

#include "aggregator/serve/query_engine.h"
#include "vigil/v1/fleet.pb.h"

namespace vigil::aggregator {

/// Sets cpu_busy_ratio and its like on each host of `hosts` for which there are fresh samples.
Result<void> add_host_figures(const QueryEngine& engine, std::int64_t now_ms, v1::ListHostsResponse& hosts);

/// All containers of all hosts, or of `host`, by host and name.
Result<void> list_containers(const QueryEngine& engine, std::int64_t now_ms, const std::string& host,
                             v1::ListContainersResponse& out);

}  // namespace vigil::aggregator
