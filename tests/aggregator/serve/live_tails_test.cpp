// Live tails, by a gRPC client of this process and a clock of the test's.
#include "aggregator/serve/live_tails.h"

#include "aggregator/head/shard_set.h"
#include "aggregator/serve/query_service.h"
#include "tests/support/catch.h"

#include <atomic>
#include <thread>

using namespace vigil;
using namespace vigil::aggregator;
using std::chrono::milliseconds;

namespace {

constexpr std::int64_t kStart = 1'700'000'400'000;

/// One host with two series, and the Query service over it.
class Served {
 public:
  explicit Served(TailLimits limits = {}, QueryLimits queries = {})
      : engine_(view_, queries),
        tails_(engine_,
               {[this] { return kStart + passed_ms_; },
                [this] { return LiveTails::Clock::time_point(milliseconds(passed_ms_)); }},
               limits) {
    HostRecord record;
    record.name = "web-1";
    record.machine_id = std::string(16, 'm');
    record.interval_ms = 1000;
    Shard& shard = shards_.at(0);
    host_ = *shard.enroll(record, kStart);
    const std::vector<SeriesSpec> specs = {{"node_load1", {}, SeriesType::gauge, Encoding::decimal, 0},
                                           {"node_load5", {}, SeriesType::gauge, Encoding::decimal, 0}};
    host_->head.set_columns(1, {"node", 1000}, *shard.columns(*host_, {"node", 1000}, specs, kStart));
    append(kStart, 7);
    shard.worker().start();
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = v1::Query::NewStub(server_->InProcessChannel({}));
    // As the aggregator's timer, often: a tail whose turn it was not has it at the next beat.
    timer_ = std::jthread([this](const std::stop_token& over) {
      while (!over.stop_requested()) {
        tails_.tick();
        std::this_thread::yield();
      }
    });
  }
  ~Served() {
    timer_.request_stop();
    timer_.join();
    tails_.stop();
    server_->Shutdown();
  }

  /// Of now.
  void sample(std::int64_t value) {
    std::atomic<bool> done = false;
    shards_.at(0).worker().insist([&] {
      append(kStart + passed_ms_, value);
      done = true;
    });
    while (!done) std::this_thread::yield();
  }
  void pass(milliseconds time) { passed_ms_ += time.count(); }
  void wait_for(std::size_t tails) const {
    while (tails_.size() != tails) std::this_thread::yield();
  }
  LiveTails& tails() { return tails_; }
  v1::Query::Stub& stub() { return *stub_; }
  QueryEngine& engine() { return engine_; }

 private:
  void append(std::int64_t t_ms, std::int64_t value) {
    const std::vector<std::int64_t> row = {value, value};
    host_->head.append(1, t_ms, row);
    shards_.at(0).rows_arrived(*host_, {t_ms, t_ms}, t_ms);
  }

