// One look at everything, as text: `vigil-agent --once`.
#pragma once

#include "agent/config.h"

#include <string>

namespace vigil::agent {

/// Runs every collector once, waits for those that run apart up to their deadline, and gives the Prometheus
/// text exposition.
std::string collect_once(const AgentConfig& config);

}  // namespace vigil::agent
