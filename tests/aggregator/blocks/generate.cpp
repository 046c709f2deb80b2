#include "tests/aggregator/blocks/generate.h"

#include "common/crc32c.h"

#include <bit>
#include <limits>
#include <numeric>

namespace vigil::aggregator::testing {
namespace {

using Limits = std::numeric_limits<std::int64_t>;

std::int64_t uniform(Random& random, std::int64_t least, std::int64_t most) {
  return std::uniform_int_distribution<std::int64_t>(least, most)(random);
}

bool one_in(Random& random, int n) {
  return uniform(random, 1, n) == 1;
}

// The bits of special doubles, payloads of NaNs included.
std::int64_t special_double(Random& random) {
  static constexpr std::uint64_t kBits[] = {
      0,          0x8000000000000000ULL, 0x7FF0000000000000ULL, 0xFFF0000000000000ULL,
      kStaleBits, 0x7FF8000000000001ULL, 0xFFFFFFFFFFFFFFFFULL, 0x0000000000000001ULL};
  if (one_in(random, 3)) return raw_from_double(std::bit_cast<double>(0x7FF0000000000001ULL | random()));
  return raw_from_double(std::bit_cast<double>(kBits[static_cast<std::size_t>(uniform(random, 0, 7))]));
}

std::int64_t counter_step(int shape, Random& random) {
  switch (shape) {
    case 1:
      return 100;
    case 2:
      return uniform(random, 0, 200);
    case 3:
      return 4096 * uniform(random, 0, 300);
    case 4:
      return one_in(random, 20) ? uniform(random, 1, 3) : 0;
    default:
      return uniform(random, -1'000'000'000, 1'000'000'000);
  }
}

std::int64_t free_value(int shape, Random& random) {
  switch (shape) {
    case 6:
      return uniform(random, 0, 8);
    case 7:
      return uniform(random, 0, 10'000);
    case 8:
      return raw_from_double(std::normal_distribution<double>(50.0, 5.0)(random));
    case 9:
      return special_double(random);
    case 10:
      return static_cast<std::int64_t>(random());
    case 11:
      return one_in(random, 2) ? Limits::max() : Limits::min() + 1;
    case 12:
      return kAbsent;
    default:
      return one_in(random, 3) ? kAbsent : uniform(random, -5, 5);
  }
}

}  // namespace

std::vector<std::int64_t> make_column(int shape, std::size_t rows, Random& random) {
  std::vector<std::int64_t> values(rows);
  std::int64_t now = uniform(random, 0, 1'000'000'000'000);
  for (std::int64_t& value : values) {
    if (shape >= 1 && shape <= 5) {
      now += counter_step(shape, random);
      if (one_in(random, 200)) now = 0;  // a reset
    } else if (shape >= 6) {
      now = free_value(shape, random);
    }
    value = now;
  }
  if (one_in(random, 4)) {
    for (std::int64_t& value : values) {
      if (one_in(random, 10)) value = kAbsent;
    }
  }
  return values;
}

Block make_block(BlockShape shape, Random& random) {
  Block block;
  std::int64_t now = uniform(random, 0, 4'000'000'000'000);
  for (std::size_t row = 0; row < shape.rows; ++row) {
    block.times_ms.push_back(now);
    now += 1000 + (one_in(random, 10) ? uniform(random, -5, 5) : 0) + (one_in(random, 50) ? 30'000 : 0);
  }
  SeriesId id = static_cast<SeriesId>(uniform(random, 0, 1000));
  for (std::size_t column = 0; column < shape.columns; ++column) {
    block.series.push_back(id);
    id += one_in(random, 8) ? static_cast<SeriesId>(uniform(random, 1, 100)) : 1;
    const auto values = make_column(static_cast<int>(uniform(random, 0, kShapes - 1)), shape.rows, random);
    block.values.insert(block.values.end(), values.begin(), values.end());
  }
  return block;
}

bool equal(const Block& left, const Block& right) {
  return left.series == right.series && left.times_ms == right.times_ms && left.values == right.values;
}

void repair_checksum(std::string& sealed) {
  if (sealed.size() < 8) return;
  const std::uint32_t checksum = crc32c(std::string_view(sealed).substr(8));
  for (std::size_t i = 0; i < 4; ++i) sealed[4 + i] = static_cast<char>(checksum >> (8 * i));
}

}  // namespace vigil::aggregator::testing
