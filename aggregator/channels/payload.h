// Alertmanager's own JSON, version 4 of it: what programs written for its webhooks read.
#pragma once

#include "aggregator/channels/words.h"

#include <boost/json/object.hpp>
#include <cstddef>
#include <cstdint>
#include <string>

namespace vigil::channels {

/// "2026-11-21T14:00:05Z"
std::string rfc3339(std::int64_t t_ms);

/// Alerts past `max_alerts` are left out and counted; 0: all are there.
boost::json::object payload_v4(const Told& told, const std::string& external_url, std::size_t max_alerts);

}  // namespace vigil::channels
