#include "agent/delivery/delivery.h"

#include "tests/agent/delivery/model.h"
#include "tests/support/catch.h"
#include "tests/support/error_lines.h"
#include "tests/support/fake_aggregator.h"
#include "tests/support/temp_file.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>

namespace vigil::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Host;
using vigil::test::FakeAggregator;
using vigil::test::Reply;

/// A strict aggregator whose state outlives its restarts, and that can be told to misbehave.
class Server {
 public:
  void start(int port = 0) { fake_ = std::make_unique<FakeAggregator>(script(), port); }
  /// Ends the process, so to say: connections and what they decoded are gone, what is durable stays.
  void kill() {
    fake_.reset();
    receivers_.clear();
  }
  int port() const { return fake_->port(); }
  std::string address() const { return fake_->address(); }
  int connections() const { return fake_->connections(); }

  void await(const std::function<bool(const test::Streams&)>& condition) {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, seconds(30), [&] { return condition(streams_); });
    CAPTURE(broken_, test::all_times(streams_).size());
    REQUIRE(came);
  }
  /// Of all streams together.
  void await_rows(std::size_t count) {
    await([count](const test::Streams& streams) { return test::all_times(streams).size() >= count; });
  }
  std::string broken() {
    const std::lock_guard lock(mutex_);
    return broken_;
  }
  test::Streams streams() {
    const std::lock_guard lock(mutex_);
    return streams_;
  }
  std::vector<v1::Gap> gaps() { return test::all_gaps(streams()); }
  bool left() {
    const auto all = streams();
    return std::any_of(all.begin(), all.end(), [](const auto& each) { return each.second.left; });
  }
  /// Times of the rows of source 1 in the order they came.
  std::vector<std::int64_t> order() {
    const std::lock_guard lock(mutex_);
    return order_;
  }
  /// Asked before each message is taken; gives what to do instead.
  std::function<std::optional<Reply>(int connection, const v1::AgentMessage& message)> instead;

 private:
  FakeAggregator::Script script() {
    return [this](int connection, const v1::AgentMessage& message) {
      const std::lock_guard lock(mutex_);
      changed_.notify_all();
      if (instead) {
        if (auto reply = instead(connection, message)) return std::move(*reply);
      }
      test::Stored& stored = stored_of(connection, message);
      auto& receiver = receivers_.try_emplace(connection, stored).first->second;
      const std::size_t before = stored.rows();
      auto answers = receiver.take(message.SerializeAsString());
      for (std::size_t i = before; i < stored.rows(); ++i) order_.push_back(stored.times_ms[1][i]);
      if (answers) return Reply{std::move(*answers), false};
      broken_ = answers.error().message;
      return Reply{{}, true};
    };
  }

  test::Stored& stored_of(int connection, const v1::AgentMessage& message) {
    if (message.has_hello()) stream_of_[connection] = message.hello().stream_id();
    return streams_[stream_of_[connection]];
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  test::Streams streams_;
  std::vector<std::int64_t> order_;
  std::map<int, std::string> stream_of_;
  std::map<int, test::Receiver> receivers_;
  std::string broken_;
  std::unique_ptr<FakeAggregator> fake_;
};

DeliveryOptions options(const std::string& address) {
  DeliveryOptions out;
  out.channel.address = address;
  out.identity.name = "web-1";
  out.identity.machine_id = std::string(16, 'm');
  out.identity.stream_id = std::string(16, 's');
  return out;
}

/// An agent without collectors.
struct Agent {
  explicit Agent(const std::string& address) : Agent(options(address)) {}
  explicit Agent(DeliveryOptions with) : delivery(std::move(with)) { delivery.start(); }
  void sample(int ticks) {
    for (int i = 0; i < ticks; ++i) {
      if (delivery.begins_stream()) builder.begin_stream();
      host.tick(builder);
      builder.flush();
    }
    sampled += ticks;
  }
  /// Life goes on until so many rows have arrived.
  void sample_until(Server& server, std::size_t rows) {
    for (int i = 0; i < 3000 && test::all_times(server.streams()).size() < rows; ++i) {
      sample(1);
      std::this_thread::sleep_for(milliseconds(10));
    }
    server.await_rows(rows);
  }

