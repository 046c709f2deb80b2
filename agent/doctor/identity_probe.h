// Gathers what identity_checks.h judges. Changes nothing, here and at the aggregator.
#pragma once

#include "agent/config.h"
#include "agent/doctor/identity_checks.h"
#include "common/delivery/channel.h"

#include <string>

namespace vigil::agent {

/// Of the identity the agent would use; what the aggregator says of it is left empty.
IdentityFacts look_at_identity(const AgentConfig& config);

/// Why the aggregator takes this host's certificate no more: asked for a renewal with a request that is none,
/// it looks at the certificate first. "": it counts, or nobody said that it does not.
std::string ask_whether_it_counts(const ChannelOptions& channel);

}  // namespace vigil::agent
