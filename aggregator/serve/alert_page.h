// The page behind the link of a message: what one alert is about, without scripts, readable on a phone.
#pragma once

#include "aggregator/alerts/alert_service.h"
#include "aggregator/http/message.h"

#include <string>
#include <vector>

namespace vigil::aggregator {

/// `path` is "/alerts/ID"; "/alerts/" lists all. `now_ms`: Unix milliseconds, for how long ago things were.
/// 404 for an alert that is over for longer than they are kept.
http::Response alert_page(const std::string& path, const std::vector<alerts::AlertInfo>& alerts,
                          std::int64_t now_ms);

}  // namespace vigil::aggregator
