// Text from outside on its way to becoming a label.
#pragma once

#include <string>
#include <string_view>

namespace vigil::agent {

/// `text` as valid UTF-8 without control characters: each offending byte becomes '?'. Labels travel as UTF-8,
/// while the kernel lets process names, mount points and firmware strings hold any byte.
std::string printable(std::string_view text);

/// Undoes the \040 (octal) escapes of mountinfo, fstab(5) and /proc/mounts; other backslashes stay as they
/// are.
std::string unescape_octal(std::string_view text);

}  // namespace vigil::agent
