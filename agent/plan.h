// Which collectors run, and how often: the table under the configuration.
#pragma once

#include "agent/config.h"
#include "agent/sampling/runner.h"

#include <string>
#include <vector>

namespace vigil::agent {

/// Intervals are rounded up to multiples of the beat.
std::vector<PlannedCollector> plan_collectors(const AgentConfig& config);

/// A line for each collector there is: its name and what it reads.
std::string collector_list();

}  // namespace vigil::agent
