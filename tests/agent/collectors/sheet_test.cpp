#include "agent/sampling/sheet.h"

#include "tests/support/catch.h"

#include <algorithm>
#include <string>

namespace vigil::agent {
namespace {

constexpr Family kBytes{"bytes_total", "Bytes.", SeriesType::counter, 0, {"device"}};
constexpr Family kLoad{"load1", "Load.", SeriesType::gauge, 2};

}  // namespace

TEST_CASE("a sheet keeps its columns from tick to tick") {
  Sheet sheet;
  for (int tick = 0; tick < 3; ++tick) {
    sheet.begin();
    sheet.put(kBytes, {"eth0"}, 100 + tick);
    sheet.put(kLoad, 52);
    sheet.end();
  }
  CHECK(sheet.version() == 2);  // one step per new column, none afterwards
  REQUIRE(sheet.width() == 2);
  CHECK(sheet.values()[0] == 102);
  CHECK(sheet.spec(0).labels.get("device") == "eth0");
  CHECK(sheet.spec(1).scale == 2);
}

TEST_CASE("what is not put is absent, and order does not matter") {
  Sheet sheet;
  sheet.begin();
  sheet.put(kBytes, {"eth0"}, 1);
  sheet.put(kBytes, {"eth1"}, 2);
  sheet.put(kBytes, {"eth2"}, 3);
  sheet.end();
  const auto version = sheet.version();
  sheet.begin();
  sheet.put(kBytes, {"eth2"}, 30);
  sheet.put(kBytes, {"eth0"}, 10);
  sheet.end();
  CHECK(sheet.version() == version);
  CHECK(sheet.values()[0] == 10);
  CHECK(sheet.values()[1] == kAbsent);
  CHECK(sheet.values()[2] == 30);
}

TEST_CASE("a column nobody puts any more is forgotten, the others stay right") {
  Sheet sheet;
  sheet.begin();
  sheet.put(kBytes, {"gone"}, 1);
  sheet.put(kBytes, {"here"}, 2);
  sheet.end();
  for (int tick = 0; tick < kForgetAfterTicks; ++tick) {
    sheet.begin();
    sheet.put(kBytes, {"here"}, 100 + tick);
    sheet.end();
  }
  REQUIRE(sheet.width() == 1);
  CHECK(sheet.spec(0).labels.get("device") == "here");
  sheet.begin();
  sheet.put(kBytes, {"here"}, 7);
  CHECK(sheet.values()[0] == 7);
}

TEST_CASE("a column is kept as long as its family says") {
  static constexpr Family kShort{"process", "One.", SeriesType::gauge, 0, {"pid"}, Encoding::decimal, 1};
  Sheet sheet;
  for (int tick = 0; tick < 100; ++tick) {
    sheet.begin();
    sheet.put(kBytes, {"stays"}, tick);
    if (tick == 0) sheet.put(kBytes, {"away"}, tick);
    sheet.put(kShort, {std::to_string(tick)}, tick);
    sheet.end();
    CHECK(sheet.width() == 3);
  }
  CHECK(sheet.spec(2).labels.get("pid") == "99");
}

TEST_CASE("series past the limit are refused and counted") {
  Sheet sheet(1);
  sheet.begin();
  sheet.put(kBytes, {"a"}, 1);
  sheet.put(kBytes, {"b"}, 2);
  sheet.end();
  CHECK(sheet.width() == 1);
  CHECK(sheet.refused() == 1);
}

TEST_CASE("a full sheet takes new series in place of those that have gone") {
  Sheet sheet(3);
  for (int tick = 0; tick < 30; ++tick) {
    sheet.begin();
    sheet.put(kBytes, {"stays"}, tick);
    sheet.put(kBytes, {std::to_string(tick / 10)}, tick);  // another one every ten ticks
    sheet.put(kLoad, tick);
    sheet.end();
    CHECK(sheet.width() == 3);
    const bool changing = tick >= 10 && tick % 10 < Sheet::kForgetAfterTicksWhenFull;
    CHECK(std::count(sheet.values().begin(), sheet.values().end(), tick) == (changing ? 2 : 3));
    CHECK(sheet.refused() == (changing ? 1 : 0));  // of this tick, not of all
  }
  CHECK(sheet.spec(2).labels.get("device") == "2");
}

TEST_CASE("a full sheet keeps what is only away for a moment") {
  Sheet sheet(2);
  sheet.begin();
  sheet.put(kBytes, {"flickers"}, 1);
  sheet.put(kBytes, {"stays"}, 1);
  sheet.end();
  sheet.begin();
  sheet.put(kBytes, {"stays"}, 2);
  sheet.put(kBytes, {"new"}, 2);
  sheet.end();
  CHECK(sheet.refused() == 1);
  CHECK(sheet.spec(0).labels.get("device") == "flickers");
}

}  // namespace vigil::agent
