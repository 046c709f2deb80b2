// From an alert to what is told about it.
#pragma once

#include "aggregator/alerts/alert.h"
#include "aggregator/notify/notification.h"

#include <string_view>

namespace vigil::alerts {

/// `external_url` is the dashboard's; "" for no link.
notify::Notification to_notification(const Alert& alert, notify::Kind kind, std::string_view external_url);

}  // namespace vigil::alerts
