#include "common/series.h"

#include "tests/support/catch.h"

#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <vector>

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

TEST_CASE("whatever is set, labels hold what a map holds and compare as a list of pairs does") {
  std::mt19937_64 random(11);
  const std::vector<std::string> names = {"a", "b", "ab", "__name__", std::string(130, 'n'), "\x01"};
  const std::vector<std::string> values = {"",
                                           "v",
                                           "w",
                                           std::string(127, 'x'),
                                           std::string(128, 'x'),
                                           std::string(20'000, 'y'),
                                           std::string("\0z", 2)};
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  std::vector<std::pair<Labels, Pairs>> made;
  for (int round = 0; round < 200; ++round) {
    Labels labels;
    std::map<std::string, std::string> model;
    for (std::uint64_t step = random() % 9; step > 0; --step) {
      const std::string& name = names[random() % names.size()];
      const std::string& value = values[random() % values.size()];
      labels.set(name, value);
      model[name] = value;
      if (value.empty()) model.erase(name);
    }
    Pairs pairs;
    std::vector<Label> backwards;
    for (const auto& [name, value] : labels) pairs.emplace_back(name, value);
    for (const auto& [name, value] : model) backwards.insert(backwards.begin(), {name, value});
    REQUIRE(pairs == Pairs(model.begin(), model.end()));
    REQUIRE(labels.size() == model.size());
    REQUIRE(labels.empty() == model.empty());
    for (const std::string& name : names) {
      const auto at = model.find(name);
      REQUIRE(labels.get(name) == (at == model.end() ? "" : at->second));
      REQUIRE(labels.has(name) == (at != model.end()));
    }
    const Labels built(std::move(backwards));
    REQUIRE(built == labels);
    made.emplace_back(std::move(labels), std::move(pairs));
  }
  for (const auto& [left, left_pairs] : made) {
    for (const auto& [right, right_pairs] : made) {
      REQUIRE((left == right) == (left_pairs == right_pairs));
      REQUIRE((left < right) == (left_pairs < right_pairs));
      if (left == right) REQUIRE(left.hash() == right.hash());
    }
  }
}

TEST_CASE("label values are escaped as Prometheus prints them") {
  CHECK(Labels{{"__name__", "my.metric"}, {"a.label", "x y"}, {"job", "j"}}.to_string() ==
        R"({"my.metric", "a.label"="x y", job="j"})");
  CHECK(Labels{{"__name__", "job:up:count"}, {"größe", "1"}}.to_string() == R"(job:up:count{"größe"="1"})");
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