  Host host;
  Delivery delivery;
  BatchBuilder builder{[this](EncodedBatch batch) { delivery.push(std::move(batch)); }};
  int sampled = 0;
};

void check_complete(Server& server, int sampled) {
  INFO(server.broken());
  CHECK(server.broken().empty());
  const auto times = test::all_times(server.streams());
  REQUIRE(times.size() == static_cast<std::size_t>(sampled));
  for (std::size_t i = 1; i < times.size(); ++i) REQUIRE(times[i] == times[i - 1] + 1000);
}

v1::AggregatorMessage refusal(v1::Refusal::Code code, std::uint32_t retry_after_ms) {
  v1::AggregatorMessage message;
  message.mutable_refusal()->set_code(code);
  message.mutable_refusal()->set_message("scripted");
  message.mutable_refusal()->set_retry_after_ms(retry_after_ms);
  return message;
}

}  // namespace

TEST_CASE("batches arrive over one stream, and a stop waits until they are durable and says Bye") {
  Server server;
  server.start();
  Agent agent(server.address());
  for (int i = 1; i <= 5; ++i) {
    agent.sample(6);
    server.await_rows(static_cast<std::size_t>(i) * 6);
    CHECK(server.connections() == 1);
  }
  agent.delivery.stop(seconds(20));
  check_complete(server, 30);
  CHECK(server.left());
}

TEST_CASE("an aggregator restarted in mid-stream misses nothing and gets nothing twice") {
  Server server;
  server.start();
  const int port = server.port();
  Agent agent(server.address());
  agent.sample(70);
  agent.sample_until(server, 20);
  for (int round = 0; round < 3; ++round) {
    server.kill();
    agent.sample(90);
    agent.host.add_column();
    server.start(port);
    agent.sample_until(server, static_cast<std::size_t>(agent.sampled));
  }
  agent.delivery.stop(seconds(20));
  check_complete(server, agent.sampled);
  CHECK(server.gaps().empty());
  CHECK(agent.delivery.figures().connects >= 4);
  CHECK(agent.delivery.figures().backfills >= 3);
}

TEST_CASE("a stream cut after any few messages goes on where it was") {
  Server server;
  int taken = 0;
  server.instead = [&taken](int connection, const v1::AgentMessage&) -> std::optional<Reply> {
    if (connection <= 3 && ++taken % 7 == 0) return Reply{{}, true};
    return {};
  };
  server.start();
  Agent agent(server.address());
  agent.sample(40);
  agent.sample_until(server, 40);
  agent.delivery.stop(seconds(20));
  check_complete(server, agent.sampled);
}

TEST_CASE("a refused agent comes back when it was told to, and then delivers all") {
  Server server;
  server.instead = [](int connection, const v1::AgentMessage&) -> std::optional<Reply> {
    if (connection == 1) return Reply{{refusal(v1::Refusal::CODE_DUPLICATE, 100)}, true};
    if (connection == 2) return Reply{{refusal(v1::Refusal::CODE_UNAVAILABLE, 50)}, true};
    return {};
  };
  server.start();
  Agent agent(server.address());
  agent.sample(5);
  server.await_rows(5);
  agent.delivery.stop(seconds(20));
  check_complete(server, 5);
  CHECK(server.connections() == 3);
}

TEST_CASE("what an aggregator refuses for ever does not hold back everything after it") {
  Server server;
  server.instead = [](int, const v1::AgentMessage& message) -> std::optional<Reply> {
    constexpr std::int64_t kThirdTick = 1'700'000'003'000;
    if (message.has_batch() && message.batch().sources(0).first_time_ms() == kThirdTick) {
      return Reply{{refusal(v1::Refusal::CODE_PROTOCOL, 10)}, true};
    }
    return {};
  };
  server.start();
  Agent agent(server.address());
  agent.sample(kBatchesPerKeyframe + 5);
  agent.sample_until(server, 5);
  server.await([](const test::Streams& streams) { return !test::all_gaps(streams).empty(); });
  agent.delivery.stop(seconds(20));
  REQUIRE(server.gaps().size() == 1);
  CHECK(server.gaps()[0].reason() == "refused");
}

