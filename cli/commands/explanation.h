// How `vigil alerts explain` looks: an alert, what happened to it, and how its rule stands.
#pragma once

#include "cli/commands/command.h"
#include "vigil/v1/fleet.pb.h"

#include <string>

namespace vigil::cli {

/// What happened to the alert, an event a row.
Listing events_listing(const v1::ExplainAlertResponse& explained, std::int64_t now_ms);

/// "node_load1 > 5 for 2m; clears when not (node_load1 > 3) for 1m"
std::string rule_text(const v1::RuleOutlook& rule);

/// For people all of it; in JSON one object of alert (null: there is none), events and rules; in CSV the
/// events, or, of a rule without an alert, its series.
void show_explanation(const Context& context, const v1::ExplainAlertResponse& explained);

}  // namespace vigil::cli
