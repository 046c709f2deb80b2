// Silences as stored. Matchers, zone and recurrence stand there as people write them.
#pragma once

#include "aggregator/calendar/zones.h"
#include "aggregator/silences/silence.h"

#include <string>
#include <string_view>

namespace vigil::silences {

std::string encode(const Silence& silence);
/// Errc::parse on what encode() does not write; Errc::not_found when its zone is not on this machine any
/// more.
Result<Silence> decode_silence(std::string_view json, calendar::Zones& zones);

}  // namespace vigil::silences
