#include "agent/delivery/delivery.h"

#include "tests/agent/delivery/model.h"
#include "tests/support/catch.h"
#include "tests/support/fake_aggregator.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

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

  void await(const std::function<bool(const test::Stored&)>& condition) {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, seconds(30), [&] { return condition(stored_); });
    CAPTURE(broken_, stored_.durable_seq);
    REQUIRE(came);
  }
  void await_durable(std::uint64_t seq) {
    await([seq](const test::Stored& stored) { return stored.durable_seq >= seq; });
  }
  std::string broken() {
    const std::lock_guard lock(mutex_);
    return broken_;
  }
  test::Stored stored() {
    const std::lock_guard lock(mutex_);
    return stored_;
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
      auto& receiver = receivers_.try_emplace(connection, stored_).first->second;
      auto answers = receiver.take(message.SerializeAsString());
      if (answers) return Reply{std::move(*answers), false};
      broken_ = answers.error().message;
      return Reply{{}, true};
    };
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  test::Stored stored_;
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
  explicit Agent(const std::string& address) : delivery(options(address)) { delivery.start(); }
  void sample(int ticks) {
    for (int i = 0; i < ticks; ++i) {
      host.tick(builder);
      builder.flush();
    }
    sampled += ticks;
  }
  std::uint64_t last_seq() const { return builder.next_seq() - 1; }

  Host host;
  Delivery delivery;
  BatchBuilder builder{[this](EncodedBatch batch) { delivery.push(std::move(batch)); }};
  int sampled = 0;
};

void check_complete(Server& server, int sampled) {
  INFO(server.broken());
  CHECK(server.broken().empty());
  const auto times = server.stored().times_ms[1];
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

TEST_CASE("batches arrive, and a stop waits until they are durable and says Bye") {
  Server server;
  server.start();
  Agent agent(server.address());
  agent.sample(50);
  agent.delivery.stop(seconds(20));
  check_complete(server, 50);
  CHECK(server.stored().left);
  CHECK(server.connections() == 1);
  CHECK(agent.delivery.figures().durable_seq == agent.last_seq());
}

TEST_CASE("an aggregator restarted in mid-stream misses nothing and gets nothing twice") {
  Server server;
  server.start();
  const int port = server.port();
  Agent agent(server.address());
  agent.sample(70);
  server.await_durable(20);
  for (int round = 0; round < 3; ++round) {
    server.kill();
    agent.sample(90);
    agent.host.add_column();
    server.start(port);
    server.await_durable(agent.last_seq() - 5);
  }
  agent.delivery.stop(seconds(20));
  check_complete(server, agent.sampled);
  CHECK(server.stored().gaps.empty());
  CHECK(agent.delivery.figures().connects >= 4);
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
  server.await_durable(40);
  agent.delivery.stop(seconds(20));
  check_complete(server, 40);
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
  agent.sample(10);
  server.await_durable(10);
  agent.delivery.stop(seconds(20));
  check_complete(server, 10);
  CHECK(server.connections() == 3);
}

TEST_CASE("what an aggregator refuses for ever does not hold back everything after it") {
  Server server;
  server.instead = [](int, const v1::AgentMessage& message) -> std::optional<Reply> {
    if (message.has_batch() && message.batch().seq() == 3) {
      return Reply{{refusal(v1::Refusal::CODE_PROTOCOL, 10)}, true};
    }
    return {};
  };
  server.start();
  Agent agent(server.address());
  agent.sample(kBatchesPerKeyframe + 5);
  server.await_durable(agent.last_seq());
  agent.delivery.stop(seconds(20));
  REQUIRE(server.stored().gaps.size() == 1);
  CHECK(server.stored().gaps[0].reason() == "refused");
  CHECK(server.stored().gaps[0].first_seq() == 3);
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
  agent.sample(10);
  server.await_durable(10);
  agent.delivery.stop(seconds(20));
  check_complete(server, 10);
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
  server.await([&connected](const test::Stored&) { return connected.load(); });
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
  server.await([&agent](const test::Stored&) { return agent.delivery.max_series() == 77; });
  CHECK(agent.delivery.interval() == seconds(4));
}

}  // namespace vigil::agent
