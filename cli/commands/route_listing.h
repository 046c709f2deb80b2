// How routes of alertmanager.yml look in tables, JSON and CSV.
#pragma once

#include "cli/output/listing.h"
#include "vigil/v1/fleet.pb.h"

namespace vigil::cli {

Listing routes_listing(const v1::ListRoutesResponse& routes);

}  // namespace vigil::cli
