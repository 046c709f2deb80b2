#include "aggregator/store/rollup.h"

#include "tests/support/catch.h"

#include <random>

namespace vigil::aggregator {
namespace {

constexpr std::int64_t kMinute = 60'000;
const SeriesKind kGauge{SeriesType::gauge, Encoding::decimal};
const SeriesKind kCounter{SeriesType::counter, Encoding::decimal};

// One series, a sample a second.
Block seconds(std::int64_t first_ms, std::vector<std::int64_t> values) {
  Block block{{0}, {}, std::move(values)};
  for (std::size_t i = 0; i < block.values.size(); ++i)
    block.times_ms.push_back(first_ms + static_cast<std::int64_t>(i) * 1000);
  return block;
}

std::int64_t at(const Block& block, std::size_t row, Aggregate aggregate) {
  for (std::size_t column = 0; column < block.series.size(); ++column) {
    if (block.series[column] == tier_column(0, aggregate))
      return block.values[column * block.times_ms.size() + row];
  }
  return kAbsent;
}

}  // namespace

TEST_CASE("A gauge's minute has its least, greatest, sum, count and last value") {
  Rollup rollup({0, 60 * kMinute, kMinute});
  rollup.add(seconds(58'000, {5, -3, 7, kAbsent, 8}), {kGauge});
  const auto block = rollup.take();
  REQUIRE(block);
  CHECK(block->times_ms == std::vector<std::int64_t>{59'999, 119'999});
  CHECK(at(*block, 0, Aggregate::min) == -3);
  CHECK(at(*block, 0, Aggregate::max) == 5);
  CHECK(at(*block, 0, Aggregate::sum) == 2);
  CHECK(at(*block, 0, Aggregate::count) == 2);
  CHECK(at(*block, 0, Aggregate::last) == -3);
  CHECK(at(*block, 1, Aggregate::sum) == 15);
  CHECK(at(*block, 1, Aggregate::count) == 2);
  CHECK_FALSE(rollup.take());
}

TEST_CASE("A counter's minute tells what its resets hide") {
  Rollup rollup({0, 60 * kMinute, kMinute});
  rollup.add(seconds(0, {100, 150, 30, 40, 10}), {kCounter});
  const auto block = rollup.take();
  REQUIRE(block);
  CHECK(at(*block, 0, Aggregate::first) == 100);
  CHECK(at(*block, 0, Aggregate::last) == 10);
  CHECK(at(*block, 0, Aggregate::count) == 5);
  CHECK(at(*block, 0, Aggregate::excess) == 150 + 40);
  CHECK(at(*block, 0, Aggregate::sum) == kAbsent);
}

TEST_CASE("Whatever the blocks, first, last and excess give the increase that every sample gives") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::int64_t> values;
    std::int64_t value = 0;
    std::int64_t increase = 0;
    for (int i = 0; i < 60; ++i) {
      const std::int64_t before = value;
      value = random() % 10 == 0 ? static_cast<std::int64_t>(random() % 50)
                                 : value + static_cast<std::int64_t>(random() % 100);
      if (i > 0) increase += value >= before ? value - before : value;
      values.push_back(value);
    }
    Rollup rollup({0, 60 * kMinute, kMinute});
    const std::size_t cut = 1 + random() % 58;
    rollup.add(seconds(0, {values.begin(), values.begin() + static_cast<std::ptrdiff_t>(cut)}), {kCounter});
    rollup.add(seconds(static_cast<std::int64_t>(cut) * 1000,
                       {values.begin() + static_cast<std::ptrdiff_t>(cut), values.end()}),
               {kCounter});
    const auto block = rollup.take();
    REQUIRE(block);
    REQUIRE(at(*block, 0, Aggregate::last) - at(*block, 0, Aggregate::first) +
                at(*block, 0, Aggregate::excess) ==
            increase);
  }
}

TEST_CASE("A sum that does not fit is absent, not wrong") {
  Rollup rollup({0, 60 * kMinute, kMinute});
  constexpr std::int64_t kLarge = std::numeric_limits<std::int64_t>::max() / 2 + 1;
  rollup.add(seconds(0, {kLarge, kLarge, 1}), {kGauge});
  const auto block = rollup.take();
  REQUIRE(block);
  CHECK(at(*block, 0, Aggregate::sum) == kAbsent);
  CHECK(at(*block, 0, Aggregate::max) == kLarge);
}

TEST_CASE("Floats are compared and added as floats") {
  Rollup rollup({0, 60 * kMinute, kMinute});
  rollup.add(seconds(0, {raw_from_double(-1.5), raw_from_double(2.25), raw_from_double(-4)}),
             {{SeriesType::gauge, Encoding::float64}});
  const auto block = rollup.take();
  REQUIRE(block);
  CHECK(double_from_raw(at(*block, 0, Aggregate::min)) == -4);
  CHECK(double_from_raw(at(*block, 0, Aggregate::max)) == 2.25);
  CHECK(double_from_raw(at(*block, 0, Aggregate::sum)) == -3.25);
}

TEST_CASE("Rows outside the span belong to another roll-up") {
  Rollup rollup({kMinute, 2 * kMinute, kMinute});
  rollup.add(seconds(59'000, {1, 2, 3}), {kGauge});
  const auto block = rollup.take();
  REQUIRE(block);
  CHECK(at(*block, 0, Aggregate::sum) == 5);
}

TEST_CASE("The end of a series is no value of its minute, and nothing but an end is no minute") {
  const SeriesKind decimal{SeriesType::gauge, Encoding::sparse_decimal};
  const SeriesKind floats{SeriesType::gauge, Encoding::sparse_float64};
  Rollup rollup({0, 60 * kMinute, kMinute});
  rollup.add(seconds(0, {5, kAbsent, 3, kEnded}), {decimal});
  const auto block = rollup.take();
  REQUIRE(block);
  CHECK(at(*block, 0, Aggregate::min) == 3);
  CHECK(at(*block, 0, Aggregate::last) == 3);
  CHECK(at(*block, 0, Aggregate::count) == 2);
  rollup.add(seconds(0, {raw_from_double(stale_marker())}), {floats});
  CHECK_FALSE(rollup.take());
}

TEST_CASE("A series is brief when it came and went while others went on, and its kind is not pushed") {
  constexpr std::int64_t kA = kAbsent;
  const std::vector<std::int64_t> times{0, 10 * kMinute, 20 * kMinute, 70 * kMinute, 100 * kMinute};
  const SeriesKind pushed{SeriesType::gauge, Encoding::sparse_decimal};
  Rollup rollup({0, 1440 * kMinute, 60 * kMinute});
  rollup.add({{0, 1, 2, 3, 4, 5, 6}, times, {1,  1,  1,  1,  1,   // all the time
                                             kA, 1,  1,  kA, kA,  // ten minutes
                                             1,  1,  kA, kA, kA,  // from the beginning on
                                             kA, kA, kA, 1,  1,   // to the end
                                             kA, 1,  kA, 1,  kA,  // for an hour
                                             kA, 1,  kA, kA, kA, kA, kA, 1, 1, kA}},
             {kGauge, kGauge, kCounter, kGauge, kGauge, pushed, kCounter});
  CHECK(rollup.brief(60 * kMinute) == std::vector<SeriesId>{1, 6});
  CHECK(rollup.brief(60 * kMinute + 1) == std::vector<SeriesId>{1, 4, 6});
  CHECK(rollup.brief(0).empty());
  CHECK(Rollup({0, kMinute, kMinute}).brief(kMinute).empty());
}

}  // namespace vigil::aggregator
