#include "aggregator/head/open_block.h"

#include "tests/support/catch.h"

#include <limits>
#include <random>

using namespace vigil;
using namespace vigil::aggregator;

namespace {

constexpr std::int64_t kT0 = 1'700'000'000'000;
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kNarrowMax = std::numeric_limits<std::int32_t>::max();

using Rows = std::vector<std::vector<std::int64_t>>;

void check_same(const OpenBlock& block, const Rows& rows) {
  REQUIRE(block.rows() == rows.size());
  std::vector<std::int64_t> column(rows.size());
  const Block transposed = block.transposed();
  for (std::size_t i = 0; i < block.width(); ++i) {
    block.read(i, column);
    for (std::size_t row = 0; row < rows.size(); ++row) {
      const std::int64_t wanted = i < rows[row].size() ? rows[row][i] : kAbsent;
      REQUIRE(block.cell(row, i) == wanted);
      REQUIRE(column[row] == wanted);
      REQUIRE(transposed.values[i * rows.size() + row] == wanted);
    }
  }
}

}  // namespace

TEST_CASE("whatever the values, each cell comes back, over many blocks of one layout") {
  std::mt19937_64 random(3);
  const std::vector<std::int64_t> jumps{
      0, 1, -1, 1000, kNarrowMax, kNarrowMax + 1, -kNarrowMax, -kNarrowMax - 1, -kNarrowMax - 2, kMax};
  for (int round = 0; round < 200; ++round) {
    OpenBlock block({1, 2, 3, 4, 5});
    for (int life = 0; life < 3; ++life) {
      Rows rows;
      for (int row = 0; row < 40; ++row) {
        std::vector<std::int64_t> values(random() % 7 == 0 ? 3 : 5);
        for (std::size_t i = 0; i < values.size(); ++i) {
          const std::uint64_t kind = random() % 50;
          if (kind == 0)
            values[i] = static_cast<std::int64_t>(random());
          else if (kind < 5)
            values[i] = kAbsent;
          else if (i < 2 && kind < 8)
            values[i] = jumps[random() % jumps.size()];
          else
            values[i] = static_cast<std::int64_t>(1'000'000'000'000 * i + random() % 1000);
        }
        rows.push_back(values);
        block.append(kT0 + row, values);
      }
      check_same(block, rows);
      block.clear();
      REQUIRE(block.empty());
    }
  }
}

TEST_CASE("differences at the edge of a narrow cell, and across the edge of 64 bits, are exact") {
  for (const std::int64_t base : {std::int64_t{0}, std::int64_t{-5}, kMax, kAbsent + 1}) {
    for (const std::int64_t next :
         {kNarrowMax, kNarrowMax + 1, -kNarrowMax, -kNarrowMax - 1, kMax, kAbsent + 1}) {
      OpenBlock block({7});
      block.append(kT0, std::vector{base});
      block.append(kT0 + 1, std::vector{next});
      block.append(kT0 + 2, std::vector{kAbsent});
      check_same(block, {{base}, {next}, {kAbsent}});
    }
  }
}

TEST_CASE(
    "rows take four bytes a cell while they are new, and two or less afterwards, also when a column is "
    "wide") {
  std::vector<SeriesId> ids(100);
  for (SeriesId i = 0; i < 100; ++i) ids[i] = i;
  OpenBlock block(ids);
  std::mt19937_64 random(5);
  std::vector<std::int64_t> row(100, 1'000'000'000'000);
  for (int r = 0; r < 128; ++r) {
    row[3] += kNarrowMax;
    for (std::size_t i = 4; i < row.size(); ++i) row[i] += static_cast<std::int64_t>(random() % 100);
    block.append(kT0 + r, row);
  }
  CHECK(block.memory_bytes() / 100 < OpenBlock::kPageRows * 4 + 128 * 2 + 100);
}

TEST_CASE("a page that becomes wide in its middle keeps its rows, and so do the pages before it") {
  OpenBlock block({1, 2});
  Rows rows;
  for (std::int64_t r = 0; r < 40; ++r) {
    rows.push_back({r == 37 ? kMax : r, r});
    block.append(kT0 + r, rows.back());
  }
  check_same(block, rows);
}

TEST_CASE("rows that come in order and then in pieces are all there") {
  OpenBlock block({1, 2});
  Rows rows;
  for (std::int64_t r = 0; r < 40; ++r) {
    rows.push_back({100 + r, kMax - r});
    block.append(kT0 + 2 * r, rows.back());
  }
  const std::size_t between = block.row_at(kT0 + 11);
  CHECK(between == 6);
  CHECK(block.put(between, 0, 7) == OpenBlock::Put::stored);
  CHECK(block.put(5, 0, 105) == OpenBlock::Put::same);
  CHECK(block.put(5, 0, 106) == OpenBlock::Put::other);
  rows.insert(rows.begin() + 6, {7, kAbsent});
  check_same(block, rows);
}
