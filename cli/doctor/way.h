// The way from here to the aggregator, looked at: for `vigil doctor`, and for a call that nobody answers, of
// which gRPC says no more than that.
#pragma once

#include "cli/client/client.h"
#include "common/doctor/finding.h"

#include <chrono>
#include <optional>

namespace vigil::cli {

/// Of the certificates that are shown and believed, and of the port. One connection, or none to a socket.
doctor::Findings look_at_way(const ClientOptions& options, std::chrono::milliseconds patience);

/// What keeps a call from its aggregator until somebody mends it. Nothing: it is reached now, or nobody
/// answers, which may be an aggregator that starts just now.
std::optional<doctor::Finding> find_lasting_trouble(const ClientOptions& options,
                                                    std::chrono::milliseconds patience);

}  // namespace vigil::cli
