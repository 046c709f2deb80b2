// The wall clock as the numbers that travel and are stored.
#pragma once

#include <chrono>
#include <cstdint>

namespace vigil {

/// Unix time in milliseconds, now.
inline std::int64_t wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace vigil
