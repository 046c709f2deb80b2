// Whether an invited host can use the address it is told. Pure.
#pragma once

#include "common/error.h"

#include <string>
#include <vector>

namespace vigil::cli {

/// Whether `address` is host or host:port and nothing else: it goes into a line that root runs.
/// Errc::invalid_argument.
Result<void> check_address(const std::string& address);

/// What is probably wrong with `address`, which may be what somebody gave, and what would be right; "":
/// nothing. `certified`: names and addresses of the aggregator's certificate; empty: they are not known.
std::string doubt_about(const std::string& address, const std::vector<std::string>& certified);

}  // namespace vigil::cli
