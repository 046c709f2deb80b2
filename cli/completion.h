// Shell completion for `vigil`, generated from the declared commands and flags, so that it cannot fall behind
// them.
#pragma once

#include "common/error.h"

#include <CLI/CLI.hpp>
#include <string>

namespace vigil::cli {

/// A script for "bash", "zsh" or "fish".
Result<std::string> completion_script(const CLI::App& app, const std::string& shell);

}  // namespace vigil::cli
