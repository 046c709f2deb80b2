// A password as people give it: typed without being shown, or in a file; never on the command line, where
// everybody on the machine reads it.
#pragma once

#include "common/error.h"

#include <string>

namespace vigil::cli {

/// From the terminal, twice; from `file` where it is not empty, "-" being standard input. Errors say what is
/// wrong with it.
Result<std::string> ask_password(const std::string& name, const std::string& file);

}  // namespace vigil::cli
