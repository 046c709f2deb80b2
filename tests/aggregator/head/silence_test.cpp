// Holes in what collectors tell of themselves.
#include "aggregator/head/silence.h"

#include "tests/support/catch.h"

#include <random>
#include <set>

using namespace vigil;
using namespace vigil::aggregator;

namespace {

constexpr std::int64_t kStart = 1'700'000'000'000;

/// Points each `step_ms` in [from, to), seconds after kStart, of one collector; `value` of all.
promql::SelectedSeries series(const std::string& collector, std::int64_t from_s, std::int64_t to_s,
                              std::int64_t step_ms = 1000, double value = 1) {
  promql::SelectedSeries out;
  out.labels = std::make_shared<const Labels>(
      Labels{{"__name__", "node_scrape_collector_success"}, {"collector", collector}});
  for (std::int64_t t = kStart + from_s * 1000; t < kStart + to_s * 1000; t += step_ms)
    out.points.push_back({t, value});
  return out;
}

Span seconds(std::int64_t first_s, std::int64_t last_s) {
  return {kStart + first_s * 1000, kStart + last_s * 1000};
}

}  // namespace

TEST_CASE("A host is silent where no collector left a trace, whatever their intervals are") {
  Traces traces(kStart, 1000);
  traces.add(series("cpu", 0, 60));
  traces.add(series("filesystem", 0, 60, 10'000));
  traces.add(series("cpu", 100, 200));
  traces.add(series("filesystem", 100, 200, 10'000));
  CHECK(traces.silences(kStart + 199'000) == Spans{seconds(60, 99)});
  CHECK(traces.blocked().empty());
}

TEST_CASE("A collector that ends, or comes later, is no silence") {
  Traces traces(kStart, 1000);
  traces.add(series("old", 0, 50));
  traces.add(series("cpu", 0, 200));
  traces.add(series("new", 150, 200));
  CHECK(traces.silences(kStart + 199'000).empty());
}

TEST_CASE("One collector's end does not hide a later silence of all") {
  Traces traces(kStart, 1000);
  traces.add(series("old", 0, 50));
  traces.add(series("cpu", 0, 100));
  traces.add(series("cpu", 150, 200));
  CHECK(traces.silences(kStart + 199'000) == Spans{seconds(100, 149)});
}

TEST_CASE("Silence before the first trace and after the last one counts, a few beats do not") {
  Traces traces(kStart, 1000);
  traces.add(series("cpu", 20, 40));
  traces.add(series("cpu", 42, 60));
  CHECK(traces.silences(kStart + 80'000) == Spans{seconds(0, 19), seconds(60, 80)});
  CHECK(traces.silences(kStart + 61'000) == Spans{seconds(0, 19)});
}

TEST_CASE("A slow agent is not silent between its beats") {
  Traces traces(kStart, 10'000);
  traces.add(series("cpu", 0, 600, 10'000));
  CHECK(traces.silences(kStart + 599'000).empty());
  traces.add(series("cpu", 700, 800, 10'000));
  CHECK(traces.silences(kStart + 799'000) == Spans{seconds(600, 690)});
}

TEST_CASE("Points of a coarser tier stand for their bucket") {
  Traces traces(kStart, 1000);
  auto minutes = series("cpu", 59, 3600, 60'000);
  minutes.points.erase(minutes.points.begin() + 10, minutes.points.begin() + 20);
  minutes.coarse_until_ms = kStart + 3'600'000;
  minutes.coarse_ms = 60'000;
  traces.add(minutes);
  traces.add(series("cpu", 3600, 3700));
  const Spans silent = traces.silences(kStart + 3'699'000);
  REQUIRE(silent.size() == 1);
  CHECK(silent[0].first_ms == kStart + 9 * 60'000 + 60'000);
  CHECK(silent[0].last_ms == kStart + 20 * 60'000 - 1000);
}

TEST_CASE("The end of a coarser tier is no silence") {
  Traces traces(kStart, 1000);
  auto minutes = series("cpu", 59, 3600, 60'000);
  minutes.coarse_until_ms = kStart + 3'600'000;
  minutes.coarse_ms = 60'000;
  traces.add(minutes);
  CHECK(traces.silences(kStart + 3'599'000 + 56'000).empty());
  CHECK(traces.silences(kStart + 3'800'000) == Spans{seconds(3600, 3800)});
}

TEST_CASE("Intervals that begin irregularly, or change, are no holes") {
  Traces traces(kStart, 1000);
  auto status = series("filesystem", 4, 5);  // one second before its slot
  const auto rest = series("filesystem", 5, 600, 5000);
  status.points.insert(status.points.end(), rest.points.begin(), rest.points.end());
  for (auto& point : status.points)
    if (point.t_ms >= kStart + 200'000 && point.t_ms < kStart + 300'000) point.v = 0;
  traces.add(status);
  auto load = series("", 0, 200);
  load.labels = std::make_shared<const Labels>(Labels{{"__name__", "node_load1"}});
  for (const auto& more : {series("", 200, 400, 10'000), series("", 400, 600)})
    load.points.insert(load.points.end(), more.points.begin(), more.points.end());
  traces.add(load);
  CHECK(traces.silences(kStart + 599'000).empty());
  const auto blocked = traces.blocked();
  REQUIRE(blocked.size() == 1);
  CHECK(blocked[0].span == seconds(200, 295));
  CHECK(traces.first_ms() == kStart);
  CHECK(traces.newest_ms() == kStart + 599'000);
}

TEST_CASE("What collectors tell each five seconds hides no short silence, and ends a long one") {
  const auto load = [](std::int64_t from_s, std::int64_t to_s) {
    auto points = series("", from_s, to_s);
    points.labels = std::make_shared<const Labels>(Labels{{"__name__", "node_load1"}});
    return points;
  };
  Traces traces(kStart, 1000);
  traces.add(load(0, 100));
  traces.add(load(109, 200));
  traces.add(series("cpu", 0, 100, 5000));
  traces.add(series("cpu", 109, 600, 5000));
  CHECK(traces.silences(kStart + 599'000) == Spans{seconds(100, 108)});  // from 200 on only node_load1 is off
}

TEST_CASE("One sample between two outages closes neither") {
  Traces traces(kStart, 1000);
  traces.add(series("cpu", 0, 100));
  traces.add(series("cpu", 160, 161));
  traces.add(series("cpu", 220, 300));
  CHECK(traces.silences(kStart + 299'000) == Spans{seconds(100, 159), seconds(161, 219)});
}

TEST_CASE("A collector that fails for some beats was blocked then") {
  Traces traces(kStart, 1000);
  traces.add(series("cpu", 0, 100));
  traces.add(series("filesystem", 0, 30));
  traces.add(series("filesystem", 30, 50, 1000, 0));
  traces.add(series("filesystem", 50, 70));
  traces.add(series("filesystem", 70, 71, 1000, 0));  // once: no more than a beat that was missed
  traces.add(series("filesystem", 71, 100));
  traces.add(series("hwmon", 0, 50, 10'000));
  traces.add(series("hwmon", 50, 60, 10'000, 0));  // once, but ten seconds of it are missing
  traces.add(series("hwmon", 60, 100, 10'000));
  const auto blocked = traces.blocked();
  REQUIRE(blocked.size() == 2);
  CHECK(blocked[0].collector == "filesystem");
  CHECK(blocked[0].span == seconds(30, 49));
  CHECK(blocked[1].collector == "hwmon");
  CHECK(blocked[1].span == seconds(50, 50));
  CHECK(traces.silences(kStart + 99'000).empty());
}

TEST_CASE("Only what collectors tell of themselves tells of failures") {
  Traces traces(kStart, 1000);
  auto load = series("", 0, 100, 1000, 0);
  load.labels = std::make_shared<const Labels>(Labels{{"__name__", "node_load1"}});
  traces.add(load);
  CHECK(traces.blocked().empty());
  CHECK(traces.silences(kStart + 99'000).empty());
}

TEST_CASE("Staleness markers are no traces") {
  Traces traces(kStart, 1000);
  auto points = series("cpu", 0, 10);
  points.points.push_back({kStart + 10'000, stale_marker()});
  traces.add(points);
  CHECK(traces.silences(kStart + 30'000) == Spans{seconds(10, 30)});
  CHECK(traces.blocked().empty());
}

TEST_CASE("Spans are intersected and subtracted as sets of times are") {
  std::mt19937 random(7);
  const auto draw = [&] {
    Spans spans;
    for (std::int64_t at = 0; at < 60;) {
      const std::int64_t first = at + static_cast<std::int64_t>(random() % 10);
      const std::int64_t last = first + static_cast<std::int64_t>(random() % 8);
      spans.push_back({first, last});
      at = last + 2;
    }
    return spans;
  };
  const auto times = [](const Spans& spans) {
    std::set<std::int64_t> all;
    for (const Span& span : spans)
      for (std::int64_t t = span.first_ms; t <= span.last_ms; ++t) CHECK(all.insert(t).second);
    return all;
  };
  for (int i = 0; i < 500; ++i) {
    const Spans a = draw();
    const Spans b = draw();
    std::set<std::int64_t> both;
    std::set<std::int64_t> only;
    for (const std::int64_t t : times(a)) (times(b).contains(t) ? both : only).insert(t);
    CHECK(times(intersect(a, b)) == both);
    CHECK(times(subtract(a, b)) == only);
  }
}
