#include "aggregator/head/open_block.h"

#include <algorithm>

namespace vigil::aggregator {

Block OpenBlock::transposed() const {
  constexpr std::size_t kTile = 16;  // columns at a time: 16 cache lines are written while rows are read once
  Block block{columns_, times_ms_, std::vector<std::int64_t>(cells_.size())};
  const std::size_t row_count = rows();
  for (std::size_t begin = 0; begin < width(); begin += kTile) {
    const std::size_t end = std::min(begin + kTile, width());
    for (std::size_t row = 0; row < row_count; ++row) {
      const std::int64_t* in = cells_.data() + row * width();
      for (std::size_t column = begin; column < end; ++column)
        block.values[column * row_count + row] = in[column];
    }
  }
  return block;
}

}  // namespace vigil::aggregator
