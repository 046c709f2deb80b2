// How silences and maintenances look in tables, JSON and CSV.
#pragma once

#include "cli/output/listing.h"
#include "vigil/v1/fleet.pb.h"

#include <string>
#include <vector>

namespace vigil::cli {

/// A maintenance is a silence that people are told of: each command speaks of its own.
enum class SilenceKind : std::uint8_t { silence, maintenance };
SilenceKind kind_of(const v1::Silence& silence);
/// "silence", "maintenance": in JSON, too.
std::string_view to_string(SilenceKind kind);

/// Both kinds, as `vigil silence` has them.
Listing silences_listing(const std::vector<v1::Silence>& silences);
/// Maintenances with their plans; others are left out.
Listing maintenances_listing(const std::vector<v1::Silence>& silences);
Listing listing_of(SilenceKind kind, const std::vector<v1::Silence>& silences);

/// `alertname="HostDown" instance="web-1"`
std::string matchers_text(const v1::Silence& silence);
/// "2h from 22:00 Europe/Berlin, FREQ=WEEKLY;BYDAY=TU"; "" of one that comes once.
std::string times_text(const v1::Silence& silence);

}  // namespace vigil::cli
