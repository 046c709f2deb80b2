#include "agent/sampling/sheet.h"

#include "tests/support/catch.h"

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
  for (int tick = 0; tick < Sheet::kForgetAfterTicks; ++tick) {
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

TEST_CASE("series past the limit are refused and counted") {
  Sheet sheet(1);
  sheet.begin();
  sheet.put(kBytes, {"a"}, 1);
  sheet.put(kBytes, {"b"}, 2);
  sheet.end();
  CHECK(sheet.width() == 1);
  CHECK(sheet.refused() == 1);
}

}  // namespace vigil::agent
