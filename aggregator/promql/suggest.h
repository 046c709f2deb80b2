// What to say to somebody who named a function that is not there. Internal to the parser.
#pragma once

#include <string>
#include <string_view>

namespace vigil::promql {

/// "; did you mean rate()?" or why it is missing; empty when nothing comes close.
std::string suggest_function(std::string_view name);

}  // namespace vigil::promql
