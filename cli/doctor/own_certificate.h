// The certificate by which the aggregator knows who asks: whether it ends soon, and what makes another.
#pragma once

#include "cli/client/client.h"

#include <cstdint>
#include <string>

namespace vigil::cli {

/// In words, with the command where an aggregator's own authority made it.
std::string how_to_renew(const ClientOptions& options);

/// A sentence when less than seven days are left, or a third of a life that is shorter than three weeks; ""
/// where there is none, or it is not to be worried about. One that is over is told by the call that fails.
std::string warn_of_end(const ClientOptions& options, std::int64_t now_ms);

}  // namespace vigil::cli
