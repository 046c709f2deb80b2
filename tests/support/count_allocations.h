// Counts every operator new of the program that links count_allocations.cpp.
#pragma once

#include <cstdint>

namespace vigil::test {

std::uint64_t allocation_count();

}  // namespace vigil::test
