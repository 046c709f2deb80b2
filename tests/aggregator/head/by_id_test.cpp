#include "aggregator/head/by_id.h"

#include "aggregator/head/id_table.h"
#include "tests/support/catch.h"

#include <random>
#include <set>

using namespace vigil;
using namespace vigil::aggregator;

namespace {

/// Counts how many of it there are.
struct Counted {
  Counted() { ++alive; }
  Counted(const Counted& /*other*/) { ++alive; }
  Counted(Counted&& /*other*/) noexcept { ++alive; }
  Counted& operator=(const Counted&) = default;
  Counted& operator=(Counted&&) = default;
  ~Counted() { --alive; }
  static inline int alive = 0;
};

}  // namespace

TEST_CASE("what is known of a series is found by its id until it leaves") {
  ById<int> values;
  CHECK(values.find(7) == nullptr);
  values.make(7) = 1;
  values.make(1'000'000) = 2;
  CHECK(values.size() == 2);
  CHECK(values[7] == 1);
  CHECK(values.find(8) == nullptr);
  values.make(7) += 10;
  CHECK(values[7] == 11);
  values.erase(7);
  values.erase(7);
  CHECK(values.find(7) == nullptr);
  CHECK(values.make(7) == 0);
  std::vector<SeriesId> ids;
  values.for_each([&](SeriesId id, int) { ids.push_back(id); });
  CHECK(ids == std::vector<SeriesId>{7, 1'000'000});
}

TEST_CASE("the memory of series that left is given back, whatever their ids") {
  ById<Counted> values;
  for (SeriesId id = 0; id < 1000; ++id) values.make(id);
  CHECK(Counted::alive >= 1000);
  for (SeriesId id = 0; id < 1000; ++id)
    if (id != 500) values.erase(id);
  CHECK(Counted::alive <= 64);
  for (SeriesId id = 1'000'000; id < 1'000'100; ++id) {
    values.make(id);
    values.erase(id);
  }
  CHECK(Counted::alive <= 64);
}

TEST_CASE(
    "ids of a table are found until they are erased, though many share a place, and memory is given back") {
  std::mt19937 random(3);
  const auto hash = [](SeriesId id) { return std::uint64_t{id % 50}; };  // many of one hash
  IdTable table;
  std::set<SeriesId> all;
  const auto found = [&](SeriesId id) {
    return table.find(hash(id), [id](SeriesId other) { return other == id; }) != nullptr;
  };
  for (int step = 0; step < 4000; ++step) {
    const SeriesId id = random() % 300;
    if (all.insert(id).second) {
      table.insert(id, hash(id), hash);
    } else {
      table.erase(id, hash(id), hash);
      all.erase(id);
    }
    if (step % 100 == 0) table.shrink(hash);
    if (step % 10 != 0) continue;
    for (SeriesId each = 0; each < 300; ++each) REQUIRE(found(each) == all.contains(each));
  }
  const std::size_t most = table.memory_bytes();
  for (const SeriesId id : all) table.erase(id, hash(id), hash);
  table.shrink(hash);
  CHECK(table.memory_bytes() < most / 8);
}
