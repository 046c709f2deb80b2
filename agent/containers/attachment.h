// From a known container to the files its numbers are read from.
#pragma once

#include "agent/containers/sources.h"
#include "agent/containers/usage.h"

#include <optional>

namespace vigil::agent {

/// Finds the container's cgroup: where the scan saw it, else by its process, else by its name; and its
/// network, if it has one of its own. Nothing when it has no cgroup (any more).
std::optional<UsageReader> attach(const KnownContainer& known, const CgroupMounts& mounts,
                                  const std::string& procfs);

}  // namespace vigil::agent
