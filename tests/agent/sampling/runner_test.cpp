#include "agent/sampling/runner.h"

#include "common/wire/names.h"
#include "tests/support/catch.h"
#include "tests/support/count_allocations.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>

namespace vigil::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Family kValue{"test_value", "A value.", SeriesType::gauge, 0, {"collector", "item"}};

/// Puts `items` series; does what the test says.
class Fixture final : public Collector {
 public:
  Fixture(std::string name, Lane lane, std::function<Result<void>()> behaviour = {})
      : name_(std::move(name)), lane_(lane), behaviour_(std::move(behaviour)) {}
  std::string_view name() const override { return name_; }
  Lane lane() const override { return lane_; }
  std::string_view job() const override { return job_; }
  Result<void> collect(const Tick& tick, Sheet& sheet) override {
    ++runs;
    Result<void> result;
    if (behaviour_) result = behaviour_();
    for (const std::string& item : items) sheet.put(kValue, {name_, item}, tick.wall_ms);
    return result;
  }

  std::string job_ = "node";
  std::vector<std::string> items = {"a", "b"};
  std::atomic<int> runs{0};

 private:
  std::string name_;
  Lane lane_;
  std::function<Result<void>()> behaviour_;
};

/// Keeps what the runner gave.
class Collected final : public FrameSink {
 public:
  struct Row {
    std::uint32_t source_id;
    std::uint32_t version;
    std::int64_t time_ms;
    std::vector<std::int64_t> values;
    wire::SourceSchema schema;
  };
  void take(const Frame& frame) override {
    rows.push_back({frame.schema.source_id,
                    frame.schema.version,
                    frame.time_ms,
                    {frame.values.begin(), frame.values.end()},
                    frame.schema});
  }
  /// The newest value of a series, or nothing when the newest row that has its column says absent.
  std::optional<std::int64_t> value(std::string_view name, std::string_view collector,
                                    std::string_view item = "") const {
    for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
      for (std::size_t i = 0; i < row->schema.series.size(); ++i) {
        const SeriesSpec& spec = row->schema.series[i];
        if (spec.name != name || spec.labels.get("collector") != collector || spec.labels.get("item") != item)
          continue;
        if (row->values[i] == kAbsent) return {};
        return row->values[i];
      }
    }
    return {};
  }
  std::vector<Row> rows;
};

class Discard final : public FrameSink {
 public:
  void take(const Frame& frame) override { cells += frame.values.size(); }
  std::size_t cells = 0;
};

std::vector<PlannedCollector> plan(std::vector<std::pair<Fixture*, milliseconds>> collectors) {
  std::vector<PlannedCollector> planned;
  for (auto& [collector, interval] : collectors) {
    planned.push_back({std::unique_ptr<Collector>(collector), interval});
  }
  return planned;
}

constexpr std::int64_t kStartMs = 1'700'000'000'000;
Tick tick_at(int second) {
  return {kStartMs + second * 1000, std::chrono::steady_clock::time_point(seconds(100 + second))};
}
constexpr auto kStart = std::chrono::steady_clock::time_point(seconds(100));

/// A gate a collector can hang at, and the wake-ups of the runner.
class Gate {
 public:
  void wait() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void await_waiter() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ > 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int waiting_ = 0;
};

/// Lets the test wait for the runner's wake-up call.
class WakeUps {
 public:
  std::function<void()> callback() {
    return [this] {
      const std::lock_guard lock(mutex_);
      ++count_;
      changed_.notify_all();
    };
  }
  void await(int count) {
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, seconds(20), [&] { return count_ >= count; }));
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

}  // namespace