  std::atomic<std::int64_t> passed_ms_ = 0;
  ShardSet shards_{1, {}, nullptr};
  FleetView view_{shards_, nullptr};
  QueryEngine engine_;
  LiveTails tails_;
  QueryService service_{engine_, tails_, [this] { return kStart + passed_ms_; }};
  Host* host_ = nullptr;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::Query::Stub> stub_;
  std::jthread timer_;
};

/// A client's side of one tail.
class Watcher {
 public:
  Watcher(Served& served, const std::string& expression, std::int64_t interval_ms = 1000,
          bool changes_only = false) {
    v1::WatchRequest request;
    request.set_expression(expression);
    request.set_interval_ms(interval_ms);
    request.set_changes_only(changes_only);
    reader_ = served.stub().Watch(&context_, request);
  }
  v1::WatchUpdate next() {
    v1::WatchUpdate update;
    REQUIRE(reader_->Read(&update));
    return update;
  }
  grpc::Status end() {
    v1::WatchUpdate update;
    while (reader_->Read(&update)) {
    }
    return reader_->Finish();
  }
  void leave() { context_.TryCancel(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::WatchUpdate>> reader_;
};

double value_of(const v1::WatchUpdate& update) {
  REQUIRE(update.error().empty());
  REQUIRE(update.result().series_size() == 1);
  REQUIRE(update.result().series(0).values_size() == 1);
  return update.result().series(0).values(0);
}

}  // namespace

TEST_CASE("a tail shows what an expression gives, now and at every interval") {
  Served served;
  Watcher watcher(served, "node_load1");
  served.wait_for(1);
  const auto first = watcher.next();
  CHECK(first.time_ms() == kStart);
  CHECK(value_of(first) == 7);
  CHECK(first.result().kind() == v1::QueryResult::KIND_VECTOR);

  served.pass(milliseconds(999));  // nothing is due yet
  served.sample(8);
  served.pass(milliseconds(1));
  const auto second = watcher.next();
  CHECK(second.time_ms() == kStart + 1000);
  CHECK(value_of(second) == 8);
  CHECK(second.skipped() == 0);
}

TEST_CASE("instants that passed while nothing was evaluated are told, and not made up for") {
  Served served;
  Watcher watcher(served, "node_load1");
  served.wait_for(1);
  watcher.next();
  served.pass(milliseconds(4500));
  CHECK(watcher.next().skipped() == 3);
  served.pass(milliseconds(500));
  const auto third = watcher.next();
  CHECK(third.skipped() == 0);
  CHECK(third.time_ms() == kStart + 5000);
}

TEST_CASE("with changes_only an update comes when a value is another, whatever the time") {
  Served served;
  Watcher watcher(served, "node_load1", 1000, true);
  Watcher beside(served, "node_load1");  // tells when a round is over
  served.wait_for(2);
  CHECK(value_of(watcher.next()) == 7);
  beside.next();
  for (int i = 0; i < 3; ++i) {
    served.pass(milliseconds(1000));
    beside.next();
  }
  served.pass(milliseconds(1000));
  served.sample(9);
  beside.next();
  served.pass(milliseconds(1000));
  const auto changed = watcher.next();
  CHECK(value_of(changed) == 9);
  CHECK(changed.time_ms() >= kStart + 4000);
}

TEST_CASE("what fails for the moment is told, and the tail goes on") {
  Served served;
  Watcher watcher(served, "{__name__=~\"node_load.\"} + on() {__name__=~\"node_load.\"}");
  served.wait_for(1);
  const auto failed = watcher.next();
  CHECK(!failed.error().empty());
  CHECK_FALSE(failed.has_result());
  served.pass(milliseconds(1000));
  CHECK(!watcher.next().error().empty());
}

TEST_CASE("more series than a tail may have are an error that says what to do") {
  Served served({.tails = 4, .running = 1, .series = 1});
  Watcher watcher(served, "{__name__=~\"node_load.\"}");
  served.wait_for(1);
  CHECK(watcher.next().error() ==
        "2 series are more than the 1 that can be watched; topk() or an aggregation makes fewer of them");
}

TEST_CASE("a tail that can never be is refused at once") {
  Served served({.tails = 1, .running = 1, .series = 10});
  CHECK(Watcher(served, "rate(node_load1").end().error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  CHECK(Watcher(served, "up", 99).end().error_message() == "interval_ms: 99 must be from 100 to 3600000");
  CHECK(Watcher(served, "up", -1).end().error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  CHECK(Watcher(served, "up", 3'600'001).end().error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  Watcher only(served, "up");
  served.wait_for(1);
  CHECK(Watcher(served, "up").end().error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  CHECK(served.tails().size() == 1);
}

TEST_CASE("a client that goes ends its tail") {
  Served served;
  Watcher watcher(served, "node_load1");
  served.wait_for(1);
  watcher.leave();
  served.wait_for(0);
  served.pass(milliseconds(1000));
  CHECK(watcher.end().error_code() == grpc::StatusCode::CANCELLED);
}

TEST_CASE("a client that does not read costs no evaluations, and the others none of theirs") {
  Served served;
  Watcher deaf(served, "node_load1");
  Watcher watcher(served, "node_load5");
  served.wait_for(2);
  watcher.next();
  for (int i = 0; i < 200; ++i) {  // gRPC takes some, then no more
    served.pass(milliseconds(1000));
    watcher.next();
  }
  deaf.leave();
  served.wait_for(1);
}

TEST_CASE("the end of the aggregator ends the tails, and no new ones begin") {
  Served served;
  Watcher watcher(served, "node_load1");
  served.wait_for(1);
  watcher.next();
  served.tails().stop();
  CHECK(watcher.end().error_code() == grpc::StatusCode::UNAVAILABLE);
  CHECK(Watcher(served, "node_load1").end().error_code() == grpc::StatusCode::UNAVAILABLE);
}

TEST_CASE("many tails take one query thread at a time, and a question passes them") {
  Served served({.tails = 64, .running = 1, .series = 10}, {.threads = 1});
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (int i = 0; i < 40; ++i) watchers.push_back(std::make_unique<Watcher>(served, "node_load1"));
  served.wait_for(40);
  std::atomic<bool> go = false;
  REQUIRE(served.engine().submit([&go] {
    while (!go) std::this_thread::yield();
  }));  // one of them stands in line now, not forty
  std::atomic<bool> asked = false;
  REQUIRE(served.engine().submit([&asked] { asked = true; }));
  go = true;
  for (auto& watcher : watchers) CHECK(value_of(watcher->next()) == 7);  // each in its turn
  CHECK(asked);
}
