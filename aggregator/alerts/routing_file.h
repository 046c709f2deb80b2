// alertmanager.yml as the running aggregator uses it: read, understood, and its channels made ready.
#pragma once

#include "aggregator/alerts/grouping.h"
#include "aggregator/notify/config.h"
#include "aggregator/notify/endpoint.h"
#include "common/error.h"

#include <string>
#include <vector>

namespace vigil::alerts {

struct LoadedRouting {
  RoutingPtr routing;  // null: the configuration names no file
  std::vector<notify::Endpoint> endpoints;
  std::vector<std::string> warnings;
};

/// Errors name file, line and key, all of them at once. `external_url` is the dashboard's; "" for no links.
Result<LoadedRouting> load_routing(const notify::NotificationsConfig& config,
                                   const std::string& external_url);

}  // namespace vigil::alerts
