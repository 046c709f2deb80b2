// The aggregator's own metrics on their way to its history.
#include "aggregator/own_metrics.h"

#include "tests/support/catch.h"

#include <cmath>
#include <map>
#include <utility>
#include <vector>

using namespace vigil;
using namespace vigil::aggregator;

namespace {

constexpr std::int64_t kNow = 1'700'000'004'321;

class Writer final : public LocalWriter {
 public:
  void write(LocalWrite write, LocalDone done) override {
    writes.push_back(std::move(write));
    waiting.push_back(std::move(done));
  }
  void answer(const LocalWritten& written = {}) {
    waiting.front()(written);
    waiting.erase(waiting.begin());
  }
  std::vector<LocalWrite> writes;
  std::vector<LocalDone> waiting;
};

std::map<std::string, promql::Point> points(const LocalWrite& write) {
  std::map<std::string, promql::Point> out;
  REQUIRE(write.series.size() == write.samples.size());
  for (std::size_t i = 0; i < write.series.size(); ++i) {
    CHECK(write.series[i].samples == 1);
    out.emplace(write.series[i].labels.to_string(), write.samples[i]);
  }
  return out;
}

}  // namespace

TEST_CASE("own metrics carry the aggregator's name, and all of a write one time on the grid") {
  self::Registry registry;
  registry.counter("vigil_x_total", "X.", {{"reason", "full"}}).add(3);
  registry.gauge("process_y", "Y.").set(0.5);
  Writer writer;
  OwnMetrics own(registry, writer, "monitor");
  own.beat(kNow);
  REQUIRE(writer.writes.size() == 1);
  CHECK(writer.writes[0].series[0].type == SeriesType::gauge);
  CHECK(writer.writes[0].series[1].type == SeriesType::counter);
  const auto written = points(writer.writes[0]);
  const auto& x = written.at(R"(vigil_x_total{instance="monitor", job="vigil", reason="full"})");
  CHECK(x.v == 3);
  CHECK(x.t_ms == 1'700'000'000'000);
  CHECK(written.at(R"(process_y{instance="monitor", job="vigil"})").v == 0.5);
}

TEST_CASE("they are written once in ten seconds, and not while the last write is under way") {
  self::Registry registry;
  registry.gauge("a", "A.");
  Writer writer;
  OwnMetrics own(registry, writer, "monitor");
  for (int second = 0; second < 6; ++second) own.beat(kNow + second * 1000);
  CHECK(writer.writes.size() == 1);
  own.beat(kNow + 6000);  // 10 s of the grid have passed, the answer is not there
  CHECK(writer.writes.size() == 1);
  writer.answer();
  own.beat(kNow + 7000);
  CHECK(writer.writes.size() == 2);
}

TEST_CASE("a series that is gone is ended, once") {
  self::Registry registry;
  self::Registry::Samples samples = {{{{"receiver", "mail"}}, 1}, {{{"receiver", "slack"}}, 2}};
  registry.collect_many(self::Kind::gauge, "waiting", "Messages.", [&samples] { return samples; });
  Writer writer;
  OwnMetrics own(registry, writer, "monitor");
  own.beat(kNow);
  writer.answer();
  samples.pop_back();
  own.beat(kNow + 10'000);
  writer.answer();
  const auto ended = points(writer.writes[1]);
  CHECK(ended.size() == 2);
  CHECK(is_stale(ended.at(R"(waiting{instance="monitor", job="vigil", receiver="slack"})").v));
  own.beat(kNow + 20'000);
  CHECK(points(writer.writes[2]).size() == 1);
}

TEST_CASE("a write that fails is tried again with the next values") {
  self::Registry registry;
  registry.gauge("a", "A.");
  Writer writer;
  OwnMetrics own(registry, writer, "monitor");
  own.beat(kNow);
  LocalWritten failed;
  failed.failed = Error{Errc::unavailable, "the disk is full"};
  writer.answer(failed);
  own.beat(kNow + 10'000);
  CHECK(writer.writes.size() == 2);
}