TEST_CASE("hostile answers end the connection and nothing else") {
  Server server;
  server.instead = [](int connection, const v1::AgentMessage& message) -> std::optional<Reply> {
    if (connection == 1) return Reply{{test::ack(5)}, false};
    if (connection == 2) {  // what was sent between the two answers is nothing to the script
      if (!message.has_hello()) return Reply{};
      return Reply{{test::welcome(0), test::ack(~0ULL)}, false};
    }
    return {};
  };
  server.start();
  Agent agent(server.address());
  agent.sample(5);
  server.await_rows(5);
  agent.delivery.stop(seconds(20));
  check_complete(server, agent.sampled);
}

TEST_CASE("other certificates are taken up at once, and no sample is lost or sent twice over it") {
  Server server;
  server.start();
  std::atomic<int> asked = 0;
  DeliveryOptions with = options(server.address());
  with.fresh_tls = [&asked]() -> std::optional<TlsMaterial> {
    ++asked;
    return std::nullopt;
  };
  Agent agent(std::move(with));
  agent.sample(10);
  agent.sample_until(server, 10);
  CHECK(asked == 1);
  const auto began = std::chrono::steady_clock::now();
  for (int round = 2; round <= 4; ++round) {
    agent.delivery.reconnect();
    agent.sample_until(server, static_cast<std::size_t>(agent.sampled) + 5);
    for (int i = 0; i < 1000 && agent.delivery.figures().connects < static_cast<std::uint64_t>(round); ++i)
      agent.sample_until(server, static_cast<std::size_t>(agent.sampled) + 1);
    CHECK(asked == round);
  }
  CHECK(std::chrono::steady_clock::now() - began < seconds(20));
  agent.delivery.stop(seconds(20));
  check_complete(server, agent.sampled);
  CHECK(agent.delivery.figures().failures == 0);
  CHECK(server.gaps().empty());
}

TEST_CASE("another stream is begun when the Hello is to say something else, and no sample is lost over it") {
  Server server;
  std::mutex mutex;
  std::vector<std::pair<std::string, std::int64_t>>
      hellos;  // the label env, and the interval, of live streams
  server.instead = [&](int, const v1::AgentMessage& message) -> std::optional<Reply> {
    if (!message.has_hello()) return std::nullopt;
    const std::lock_guard lock(mutex);
    const auto& labels = message.hello().labels();
    hellos.emplace_back(labels.empty() ? "" : labels.at(0).value(), message.hello().interval_ms());
    return std::nullopt;
  };
  server.start();
  const int port = server.port();
  Agent agent(server.address());
  agent.sample_until(server, 10);
  const auto streams = [&] { return server.streams().size(); };
  const bool is_away = GENERATE(false, true);
  if (is_away) {
    server.kill();
    agent.sample(20);
  }
  agent.delivery.begin_stream({milliseconds(2000), {{"env", "prod"}}});
  agent.sample(20);
  if (is_away) server.start(port);
  for (int i = 0; i < 3000 && streams() < 2; ++i) {
    agent.sample(1);
    std::this_thread::sleep_for(milliseconds(10));
  }
  CHECK(streams() == 2);
  agent.sample_until(server, static_cast<std::size_t>(agent.sampled) + 5);
  agent.delivery.stop(seconds(20));
  check_complete(server, agent.sampled);
  CHECK(agent.delivery.figures().failures <= 1);
  CHECK(server.gaps().empty());
  const std::lock_guard lock(mutex);
  CHECK(hellos.front() == std::pair<std::string, std::int64_t>{"", 1000});
  CHECK(std::ranges::count(hellos, std::pair<std::string, std::int64_t>{"prod", 2000}) >= 1);
}

TEST_CASE("a stop does not hang on an aggregator that never answers") {
  Server server;
  std::atomic<bool> connected{false};
  server.instead = [&connected](int, const v1::AgentMessage&) -> std::optional<Reply> {
    connected = true;
    return Reply{};
  };
  server.start();
  Agent agent(server.address());
  agent.sample(5);
  server.await([&connected](const test::Streams&) { return connected.load(); });
  const auto start = std::chrono::steady_clock::now();
  agent.delivery.stop(milliseconds(300));
  CHECK(std::chrono::steady_clock::now() - start < seconds(5));
}

