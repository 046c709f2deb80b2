// The file of meta.db when it is not what an earlier run left: missing, empty, or unreadable. Who watches a
// fleet must not stay down for it: alerts that still hold come again by their rules, and history needs
// nothing of this file. So a new one is begun, and what is lost is said.
#pragma once

#include "common/error.h"

#include <string>

namespace vigil::alerts {

/// What is lost where meta.db is missing or empty although an aggregator ran before, as a sentence; "":
/// nothing.
std::string loss_without(const std::string& path);

/// Renames it to meta.db.damaged, with its log, for whoever wants to look at it; the latest one only. Gives
/// what is lost.
Result<std::string> set_aside(const std::string& path);

}  // namespace vigil::alerts
