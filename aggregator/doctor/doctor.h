// `vigil-aggregator doctor`: what keeps this aggregator from its work, and what would mend it. Whether it
// runs or not.
#pragma once

#include "aggregator/flags.h"
#include "common/doctor/checks.h"

#include <string>

namespace vigil::aggregator {

/// Prints the findings on standard output. 0: no problem among them; 1.
int run_doctor(const Invocation& invocation);

/// What a running aggregator answers at /readyz, "" when there is none.
doctor::Finding check_ready(const std::string& about, const std::string& answer);

/// Plain text beyond this machine.
doctor::Findings check_exposure(const AggregatorConfig& config, bool has_authority = false);

}  // namespace vigil::aggregator