TEST_CASE("collectors of one job and cadence form one source") {
  auto* other_job = new Fixture("c", Lane::beat);
  other_job->job_ = "container";
  Runner runner(
      plan({{new Fixture("a", Lane::beat), seconds(1)},
            {new Fixture("b", Lane::beat), seconds(1)},
            {other_job, seconds(1)},
            {new Fixture("d", Lane::beat), seconds(10)}}),
      {}, [] {}, kStart);
  Collected out;
  runner.beat(tick_at(0), out);
  REQUIRE(out.rows.size() == 4);  // node at 1 s, container, node at 10 s, status
  CHECK(out.rows[0].values.size() == 4);
  CHECK(out.rows[1].schema.job == "container");
  CHECK(out.rows[2].schema.interval_ms == 10'000);
  CHECK(out.value("node_scrape_collector_success", "d") == 1);
  std::set<std::uint32_t> ids;
  for (const auto& row : out.rows) ids.insert(row.source_id);
  CHECK(ids.size() == 4);
}

TEST_CASE("each collector runs at its own cadence, on multiples of it") {
  auto* fast = new Fixture("fast", Lane::beat);
  auto* slow = new Fixture("slow", Lane::beat);
  Runner runner(
      plan({{fast, seconds(1)}, {slow, seconds(10)}}), {}, [] {}, kStart);
  Discard out;
  for (int second = 3; second <= 32; ++second) runner.beat(tick_at(second), out);
  CHECK(fast->runs == 30);
  CHECK(slow->runs == 4);         // at once, and at 10, 20, 30
  runner.beat(tick_at(41), out);  // the beat at 40 was missed
  CHECK(slow->runs == 5);
}

TEST_CASE("a collector that fails costs only itself") {
  bool failing = true;
  Runner runner(
      plan({{new Fixture("bad", Lane::beat,
                         [&failing]() -> Result<void> {
                           if (failing) return fail(Errc::io, "no");
                           return {};
                         }),
             seconds(1)},
            {new Fixture("good", Lane::beat), seconds(1)},
            {new Fixture("not here", Lane::beat,
                         []() -> Result<void> { return fail(Errc::unsupported, "no"); }),
             seconds(1)}}),
      {}, [] {}, kStart);
  Collected out;
  for (int second = 0; second <= 10; ++second) runner.beat(tick_at(second), out);
  CHECK(out.value("node_scrape_collector_success", "bad") == 0);
  CHECK(out.value("vigil_collector_age_seconds", "bad") == 10);
  CHECK(out.value("node_scrape_collector_success", "good") == 1);
  CHECK(out.value("vigil_collector_age_seconds", "good") == 0);
  CHECK_FALSE(out.value("node_scrape_collector_success", "not here"));
  CHECK(out.value("test_value", "good", "a") == kStartMs + 10'000);
  CHECK(out.value("test_value", "bad", "a") == kStartMs + 10'000);  // what it put is delivered all the same
  failing = false;
  for (int second = 11; second <= 15; ++second) runner.beat(tick_at(second), out);
  CHECK(out.value("node_scrape_collector_success", "bad") == 1);
}

TEST_CASE("what a host does not have is looked for once a minute") {
  auto* missing =
      new Fixture("missing", Lane::beat, []() -> Result<void> { return fail(Errc::unsupported, "no"); });
  Runner runner(
      plan({{missing, seconds(1)}}), {}, [] {}, kStart);
  Discard out;
  for (int second = 0; second < 180; ++second) runner.beat(tick_at(second), out);
  CHECK(missing->runs == 3);
}

TEST_CASE("a row taken apart has the stamp of the beat that started it") {
  WakeUps wakes;
  Runner runner(plan({{new Fixture("apart", Lane::apart), seconds(1)}}), {}, wakes.callback(), kStart);
  Collected out;
  runner.beat(tick_at(0), out);
  wakes.await(1);
  runner.poll(tick_at(0).steady + milliseconds(5), out);
  CHECK(out.value("test_value", "apart", "a") == kStartMs);
  CHECK_FALSE(runner.waiting());
}

TEST_CASE("a collector that hangs delays nothing, is not started twice, and its series go absent") {
  WakeUps wakes;
  Gate gate;
  std::atomic<bool> hang{false};
  auto* stuck = new Fixture("stuck", Lane::apart, [&]() -> Result<void> {
    if (hang) gate.wait();
    return {};
  });
  auto* good = new Fixture("good", Lane::beat);
  Runner runner(plan({{stuck, seconds(1)}, {good, seconds(1)}}), {}, wakes.callback(), kStart);
  Collected out;
  runner.beat(tick_at(0), out);
  wakes.await(1);
  runner.poll(tick_at(0).steady, out);
  CHECK(out.value("test_value", "stuck", "a") == kStartMs);

  hang = true;
  for (int second = 1; second <= 20; ++second) runner.beat(tick_at(second), out);
  gate.await_waiter();
  CHECK(good->runs == 21);
  CHECK(stuck->runs == 2);
  CHECK_FALSE(out.value("test_value", "stuck", "a"));  // absent, neither repeated nor 0
  CHECK(out.value("node_scrape_collector_success", "stuck") == 0);
  CHECK(out.value("vigil_collector_age_seconds", "stuck") == 20);

  hang = false;
  gate.open();
  wakes.await(2);
  runner.poll(tick_at(20).steady, out);
  CHECK_FALSE(out.value("test_value", "stuck", "a"));  // what came too late is not shown under an old stamp
  runner.beat(tick_at(21), out);
  wakes.await(3);
  runner.poll(tick_at(21).steady, out);
  CHECK(out.value("test_value", "stuck", "a") == kStartMs + 21'000);

  std::map<std::uint32_t, std::int64_t> last;
  for (const auto& row : out.rows) {
    CHECK(row.time_ms > last[row.source_id]);
    last[row.source_id] = row.time_ms;
  }
}

TEST_CASE("a collector that hangs does not keep the program from ending") {
  auto gate = std::make_shared<Gate>();  // the thread left behind waits at it
  const auto start = std::chrono::steady_clock::now();
  {
    Runner runner(
        plan({{new Fixture("stuck", Lane::apart,
                           [gate]() -> Result<void> {
                             gate->wait();
                             return {};
                           }),
               seconds(1)}}),
        {}, [] {}, kStart);
    Discard out;
    runner.beat(tick_at(0), out);
    gate->await_waiter();
  }
  CHECK(std::chrono::steady_clock::now() - start < seconds(5));
  gate->open();
}

TEST_CASE("series past the agent's limit are left out and counted") {
  auto* many = new Fixture("many", Lane::beat);
  many->items.clear();
  for (int i = 0; i < 50; ++i) many->items.push_back(std::to_string(i));
  auto* later = new Fixture("later", Lane::beat);
  Runner runner(
      plan({{many, seconds(1)}, {later, seconds(2)}}), {.max_series = 60}, [] {}, kStart);
  Collected out;
  runner.beat(tick_at(0), out);
  CHECK(out.rows[0].values.size() == 45);  // three quarters
  CHECK(out.rows[1].values.size() == 2);
  CHECK(runner.series() == 45 + 2 + 6);
  CHECK(runner.series_left_out() == 5);
}

TEST_CASE("collectors that have too much crowd out neither each other nor what tells about the agent") {
  std::vector<std::pair<Fixture*, milliseconds>> floods;
  for (const char* name : {"one", "two", "three"}) {
    floods.emplace_back(new Fixture(name, Lane::beat), seconds(1));
    floods.back().first->items.clear();
    for (int i = 0; i < 1000; ++i) floods.back().first->items.push_back(std::to_string(i));
  }
  auto* self = new Fixture("agent", Lane::beat);
  self->job_ = "vigil_agent";
  floods.emplace_back(self, seconds(5));
  Runner runner(
      plan(floods), {.max_series = 800}, [] {}, kStart);
  Collected out;
  runner.beat(tick_at(0), out);
  CHECK(out.value("test_value", "one", "0"));
  CHECK(out.value("test_value", "two", "0"));
  CHECK(out.value("test_value", "agent", "b"));
  CHECK(out.value("node_scrape_collector_success", "agent") == 1);
  CHECK(runner.series() <= 800);
  CHECK(runner.series_left_out() > 2000);
}

TEST_CASE("what a collector apart has too many of is counted, as of its latest run") {
  WakeUps wakes;
  auto* many = new Fixture("many", Lane::apart);
  many->items.clear();
  for (int i = 0; i < 50; ++i) many->items.push_back(std::to_string(i));
  Runner runner(plan({{many, seconds(1)}}), {.max_series = 10}, wakes.callback(), kStart);
  Collected out;
  for (int run = 1; run <= 3; ++run) {
    runner.beat(tick_at(run), out);
    wakes.await(run);
    runner.poll(tick_at(run).steady, out);
    CHECK(out.rows.back().values.size() == 8);
    CHECK(runner.series_left_out() == 42);  // not 42 more with each run
  }
}

TEST_CASE("series whose names and labels exceed a message are left out and counted, the others are sent") {
  constexpr std::size_t kItems = 4'900;  // more than 1 MiB of labels, none of them twice
  Fixture fixture("long", Lane::beat);
  fixture.items.clear();
  for (std::size_t i = 0; i < kItems; ++i) fixture.items.push_back(std::string(245, 'x') + std::to_string(i));
  Sheet sheet(5000);
  sheet.begin();
  REQUIRE(fixture.collect(Tick{}, sheet));
  sheet.end();
  Source source(1, "node", milliseconds(1000));
  source.add(sheet);
  source.refresh(5000, 5000);
  CHECK(source.width() > 3'600);
  CHECK(source.cut() == kItems - source.width());
  CHECK(source.fill(1).values.size() == source.width());
  v1::AgentMessage message;
  wire::to_wire(source.schema(), *message.mutable_schema());
  CHECK(message.ByteSizeLong() <= static_cast<std::size_t>(wire::kMaxMessageBytes));
  CHECK(wire::from_wire(message.schema()));
}

TEST_CASE("columns that come and go raise the schema's version by one") {
  auto* changing = new Fixture("changing", Lane::beat);
  Runner runner(
      plan({{changing, seconds(1)}}), {}, [] {}, kStart);
  Collected out;
  runner.beat(tick_at(1), out);
  changing->items.emplace_back("c");
  changing->items.emplace_back("d");
  runner.beat(tick_at(2), out);
  runner.beat(tick_at(3), out);
  std::vector<std::uint32_t> versions;
  for (const auto& row : out.rows) {
    if (row.source_id == 1) versions.push_back(row.version);
  }
  CHECK(versions == std::vector<std::uint32_t>{1, 2, 2});
}

TEST_CASE("a beat allocates nothing in the steady state") {
  Runner runner(
      plan({{new Fixture("a", Lane::beat), seconds(1)}, {new Fixture("b", Lane::beat), seconds(2)}}), {},
      [] {}, kStart);
  Discard out;
  for (int second = 0; second < 10; ++second) runner.beat(tick_at(second), out);
  const auto before = test::allocation_count();
  for (int second = 10; second < 110; ++second) runner.beat(tick_at(second), out);
  CHECK(test::allocation_count() == before);
  CHECK(out.cells > 300);
}

}  // namespace vigil::agent
