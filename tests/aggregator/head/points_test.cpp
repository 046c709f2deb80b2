#include "aggregator/head/points.h"

#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator;

namespace {

std::vector<promql::Point> collect(const std::vector<std::vector<std::int64_t>>& times,
                                   const std::vector<std::vector<std::int64_t>>& values,
                                   std::int64_t start = 0, std::int64_t end = 1'000'000) {
  PointCollector collector(start, end);
  for (std::size_t i = 0; i < times.size(); ++i) collector.add({times[i], values[i].data()}, {});
  return collector.take();
}

std::string print(const std::vector<promql::Point>& points) {
  std::string text;
  for (const auto& point : points)
    text +=
        is_stale(point.v) ? fmt::format("{}:stale ", point.t_ms) : fmt::format("{}:{} ", point.t_ms, point.v);
  return text;
}

}  // namespace

TEST_CASE("an absent cell after a value is one staleness marker, further ones are nothing") {
  CHECK(print(collect({{1, 2, 3, 4, 5}}, {{7, kAbsent, kAbsent, 8, kAbsent}})) == "1:7 2:stale 4:8 5:stale ");
  CHECK(print(collect({{1, 2}}, {{kAbsent, kAbsent}})).empty());
}

TEST_CASE("the end of a series is seen across pieces") {
  CHECK(print(collect({{1, 2}, {3, 4}}, {{7, 8}, {kAbsent, kAbsent}})) == "1:7 2:8 3:stale ");
}

TEST_CASE("only the span asked for is given, and a value before it still ends inside") {
  CHECK(print(collect({{1, 2, 3}}, {{7, kAbsent, 9}}, 2, 2)) == "2:stale ");
  CHECK(print(collect({{1}, {2, 3}}, {{7}, {kAbsent, 9}}, 2, 3)) == "2:stale 3:9 ");
  CHECK(print(collect({{1, 2, 3}}, {{7, 8, 9}}, 4, 5)).empty());
}

TEST_CASE("pieces that overlap become one ascending series in which the first sample of a time stays") {
  CHECK(print(collect({{5, 6}, {3, 5, 7}}, {{50, 60}, {30, 51, 70}})) == "3:30 5:50 6:60 7:70 ");
}

TEST_CASE("a piece that lies within another ends a series where it ended, whichever comes first") {
  const std::vector<std::vector<std::int64_t>> times{{1, 2, 8, 9}, {3, 4, 5}};
  const std::vector<std::vector<std::int64_t>> ended{{7, 8, kAbsent, kAbsent}, {9, kAbsent, kAbsent}};
  CHECK(print(collect(times, ended)) == "1:7 2:8 3:9 4:stale ");
  CHECK(print(collect({times[1], times[0]}, {ended[1], ended[0]})) == "1:7 2:8 3:9 4:stale ");
  const std::vector<std::vector<std::int64_t>> begun{{7, 8, 11, 12}, {kAbsent, kAbsent, 10}};
  CHECK(print(collect(times, begun)) == "1:7 2:8 3:stale 5:10 8:11 9:12 ");
  CHECK(print(collect(times, begun, 4, 9)) == "5:10 8:11 9:12 ");
}

TEST_CASE("decimals and floats become numbers") {
  const std::vector<std::int64_t> times{1, 2};
  const std::vector<std::int64_t> decimals{100, 250};
  const std::vector<std::int64_t> reals{raw_from_double(0.1), raw_from_double(-3e9)};
  PointCollector decimal(0, 10);
  decimal.add({times, decimals.data()}, {SeriesType::gauge, Encoding::decimal, 2});
  CHECK(print(decimal.take()) == "1:1 2:2.5 ");
  PointCollector real(0, 10);
  real.add({times, reals.data()}, {SeriesType::gauge, Encoding::float64, 0});
  CHECK(print(real.take()) == "1:0.1 2:-3000000000 ");
}

TEST_CASE("two ids of one label set become one series, each read at its own scale") {
  const auto labels = std::make_shared<const Labels>(Labels{{"__name__", "m"}});
  const std::vector<WantedSeries> wanted{{1, labels, {SeriesType::gauge, Encoding::decimal, 0}},
                                         {2, labels, {SeriesType::gauge, Encoding::decimal, 1}}};
  PointSets sets(wanted, 0, 100);
  const std::vector<std::int64_t> first{1};
  const std::vector<std::int64_t> second{2};
  const std::int64_t value = 50;
  sets.add(1, {first, &value});
  sets.add(2, {second, &value});
  sets.add(3, {second, &value});
  std::vector<promql::SelectedSeries> out;
  REQUIRE(sets.take(10, out));
  REQUIRE(out.size() == 1);
  CHECK(print(out[0].points) == "1:50 2:5 ");
}

TEST_CASE("more points than allowed are a limit error") {
  const auto labels = std::make_shared<const Labels>(Labels{{"__name__", "m"}});
  const std::vector<WantedSeries> wanted{{1, labels, {}}};
  PointSets sets(wanted, 0, 100);
  const std::vector<std::int64_t> times{1, 2, 3};
  sets.add(1, {times, times.data()});
  std::vector<promql::SelectedSeries> out;
  const auto taken = sets.take(2, out);
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == Errc::limit);
}
