// Text from outside on its way to becoming a label. printable() makes a label of any bytes.
#pragma once

#include "common/text/utf8.h"

#include <string>
#include <string_view>

namespace vigil::agent {

/// Undoes the \040 (octal) escapes of mountinfo, fstab(5) and /proc/mounts; other backslashes stay as they
/// are.
std::string unescape_octal(std::string_view text);

}  // namespace vigil::agent
