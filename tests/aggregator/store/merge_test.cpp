#include "aggregator/store/merge.h"

#include "common/series.h"
#include "tests/support/catch.h"

namespace vigil::aggregator {
namespace {

// Value of a series at a time: 100 x series + time.
Block rows(std::vector<SeriesId> series, std::vector<std::int64_t> times) {
  Block block{std::move(series), std::move(times), {}};
  for (const SeriesId id : block.series) {
    for (const std::int64_t time : block.times_ms) block.values.push_back(std::int64_t{id} * 100 + time);
  }
  return block;
}

}  // namespace

TEST_CASE("Blocks that follow each other become one") {
  Merger merger(1000);
  CHECK(merger.add(rows({1, 2}, {1, 2, 3})));
  CHECK(merger.add(rows({1, 2}, {4, 5})));
  const Block joined = merger.take();
  const Block expected = rows({1, 2}, {1, 2, 3, 4, 5});
  CHECK(joined.series == expected.series);
  CHECK(joined.times_ms == expected.times_ms);
  CHECK(joined.values == expected.values);
  CHECK(merger.empty());
}

TEST_CASE("Series that come and go are absent where they were not") {
  Merger merger(1000);
  CHECK(merger.add(rows({7, 2}, {1, 2})));
  CHECK(merger.add(rows({2, 9}, {3})));
  const Block joined = merger.take();
  CHECK(joined.series == std::vector<SeriesId>{2, 7, 9});
  CHECK(joined.values == std::vector<std::int64_t>{201, 202, 203, 701, 702, kAbsent, kAbsent, kAbsent, 903});
}

TEST_CASE("Rows that were sealed twice are there once, and fill what was absent") {
  Merger merger(1000);
  Block holey = rows({1}, {1, 2, 3});
  holey.values[1] = kAbsent;
  CHECK(merger.add(holey));
  CHECK(merger.add(rows({1, 2}, {2, 3, 4})));
  const Block joined = merger.take();
  CHECK(joined.times_ms == std::vector<std::int64_t>{1, 2, 3, 4});
  CHECK(joined.values == std::vector<std::int64_t>{101, 102, 103, 104, kAbsent, 202, 203, 204});
}

TEST_CASE(
    "Rows that lie between others stay a block of their own: a series is not absent where it was not asked") {
  Merger merger(1000);
  CHECK(merger.add(rows({1}, {10, 20, 30})));
  CHECK_FALSE(merger.add(rows({1}, {15, 40})));
  CHECK(merger.take().times_ms == std::vector<std::int64_t>{10, 20, 30});
  CHECK(merger.add(rows({1}, {15, 40})));
}

TEST_CASE("A merged block keeps to its cells, and one block alone always fits") {
  Merger merger(6);
  CHECK(merger.add(rows({1, 2, 3, 4}, {1, 2})));
  CHECK_FALSE(merger.add(rows({1}, {3})));
  CHECK(merger.take().values.size() == 8);
}

}  // namespace vigil::aggregator
