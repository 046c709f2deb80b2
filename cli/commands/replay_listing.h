// What a replay of rules is shown as.
#pragma once

#include "cli/output/listing.h"
#include "vigil/v1/rules.pb.h"

namespace vigil::cli {

/// A row for each rule of the files and for each in force that none of them takes the place of. Alerts are
/// the same when all their labels are; where they are is said by what tells them apart.
Listing replayed_rules_listing(const v1::ReplayResult& result);

/// A row for each label set of each rule.
Listing replayed_alerts_listing(const v1::ReplayResult& result);

}  // namespace vigil::cli
