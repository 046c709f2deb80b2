// Gathers what checks.h judges. Changes nothing, here and at the aggregator.
#pragma once

#include "agent/config.h"
#include "agent/doctor/checks.h"
#include "common/delivery/channel.h"

#include <vector>

namespace vigil::agent {

KernelFacts look_at_kernel(const Roots& roots);
/// Each socket that the agent would follow, asked for its version. `service_user` is the unit's User=.
std::vector<RuntimeFacts> look_at_runtimes(const AgentConfig& config, const std::string& service_user);
/// Asks for Fleet's GetStatus, which tells the version and the time there.
AggregatorFacts ask_aggregator(const ChannelOptions& channel);

}  // namespace vigil::agent