TEST_CASE("a stop does not hang on a port that takes connections and never speaks") {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(listener >= 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  REQUIRE(::listen(listener, 1) == 0);
  socklen_t size = sizeof(address);
  REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  const auto start = std::chrono::steady_clock::now();
  {
    Agent agent("127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
    agent.sample(5);
    agent.delivery.stop(milliseconds(300));
  }
  CHECK(std::chrono::steady_clock::now() - start < seconds(5));
  ::close(listener);
}

TEST_CASE("a stop with nobody listening is quick") {
  Server server;
  server.start();
  const std::string address = server.address();
  server.kill();
  Agent agent(address);
  agent.sample(5);
  const auto start = std::chrono::steady_clock::now();
  agent.delivery.stop(seconds(10));
  CHECK(std::chrono::steady_clock::now() - start < seconds(5));
  agent.sample(1);  // and what comes afterwards is harmless
}

TEST_CASE("the aggregator's wishes reach the beat's thread") {
  Server server;
  server.instead = [](int, const v1::AgentMessage& message) -> std::optional<Reply> {
    if (!message.has_hello()) return {};
    auto welcome = test::welcome(0);
    welcome.mutable_welcome()->set_delivery_interval_ms(4'000);
    welcome.mutable_welcome()->set_max_series(77);
    return Reply{{welcome}, true};
  };
  server.start();
  Agent agent(server.address());
  CHECK(agent.delivery.interval() == seconds(1));
  server.await([&agent](const test::Streams&) { return agent.delivery.max_series() == 77; });
  CHECK(agent.delivery.interval() == seconds(4));
}

TEST_CASE("after an outage what is sampled now arrives first, and what had waited behind it") {
  Server server;
  server.start();
  const int port = server.port();
  Agent agent(server.address());
  agent.sample(5);
  server.await_rows(5);
  server.kill();
  agent.sample(3000);
  const std::int64_t outage_ended = agent.host.time_ms();
  server.start(port);
  const auto live_came = [&] {
    const auto times = test::all_times(server.streams());
    return times.back() > outage_ended;
  };
  for (int i = 0; i < 3000 && !live_came(); ++i) {
    agent.sample(1);
    std::this_thread::sleep_for(milliseconds(10));
  }
  REQUIRE(live_came());
  server.await_rows(static_cast<std::size_t>(agent.sampled));
  agent.delivery.stop(seconds(20));
  check_complete(server, agent.sampled);
  const auto order = server.order();
  const auto first_live =
      std::find_if(order.begin() + 5, order.end(), [&](std::int64_t t) { return t > outage_ended; });
  CHECK(first_live - order.begin() < 100);  // of 3,000: at most what came while a stream was begun
  CHECK(server.gaps().empty());
}

TEST_CASE("what waits is said to be delivered once the aggregator took the host, not at each refusal") {
  const vigil::test::TempDir dir;
  Server server;
  std::atomic<int> refused = 0;
  server.instead = [&](int connection, const v1::AgentMessage&) -> std::optional<Reply> {
    if (connection > 3) return {};
    refused = connection;
    return Reply{{refusal(v1::Refusal::CODE_UNAVAILABLE, 10)}, true};
  };
  server.start();
  vigil::test::ErrorLines lines(dir.file("log"));
  Agent agent(server.address());
  for (int connection = 1; connection <= 3; ++connection) {
    for (int i = 0; i < 3000 && refused < connection; ++i) {
      agent.sample(20);
      std::this_thread::sleep_for(milliseconds(10));
    }
  }
  agent.sample_until(server, static_cast<std::size_t>(agent.sampled));
  agent.delivery.stop(seconds(20));
  std::vector<std::string> said;
  for (const std::string& line : lines.end_of("delivery")) {
    if (line.find("connected aggregator") != std::string::npos) said.emplace_back("connected");
    if (line.find("is delivered behind") != std::string::npos) said.emplace_back("behind");
  }
  REQUIRE(refused == 3);
  CHECK(said.size() == 3);  // not connected, which is said once, connected, and what waits
  CHECK(said.back() == "behind");
}

}  // namespace vigil::agent
