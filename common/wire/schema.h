// A source's columns <-> vigil.v1.Schema. Reading checks every limit of proto/vigil/v1/ingest.proto: what
// comes out is safe to store.
#pragma once

#include "common/error.h"
#include "common/series.h"
#include "vigil/v1/ingest.pb.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace vigil::wire {

inline constexpr std::uint32_t kMaxSourceId = 1000;
inline constexpr std::size_t kMaxSeriesPerSource = 5000;
inline constexpr std::size_t kMaxLabelsPerSeries = 32;
inline constexpr std::size_t kMaxSchemaTextBytes =
    4 << 20;  // names and labels written out: symbols can be named again and again
inline constexpr std::uint32_t kMaxIntervalMs = 86'400'000;

/// The columns of one source: series sampled together.
struct SourceSchema {
  std::uint32_t source_id = 0;  // 1 to kMaxSourceId
  std::uint32_t version = 0;    // from 1, grows by one with each change
  std::string job;
  std::uint32_t interval_ms = 0;
  std::vector<SeriesSpec> series;
};

/// `schema` must be clean, see clean().
void to_wire(const SourceSchema& schema, v1::Schema& out);

/// Errors: Errc::parse (bad names, indices, duplicates), Errc::limit.
Result<SourceSchema> from_wire(const v1::Schema& schema);

/// How many of the first `series` fit into one message, whose sizes kMaxMessageBytes and kMaxSchemaTextBytes
/// bound.
std::size_t count_that_fit(const std::vector<SeriesSpec>& series);

/// Makes series fit the limits, whatever /proc put into their labels: invalid UTF-8 and overlong texts are
/// mended, and a series that would then be another's double gets the label vigil_duplicate="2". Columns keep
/// their places.
void clean(std::vector<SeriesSpec>& series);

}  // namespace vigil::wire
