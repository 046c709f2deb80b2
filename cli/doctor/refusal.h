// An aggregator that is reached, and does not answer what the doctor asks: why, and what would mend it.
#pragma once

#include "cli/client/client.h"
#include "common/doctor/finding.h"

#include <optional>

namespace vigil::cli {

/// `who`: whom the aggregator takes us for. Nothing: it does not say, since what was shown counts for
/// nothing.
doctor::Finding check_refusal(const Error& refused, const ClientOptions& options,
                              const std::optional<v1::WhoAmIResponse>& who);

}  // namespace vigil::cli
