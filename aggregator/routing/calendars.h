// From `time_intervals` as written to calendars.
#pragma once

#include "aggregator/calendar/zones.h"
#include "aggregator/routing/raw_file.h"
#include "aggregator/routing/route.h"

namespace vigil::routing {

/// Mistakes become errors of the document.
calendar::TimeInterval read_time_interval(const RawTimeInterval& raw, calendar::Zones& zones);

}  // namespace vigil::routing
