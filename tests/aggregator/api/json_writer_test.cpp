#include "aggregator/api/json_writer.h"

#include "tests/support/catch.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <cmath>
#include <limits>
#include <random>

using namespace vigil;
using namespace vigil::aggregator::api;

namespace {

namespace json = boost::json;

std::string written(double value) {
  std::string text;
  append_value(text, value);
  return text;
}

std::string random_text(std::mt19937& random) {
  static const std::vector<std::string> kBits = {"a", "\"", "\\", "\n", "\x01", "\x7f",
                                                 "ä", "€",  "😀",  "{}", "/"};
  std::string text;
  for (auto n = random() % 8; n > 0; --n) text += kBits[random() % kBits.size()];
  return text;
}

/// Writes a random value, and gives what it should read back as.
json::value write_random(JsonWriter& out, std::mt19937& random, int depth) {
  switch (random() % (depth > 4 ? 5 : 7)) {
    case 0: {
      const std::string text = random_text(random);
      out.string(text);
      return json::value(text);
    }
    case 1: {
      const auto value = static_cast<std::int64_t>(random()) - 2'000'000'000;
      out.number(value);
      return value;
    }
    case 2: {
      const double value =
          std::ldexp(static_cast<double>(random()) + 0.5, static_cast<int>(random() % 200) - 100);
      out.number(value);
      return value;
    }
    case 3:
      out.boolean(true);
      return true;
    case 4:
      out.null();
      return nullptr;
    case 5: {
      json::array array;
      out.begin_array();
      for (auto n = random() % 4; n > 0; --n) array.push_back(write_random(out, random, depth + 1));
      out.end_array();
      return array;
    }
    default: {
      json::object object;
      out.begin_object();
      for (auto n = random() % 4; n > 0; --n) {
        const std::string key = random_text(random) + std::to_string(n);
        out.key(key);
        object[key] = write_random(out, random, depth + 1);
      }
      out.end_object();
      return object;
    }
  }
}

/// As values: 3 may read back as a whole number, and the parser rounds the last digit its own way.
bool same(const json::value& a, const json::value& b) {
  if (a.is_number() && b.is_number()) {
    const auto x = a.to_number<double>();
    const auto y = b.to_number<double>();
    return std::abs(x - y) <= 1e-14 * std::abs(y);
  }
  if (a.is_array() && b.is_array()) {
    const auto& x = a.get_array();
    const auto& y = b.get_array();
    return std::equal(x.begin(), x.end(), y.begin(), y.end(), same);
  }
  if (!a.is_object() || !b.is_object()) return a == b;
  const auto& x = a.get_object();
  return x.size() == b.get_object().size() && std::ranges::all_of(x, [&b](const auto& member) {
           const json::value* other = b.get_object().if_contains(member.key());
           return other != nullptr && same(member.value(), *other);
         });
}

}  // namespace

TEST_CASE("whatever is written reads back as the same") {
  std::mt19937 random(4711);  // NOLINT(cert-msc51-cpp): the same every time
  for (int i = 0; i < 2000; ++i) {
    JsonWriter out;
    out.begin_array();
    const json::value expected = json::array{write_random(out, random, 0)};
    out.end_array();
    const std::string text = out.take();
    INFO(text);
    boost::system::error_code error;
    const json::value read = json::parse(text, error);
    REQUIRE_FALSE(error);
    REQUIRE(same(read, expected));
  }
}

TEST_CASE("bytes that are not UTF-8 become the replacement character") {
  JsonWriter out;
  out.string("a\xff\xc3z\xed\xa0\x80");
  CHECK(out.take() == R"("a\ufffd\ufffdz\ufffd\ufffd\ufffd")");
}

TEST_CASE("values are written as Prometheus writes them") {
  CHECK(written(0) == "0");
  CHECK(written(-0.0) == "-0");
  CHECK(written(1) == "1");
  CHECK(written(0.1) == "0.1");
  CHECK(written(1234567.125) == "1234567.125");
  CHECK(written(0.000001) == "0.000001");
  CHECK(written(0.00000099) == "9.9e-07");
  CHECK(written(1e20) == "100000000000000000000");
  CHECK(written(1e21) == "1e+21");
  CHECK(written(-1.5e300) == "-1.5e+300");
  CHECK(written(5e-324) == "5e-324");
  CHECK(written(std::numeric_limits<double>::max()) == "1.7976931348623157e+308");
  CHECK(written(std::numeric_limits<double>::infinity()) == "+Inf");
  CHECK(written(-std::numeric_limits<double>::infinity()) == "-Inf");
  CHECK(written(std::nan("")) == "NaN");
}

TEST_CASE("times are seconds with three digits behind the point, or none") {
  const auto written = [](std::int64_t t_ms) { return JsonWriter().timestamp(t_ms).take(); };
  CHECK(written(1435781451781) == "1435781451.781");
  CHECK(written(1435781451000) == "1435781451");
  CHECK(written(1435781451050) == "1435781451.050");
  CHECK(written(1435781451007) == "1435781451.007");
  CHECK(written(-1500) == "-1.500");
  CHECK(written(-1) == "-0.001");
  CHECK(written(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775.808");
  CHECK(JsonWriter().point(1500, 2.5).take() == R"([1.500,"2.5"])");
}

TEST_CASE("labels are an object in their own order") {
  CHECK(JsonWriter().labels(Labels{{"b", "2"}, {"__name__", "up"}, {"a", "x\"y"}}).take() ==
        R"({"__name__":"up","a":"x\"y","b":"2"})");
}
