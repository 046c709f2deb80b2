#include "aggregator/store/series_set.h"

#include "tests/support/catch.h"

#include <random>
#include <set>

namespace vigil::aggregator {

TEST_CASE("Runs of series that meet become one") {
  SeriesSet set;
  CHECK(set.empty());
  set.add({10, 12});
  set.add({20, 20});
  CHECK(std::ranges::equal(set.runs(), std::vector<SeriesRun>{{10, 12}, {20, 20}}));
  set.add({13, 13});
  CHECK(std::ranges::equal(set.runs(), std::vector<SeriesRun>{{10, 13}, {20, 20}}));
  set.add({9, 9});
  CHECK(std::ranges::equal(set.runs(), std::vector<SeriesRun>{{9, 13}, {20, 20}}));
  set.add({0, 0});
  set.add({11, 25});
  CHECK(std::ranges::equal(set.runs(), std::vector<SeriesRun>{{0, 0}, {9, 25}}));
  set.add({0, 0xFFFFFFFF});
  CHECK(std::ranges::equal(set.runs(), std::vector<SeriesRun>{{0, 0xFFFFFFFF}}));
}

TEST_CASE("A set of series holds what was added and nothing else, in whatever order it came") {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    SeriesSet set;
    std::set<SeriesId> all;
    for (int i = 0; i < 60; ++i) {
      const SeriesId first = random() % 100;
      const SeriesId last = first + random() % 4;
      set.add({first, last});
      for (SeriesId id = first; id <= last; ++id) all.insert(id);
    }
    for (SeriesId id = 0; id < 110; ++id) REQUIRE(set.contains(id) == all.contains(id));
    for (std::size_t i = 1; i < set.runs().size(); ++i)
      REQUIRE(set.runs()[i].first > set.runs()[i - 1].last + 1);
    REQUIRE(set.contains_all(std::vector<SeriesId>(all.begin(), all.end())));
  }
}

}  // namespace vigil::aggregator
