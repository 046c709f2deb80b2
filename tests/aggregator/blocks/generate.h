// Blocks for tests: every shape of column a host can send, and shapes none would, from one seed.
#pragma once

#include "aggregator/blocks/block.h"

#include <cstdint>
#include <random>
#include <string_view>

namespace vigil::aggregator::testing {

using Random = std::mt19937_64;

inline constexpr int kShapes = 14;

/// One column of `rows` values of shape `shape` (0 to kShapes - 1).
std::vector<std::int64_t> make_column(int shape, std::size_t rows, Random& random);

struct BlockShape {
  std::size_t rows = 0;
  std::size_t columns = 0;
};

/// A block whose columns have shapes drawn at random; times at one second with some jitter and gaps.
Block make_block(BlockShape shape, Random& random);

bool equal(const Block& left, const Block& right);

/// Writes the checksum that fits the bytes: damage that the checksum hides from open() on purpose.
void repair_checksum(std::string& sealed);

}  // namespace vigil::aggregator::testing
