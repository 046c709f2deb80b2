// An alert as meta.db has it, while it is pending or fires, and in the history.
#pragma once

#include "aggregator/alerts/alert.h"
#include "common/error.h"

#include <string>
#include <string_view>

namespace vigil::alerts {

/// All of it but what the row's other columns say: rule, scope, fingerprint and state.
std::string encode(const Alert& alert);
/// Errc::parse.
Result<Alert> decode_alert(std::string_view json);

}  // namespace vigil::alerts
