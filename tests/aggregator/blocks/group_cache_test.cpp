#include "aggregator/blocks/group_cache.h"

#include "tests/aggregator/blocks/generate.h"
#include "tests/support/catch.h"

namespace vigil::aggregator {
namespace {

GroupCache::Plain text(char c, std::size_t size = 1000) {
  return std::make_shared<const std::string>(size, c);
}

}  // namespace

TEST_CASE("What was put into the cache of groups is found, and nothing else is") {
  GroupCache cache(1 << 20);
  cache.put(1, 0, text('a'));
  cache.put(1, 1, text('b'));
  cache.put(2, 0, text('c'));
  CHECK(cache.find(1, 0)->front() == 'a');
  CHECK(cache.find(1, 1)->front() == 'b');
  CHECK(cache.find(2, 0)->front() == 'c');
  CHECK(cache.find(2, 1) == nullptr);
  CHECK(cache.find(3, 0) == nullptr);
}

TEST_CASE("The cache of groups stays within its bytes, and what is asked for again stays longest") {
  GroupCache cache(160'000);
  cache.put(8, 0, text('x'));
  for (std::uint64_t block = 16; block < 8000; block += 8) {  // all on the same shelf
    cache.put(block, 0, text('a'));
    REQUIRE(cache.bytes() <= 160'000);
    REQUIRE(cache.find(8, 0) != nullptr);
  }
  CHECK(cache.find(16, 0) == nullptr);
  CHECK(cache.find(7992, 0) != nullptr);
  cache.put(1, 0, text('b', 1'000'000));  // larger than all of it
  CHECK(cache.bytes() <= 160'000);
}

TEST_CASE("Columns read through the cache are those read without it, the second time, too") {
  testing::Random random(11);
  const Block block = testing::make_block({60, 40}, random);
  const auto sealed = SealedBlock::open(seal(block));
  REQUIRE(sealed);
  GroupCache cache(1 << 20);
  for (int round = 0; round < 2; ++round) {
    ColumnReader reader(**sealed, &cache);
    for (std::size_t i = 0; i < block.series.size(); i += 3) {
      const auto cached = reader.read(i);
      REQUIRE(cached);
      CHECK(std::ranges::equal(*cached, *(*sealed)->column(i)));
    }
  }
  CHECK(cache.bytes() > 0);
}

}  // namespace vigil::aggregator
