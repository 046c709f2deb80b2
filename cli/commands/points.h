// What an expression gave, as rows.
#pragma once

#include "cli/output/listing.h"
#include "vigil/v1/query.pb.h"

namespace vigil::cli {

/// Beside the series as one text: its labels one by one, so that nobody has to parse that.
inline const Column kMetricColumn{"metric", "", Align::left, Fit::whole, Programs::json};

/// series, metric, time_ms, value.
Listing points_listing(const v1::QueryResult& result);
/// Warnings are for people: on standard error, so that they never end up in a script's data.
void show_annotations(const v1::QueryResult& result);

}  // namespace vigil::cli
