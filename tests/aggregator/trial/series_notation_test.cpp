#include "aggregator/trial/series_notation.h"

#include "tests/support/catch.h"

#include <string>

using namespace vigil;
using namespace vigil::trial;

namespace {

std::string in_long(std::string_view text) {
  const auto parsed = parse_values(text);
  if (!parsed) return parsed.error().message;
  std::string out;
  for (const auto& value : *parsed) {
    out += out.empty() ? "" : " ";
    out += !value ? "_" : is_stale(*value) ? "stale" : fmt::format("{:g}", *value);
  }
  return out;
}

}  // namespace

TEST_CASE("Values of a series are written in short") {
  struct Case {
    std::string_view text, expected;
  };
  const auto c = GENERATE(values<Case>({
      {"", ""},
      {"1 2.5 -3", "1 2.5 -3"},
      {"1+2x3", "1 3 5 7"},
      {"10-5x2", "10 5 0"},
      {"-2-1x2", "-2 -3 -4"},
      {"7x2", "7 7 7"},
      {"7x0", "7"},
      {"_ _x3 1", "_ _ _ _ 1"},
      {"_x0 1", "1"},
      {"1 stale  2", "1 stale 2"},
      {"1e3+1e-1x1 NaN Inf -Inf +inf", "1000 1000.1 nan inf -inf inf"},
      {".5 1.", "0.5 1"},
      {"1 2\n3", "1 2 3"},
  }));
  CAPTURE(c.text);
  CHECK(in_long(c.text) == c.expected);
}

TEST_CASE("What is wrong with values is said with its place") {
  struct Case {
    std::string_view text, message;
  };
  const auto c = GENERATE(values<Case>({
      {"1 x", "at character 3: expected a number, _ or stale, found 'x'"},
      {"1+2", "at character 4: expected x and how many times, found the end"},
      {"1+2x", "at character 5: expected how many times, found the end"},
      {"1x1.5", "at character 6: expected how many times, found the end"},
      {"stalex", "at character 6: expected a space, found 'x'"},
      {"{{schema:1}}", "native histograms are not supported"},
      {"1x99999999999", "more than 1000000 values of one series"},
      {"1,2", "at character 2: expected a space, found ',2'"},
  }));
  CAPTURE(c.text);
  CHECK(in_long(c.text) == c.message);
}

TEST_CASE("A metric is its name and labels, quoted or not") {
  struct Case {
    std::string_view text, expected;
  };
  const auto c = GENERATE(values<Case>({
      {"up", "up"},
      {" up { job = \"node\" , instance='a', } ", R"(up{instance="a", job="node"})"},
      {"{}", "{}"},
      {"{a=\"x\"}", R"({a="x"})"},
      {"up{}", "up"},
      {R"({"up", a="x"})", R"(up{a="x"})"},
      {R"(up{a="q\"\n"})", R"(up{a="q\"\n"})"},
      {"job:up:sum", "job:up:sum"},
  }));
  CAPTURE(c.text);
  const auto parsed = parse_metric(c.text);
  REQUIRE(parsed);
  CHECK(parsed->to_string() == c.expected);
}

TEST_CASE("Every prefix of a metric and of values parses or fails") {
  const std::string metric = R"(up{"a\"b"="x", c='y', d=`z`})";
  const std::string numbers = "1+2x3 _x2 stale -1e-3 NaN {{";
  for (std::size_t i = 0; i <= metric.size(); ++i) (void)parse_metric(metric.substr(0, i));
  for (std::size_t i = 0; i <= numbers.size(); ++i) (void)parse_values(numbers.substr(0, i));
  for (const char* bad : {"", "1up", "up{", "up{a}", "up{a=b}", "up{a=\"x\" b=\"y\"}", "up x", "up{a=\"x}"})
    CHECK_FALSE(parse_metric(bad));
}
