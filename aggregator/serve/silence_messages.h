// Silences as messages of vigil.v1.Fleet, and back.
#pragma once

#include "aggregator/silences/silence.h"
#include "common/error.h"
#include "vigil/v1/fleet.pb.h"

#include <cstdint>

namespace vigil::aggregator {

void put_silence(const silences::Silence& silence, std::int64_t now_ms, v1::Silence& out);

/// What a client wants set; not checked yet. Errc::parse names the matcher or the part of the recurrence that
/// is wrong, Errc::not_found a zone that is not on this machine.
Result<silences::Silence> silence_from(const v1::Silence& wanted, std::int64_t now_ms);

}  // namespace vigil::aggregator
