// The route targets: to Prometheus's users an agent is a target, though nobody scrapes it.
#pragma once

#include "aggregator/api/desk.h"
#include "aggregator/api/sources.h"

namespace vigil::aggregator::api {

/// Hosts that are expected are active targets, those that left are dropped ones.
http::Response targets_answer(const Errand& errand, const ApiSources& sources);
http::Response scrape_pools_answer();

}  // namespace vigil::aggregator::api
