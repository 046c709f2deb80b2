// From a request's series to writes of hosts: which series are sound, and which host each belongs to. Pure.
//
// A series belongs to the host that its label `instance` names, else `host` (as Telegraf has it), else `job`;
// all others are one host. That is only where it is kept: its labels stay exactly as they were sent, and two
// senders of one series meet at one place.
#pragma once

#include "aggregator/ingest/local_writer.h"
#include "aggregator/remote_write/request.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace vigil::aggregator::remote_write {

struct LabelLimits {
  std::size_t max_name_bytes = 256;
  std::size_t max_value_bytes = 2048;
};

struct Routed {
  std::vector<LocalWrite> writes;  // one for each host
  std::uint64_t invalid = 0;       // samples of series that are not sound
  std::string problem;             // of the first of them
};

/// The type of a family; unknown when nobody told.
using FamilyType = std::function<SeriesType(std::string_view name)>;

Routed route(const Request& request, const LabelLimits& limits, const FamilyType& type_of);

/// What a series is when nobody says: counters have names that say so.
SeriesType type_by_name(std::string_view name);
SeriesType to_series_type(MetricType type, std::string_view name);

}  // namespace vigil::aggregator::remote_write
