// How figures of hosts and containers look in tables: the same in `hosts`, `containers` and `top`.
#pragma once

#include "cli/client/client.h"
#include "cli/output/listing.h"
#include "vigil/v1/fleet.pb.h"

#include <algorithm>
#include <optional>
#include <string>

namespace vigil::cli {

/// Of a map of the protocol, by name.
template <class Map>
Object object_of(const Map& map) {
  Object object(map.begin(), map.end());
  std::sort(object.begin(), object.end());
  return object;
}

/// A time of the protocol, where 0 means never.
Cell time_cell(std::int64_t t_ms);
/// The same where people read it: "2026-11-21 14:00:05".
Cell when_cell(std::int64_t t_ms);
/// "42 %", yellow from `warning`, red from `critical`.
Cell ratio_cell(std::optional<double> ratio, double warning, double critical);
Cell bytes_cell(std::optional<double> bytes);
Cell rate_cell(std::optional<double> bytes_per_second);
Cell decimal_cell(std::optional<double> value, int decimals);

std::string_view to_text(v1::Host::State state);
Style style_of(v1::Host::State state);
/// Running and healthy is green, unhealthy or dead red, the rest yellow.
Style style_of(const v1::Container& container);
Style severity_style(std::string_view severity);

/// `asked`: how the aggregator was reached, which says how hosts get in where there is none yet.
Listing hosts_listing(const v1::ListHostsResponse& hosts, std::int64_t now_ms, const ClientOptions& asked);
Listing containers_listing(const v1::ListContainersResponse& containers, std::int64_t now_ms);
Listing alerts_listing(const v1::ListAlertsResponse& alerts, std::int64_t now_ms);
/// For programs the problems are one value, for people a row each.
Listing status_listing(const v1::Status& status, Format format);

}  // namespace vigil::cli
