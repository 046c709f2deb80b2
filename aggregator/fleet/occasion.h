// Why rules look at a host.
#pragma once

#include <cstdint>

namespace vigil::aggregator {

enum class Occasion : std::uint8_t {
  arrival,  // samples have come
  quiet,    // none have for a while
};

}  // namespace vigil::aggregator
