// Routes of alertmanager.yml as messages of vigil.v1.Fleet.
#pragma once

#include "aggregator/routing/configuration.h"
#include "aggregator/routing/group_book.h"
#include "vigil/v1/fleet.pb.h"

#include <cstdint>

namespace vigil::aggregator {

/// All routes, each before those below it, with what calendars say of them now, and which lead to nobody.
void put_routes(const routing::Configuration& configuration, const routing::Channels& channels,
                std::int64_t now_ms, v1::ListRoutesResponse& out);

}  // namespace vigil::aggregator
