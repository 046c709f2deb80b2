// Gathers what identity_checks.h judges. Changes nothing, here and at the aggregator.
#pragma once

#include "agent/config.h"
#include "agent/doctor/identity_checks.h"
#include "common/delivery/channel.h"
#include "common/doctor/peer.h"

#include <chrono>

namespace vigil::agent {

/// Of the identity the agent would use; what the aggregator says of it is left empty.
IdentityFacts look_at_identity(const AgentConfig& config);

/// The aggregator of this channel, whose address was checked before.
doctor::PeerOptions peer_of(const ChannelOptions& channel, std::chrono::milliseconds patience);

}  // namespace vigil::agent
