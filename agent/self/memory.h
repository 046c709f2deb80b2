// Memory that was needed only to start.
#pragma once

#include "common/error.h"

#include <cstddef>

namespace vigil::agent {

/// Gives back freed heap pages, and unmaps the pages of program files that only hold unchanged code and
/// constants: what start-up touched (static initialisers, descriptors, relocations) and nothing needs again.
/// Pages still in use come back from the page cache by minor faults. Returns the bytes of address space given
/// up. Errors: /proc/self/smaps cannot be read.
Result<std::size_t> release_startup_memory();

}  // namespace vigil::agent
