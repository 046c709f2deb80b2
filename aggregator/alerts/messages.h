// From an alert to what is told about it.
#pragma once

#include "aggregator/alerts/alert_book.h"
#include "aggregator/notify/notification.h"

#include <string_view>

namespace vigil::alerts {

/// `external_url` is the dashboard's; "" for no link.
notify::Notification to_notification(const Alert& alert, notify::Kind kind, std::string_view external_url);

/// Of one that fires: its texts are of the same moment as its value.
notify::Notification firing_now(const AlertBook& book, const Alert& alert, std::string_view external_url);

/// What everybody is to read of an alert besides its summary: "SUMMARY (text)", unless it ends with that.
void append_to_summary(Labels& annotations, std::string_view text);

/// Of an alert that fires on and has stopped flapping. In this message alone: later ones need not say it.
void say_calm(notify::Notification& note);

}  // namespace vigil::alerts
