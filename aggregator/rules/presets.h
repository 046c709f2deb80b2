// The shipped rule files (packaging/rules), built into the program so that the binary alone works.
#pragma once

#include "aggregator/rules/config.h"

#include <string_view>

namespace vigil::rules {

/// The text of packaging/rules/<preset>.yml; "" for none.
std::string_view preset_text(Preset preset);

/// The text of packaging/rules/evidence.yml.
std::string_view evidence_text();

}  // namespace vigil::rules
