#include "common/series.h"

#include "tests/support/catch.h"

#include <cmath>
#include <limits>

namespace vigil {

TEST_CASE("labels are sorted, unique and drop empty values") {
  const Labels labels{{"b", "2"}, {"a", "1"}, {"c", ""}};
  REQUIRE(labels.size() == 2);
  CHECK(labels.to_string() == R"({a="1", b="2"})");
  CHECK(labels.get("c").empty());
}

TEST_CASE("setting a label keeps the order and an empty value removes it") {
  Labels labels{{"a", "1"}, {"c", "3"}};
  labels.set("b", "2");
  CHECK(labels.to_string() == R"({a="1", b="2", c="3"})");
  labels.set("a", "");
  CHECK(labels.to_string() == R"({b="2", c="3"})");
}

TEST_CASE("label values are escaped as Prometheus prints them") {
  CHECK(Labels{{"__name__", "m"}, {"path", "C:\\\"x\"\n"}}.to_string() == R"(m{path="C:\\\"x\"\n"})");
}

TEST_CASE("decimals become the nearest double") {
  CHECK(to_double(12345, Encoding::decimal, 2) == 123.45);
  CHECK(to_double(-7, Encoding::decimal, 0) == -7.0);
}

TEST_CASE(
    "doubles survive the trip through raw values bit for bit, and no common one collides with absence") {
  for (const double value : {0.0, -0.0, 1.5, -1e300, std::numeric_limits<double>::infinity(),
                             -std::numeric_limits<double>::infinity(), std::nan(""), stale_marker()}) {
    const std::int64_t raw = raw_from_double(value);
    CHECK(raw != kAbsent);
    CHECK(std::bit_cast<std::uint64_t>(double_from_raw(raw)) == std::bit_cast<std::uint64_t>(value));
  }
}

}  // namespace vigil
