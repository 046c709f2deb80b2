// Files of /usr/share/zoneinfo: TZif of version 1 to 4, as RFC 9636 has it.
#pragma once

#include "aggregator/calendar/zone.h"
#include "common/error.h"

#include <string>
#include <string_view>

namespace vigil::calendar {

/// Reads the bytes of a whole file; `name` is the zone's name and stands in messages. Errc::corrupt when they
/// are no TZif file, or one that contradicts itself.
Result<Zone> parse_tzif(std::string_view bytes, std::string name);

}  // namespace vigil::calendar
