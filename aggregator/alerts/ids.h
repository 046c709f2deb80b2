// Names that nobody else has given.
#pragma once

#include <string>

namespace vigil::alerts {

/// A random UUID (RFC 9562, version 4) as text.
std::string new_id();

}  // namespace vigil::alerts
