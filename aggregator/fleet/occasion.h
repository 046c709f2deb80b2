// Why rules look at a host, and for which time there is something to look at.
#pragma once

#include <cstdint>
#include <limits>

namespace vigil::aggregator {

enum class Occasion : std::uint8_t {
  arrival,  // samples have come
  quiet,    // none have for a while
};

/// The time without a gap up to the newest samples, Unix milliseconds: before it the host, or we, were away,
/// and what comes after it nobody has seen yet. By default all of it.
struct Covered {
  std::int64_t since_ms = std::numeric_limits<std::int64_t>::min();
  std::int64_t until_ms = std::numeric_limits<std::int64_t>::max();
};

}  // namespace vigil::aggregator
