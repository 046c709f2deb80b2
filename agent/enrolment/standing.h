// What the aggregator thinks of this host. Changes nothing, here and there.
#pragma once

#include "common/delivery/channel.h"

#include <string>

namespace vigil::agent {

/// Why the aggregator would not let this host deliver as `name`, as it says it; "": it would, or nobody said
/// within seconds that it would not.
std::string why_refused(const ChannelOptions& channel, const std::string& name);

}  // namespace vigil::agent
