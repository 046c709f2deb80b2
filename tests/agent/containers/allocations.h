// Counts allocations, in test programs that link allocations.cpp.
#pragma once

#include <cstddef>

namespace vigil::test {

/// How often the calling thread has called operator new.
std::size_t allocations();

}  // namespace vigil::test
