#include "aggregator/serve/query_engine.h"

#include "aggregator/head/shard_set.h"
#include "tests/support/catch.h"

#include <sys/resource.h>
#include <unistd.h>

#include <future>

using namespace vigil;
using namespace vigil::aggregator;

namespace {

constexpr std::int64_t kNow = 1'700'000'400'000;

/// Forty hosts with five counters each, a row a second for two minutes.
class Fleet {
 public:
  Fleet() {
    for (int i = 0; i < 40; ++i) {
      HostRecord record;
      record.name = fmt::format("web-{:02}", i);
      record.machine_id = std::string(16, 'm');
      record.interval_ms = 1000;
      Shard& shard = shards_.of(record.name);
      Host& host = **shard.enroll(record, kNow);
      std::vector<SeriesSpec> specs;
      for (int n = 0; n < 5; ++n)
        specs.push_back({"m_total", {{"n", std::to_string(n)}}, SeriesType::counter, Encoding::decimal, 1});
      host.head.set_columns(1, {"node", 1000}, *shard.columns(host, {"node", 1000}, specs, kNow));
      for (std::int64_t t = 0; t < 120; ++t)
        host.head.append(1, kNow - 119'000 + t * 1000,
                         std::vector<std::int64_t>{t * i, t * 3, t * t, t % 50, 7 * t + i});
    }
    for (std::size_t i = 0; i < shards_.size(); ++i) shards_.at(i).worker().start();
  }
  FleetView& view() { return view_; }

 private:
  ShardSet shards_{2, {}, nullptr};
  FleetView view_{shards_, nullptr};
};

Result<promql::MatrixValue> hour(const QueryEngine& engine, const std::string& expression,
                                 const QueryEngine::Cancelled& cancelled = {}) {
  return engine.range(expression, {kNow - 3'600'000, kNow, 15'000}, std::chrono::minutes(5), cancelled);
}

/// Runs `work` on a query thread and waits for it.
template <class Work>
void on_query_thread(QueryEngine& engine, Work work) {
  std::promise<void> done;
  REQUIRE(engine.submit([&] {
    work();
    done.set_value();
  }));
  done.get_future().wait();
}

}  // namespace

TEST_CASE("with the help of other threads a query gives what it gives alone, to the last digit") {
  Fleet fleet;
  QueryEngine alone(fleet.view(), {.threads = 1});
  QueryEngine together(fleet.view(), {.threads = 4});
  for (const std::string expression : {"rate(m_total[5m])", "m_total", "sum by (n) (rate(m_total[1m]))",
                                       "avg(m_total)", "topk(3, m_total)"}) {
    INFO(expression);
    const auto one = hour(alone, expression);
    REQUIRE(one);
    REQUIRE_FALSE(one->series.empty());
    on_query_thread(together, [&] {
      const auto many = hour(together, expression);
      REQUIRE(many);
      REQUIRE(many->series.size() == one->series.size());
      for (std::size_t i = 0; i < one->series.size(); ++i) {
        CHECK(*many->series[i].labels == *one->series[i].labels);
        CHECK(many->series[i].points == one->series[i].points);
      }
    });
  }
}

TEST_CASE("an error on one of several threads is the query's error") {
  Fleet fleet;
  QueryEngine engine(fleet.view(), {.threads = 4, .max_samples = 1000});
  on_query_thread(engine, [&] { CHECK(hour(engine, "rate(m_total[5m])").error().code == Errc::limit); });
}

TEST_CASE("a query whose client has gone ends") {
  Fleet fleet;
  QueryEngine engine(fleet.view(), {.threads = 2});
  std::atomic<int> asked = 0;
  const auto gone = [&asked] { return ++asked > 3; };
  on_query_thread(engine,
                  [&] { CHECK(hour(engine, "rate(m_total[5m])", gone).error().code == Errc::timeout); });
}

TEST_CASE("what a query may cost is limited, and the error names the key") {
  Fleet fleet;
  const QueryEngine engine(fleet.view(),
                           {.max_steps = 100, .max_expression_bytes = 40, .max_regex_bytes = 8});
  const auto error = [&](const std::string& expression) {
    const auto value = hour(engine, expression);
    REQUIRE_FALSE(value);
    CHECK(value.error().code == Errc::limit);
    return value.error().message;
  };
  CHECK(error("m_total").find("241 points") != std::string::npos);
  CHECK(error(std::string(41, ' ')).find("query.max_expression") != std::string::npos);
  CHECK(error("sum(rate(m_total{n=~\"123456789\"}[5m]))").find("query.max_regex") != std::string::npos);
  CHECK(engine.instant("m_total{n=~\"12345678\"}", kNow, {}));
}

TEST_CASE("queries beyond the line are refused with the key that makes it longer") {
  Fleet fleet;
  std::promise<void> release;
  std::promise<void> begun;
  QueryEngine engine(fleet.view(), {.threads = 1, .waiting = 1});  // ends first: its thread has both
  REQUIRE(engine.submit([&] {
    begun.set_value();
    release.get_future().wait();
  }));
  begun.get_future().wait();
  REQUIRE(engine.submit([] {}));
  const auto refused = engine.submit([] {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("query.max_waiting") != std::string::npos);
  release.set_value();
}

TEST_CASE("query threads give way to those that take samples") {
  Fleet fleet;
  QueryEngine engine(fleet.view(), {});
  int nice = 0;
  on_query_thread(engine, [&] { nice = getpriority(PRIO_PROCESS, static_cast<id_t>(gettid())); });
  CHECK(nice >= 10);
  CHECK(nice > getpriority(PRIO_PROCESS, static_cast<id_t>(gettid())));
}
