// The limit of open descriptors, getrlimit(2).
#pragma once

#include <cstdint>

namespace vigil {

/// Raises the soft limit to the hard one: systemd and shells start programs with 1,024, which is for
/// select(2) that nobody here calls. Gives the limit now in force.
std::uint64_t raise_open_file_limit();

}  // namespace vigil
