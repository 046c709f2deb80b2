// The program vigil-aggregator, for what runs without an aggregator that is up: benchmarks start one of their
// own, and rule files are checked by it.
#pragma once

#include "common/error.h"

#include <string>
#include <vector>

namespace vigil::cli {

/// Its path: beside this program, else in PATH. Errc::not_found.
Result<std::string> find_aggregator_program();

/// Becomes `vigil-aggregator ARGUMENTS...`: returns only when that fails.
Error become_aggregator_program(const std::vector<std::string>& arguments);

}  // namespace vigil::cli
