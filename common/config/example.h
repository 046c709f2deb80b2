// A configuration file with every key in it, switched off: what packages install below /etc. It is made from
// the same description as the reference, so that it cannot fall behind the program.
#pragma once

#include "common/config/fields.h"

#include <string>
#include <string_view>
#include <vector>

namespace vigil::config {

/// YAML of `entries`, as document() gives them, for a program of this name. Each line begins with a #;
/// without the first # of every line it is a valid file that changes nothing. What stands below a key of a
/// list or of a mapping to names has a second #: it shows what an item looks like.
std::string example(std::string_view program, const std::vector<Entry>& entries);

}  // namespace vigil::config
