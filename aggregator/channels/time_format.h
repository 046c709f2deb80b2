// Times as Go's time package writes them: a layout is the text that its reference time, Monday, January 2nd
// 2006, 15:04:05 in a zone seven hours behind UTC, would be.
#pragma once

#include "aggregator/calendar/zone.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::channels {

/// What Go calls the zero time, the beginning of the year 1: the end of what has not ended.
inline constexpr std::int64_t kZeroTimeMs = -62'135'596'800'000;

inline constexpr std::string_view kRfc3339 = "2006-01-02T15:04:05.999999999Z07:00";

/// Of the zone's name only "UTC" is known; another is written as its offset, "+02".
std::string format_time(std::string_view layout, std::int64_t t_ms, const calendar::Zone& zone);

}  // namespace vigil::channels
