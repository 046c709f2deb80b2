// The service over real sockets: what only gRPC can do to us.
#include "aggregator/ingest/service.h"

#include "aggregator/ingest/grpc_server.h"
#include "aggregator/ingest/recovery.h"
#include "aggregator/store/history.h"
#include "common/log/log.h"
#include "tests/aggregator/ingest/fake_agent.h"
#include "tests/aggregator/store/folder_fixture.h"
#include "tests/support/catch.h"

#include <arpa/inet.h>
#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <utility>

using namespace vigil;
using namespace vigil::aggregator;
using namespace vigil::aggregator::testing;

namespace {

using Stream = grpc::ClientReaderWriter<v1::AgentMessage, v1::AggregatorMessage>;

/// A server on a free port with two shards, without a history (so that batches are durable at once) or with
/// one that commits when told to. The clock stands at kT0.
struct Fixture {
  explicit Fixture(std::size_t max_streams = 100, const ShardOptions& shard_options = {},
                   std::unique_ptr<History> with = nullptr)
      : history(std::move(with)), shards(2, shard_options, history.get()) {
    ServiceOptions options;
    options.max_streams = max_streams;
    options.now_ms = [this] { return now.load(); };
    options.may_speak = [this](const std::string& certificate,
                               const std::string& host) -> Result<identity::Speaker> {
      if (!certificate.empty()) return fail(Errc::internal, "plain text shows a certificate");
      return speaks_as ? speaks_as(host) : Result<identity::Speaker>(identity::Speaker{});
    };
    service = std::make_unique<IngestService>(shards, counters, options);
    if (history) {
      REQUIRE(recover(*history, shards, kT0));
      history->start({[this](std::span<const DurableBatch> batches) { service->durable(batches); },
                      [](const Error& error) { FAIL_CHECK(error.message); }});
    }
    for (std::size_t i = 0; i < shards.size(); ++i) shards.at(i).worker().start();
    GrpcServerOptions server_options;
    server_options.listen = {"127.0.0.1", 0};
    auto started = GrpcServer::start(server_options, {service.get()});
    REQUIRE(started);
    server = std::move(*started);
    stub = v1::Ingest::NewStub(
        grpc::CreateChannel(server->address().to_string(), grpc::InsecureChannelCredentials()));
  }
  ~Fixture() {
    service->stop();
    server->stop(std::chrono::seconds(5));
    for (std::size_t i = 0; i < shards.size(); ++i) shards.at(i).worker().stop();
    if (history) history->close();
  }

  std::uint64_t refused(const std::string& reason) const {
    const std::string text = registry.exposition();
    const std::string key = "vigil_aggregator_refused_total{reason=\"" + reason + "\"} ";
    return std::stoull(text.substr(text.find(key) + key.size()));
  }

  std::atomic<std::int64_t> now = kT0;
  std::function<Result<identity::Speaker>(const std::string& host)> speaks_as;
  self::Registry registry;
  IngestCounters counters{registry};
  std::unique_ptr<History> history;
  ShardSet shards;
  std::unique_ptr<IngestService> service;
  std::unique_ptr<GrpcServer> server;
  std::unique_ptr<v1::Ingest::Stub> stub;
};

struct Call {
  explicit Call(Fixture& fixture) {
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(60));  // a failure, not a hang
    stream = fixture.stub->Stream(&context);
  }
  ~Call() {
    context.TryCancel();
    v1::AggregatorMessage unread;
    while (stream->Read(&unread)) {
    }
    if (!finished) (void)stream->Finish();
  }
  grpc::Status finish() {
    finished = true;
    return stream->Finish();
  }
  v1::AggregatorMessage read() {
    v1::AggregatorMessage message;
    if (!stream->Read(&message)) ended = true;
    return message;
  }
  /// Reads on until the stream ends; the refusal, if there was one.
  v1::Refusal refusal() {
    while (!ended) {
      const v1::AggregatorMessage message = read();
      if (message.has_refusal()) last = message.refusal();
    }
    return last;
  }
  /// Reads on until this batch is acknowledged.
  bool acknowledged(std::uint64_t seq) {
    while (!ended) {
      const v1::AggregatorMessage message = read();
      if (message.has_ack() && message.ack().durable_seq() == seq) return true;
    }
    return false;
  }

  grpc::ClientContext context;
  std::unique_ptr<Stream> stream;
  v1::Refusal last;
  bool ended = false;
  bool finished = false;
};

void eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 2000 && !holds(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK(holds());
}

}  // namespace

TEST_CASE("an agent's stream over the wire: welcome, acknowledgements, a clean end") {
  Fixture f;
  FakeAgent agent;
  Call call(f);
  REQUIRE(call.stream->Write(agent.hello()));
  CHECK(call.read().welcome().max_message_bytes() == 1U << 20);
  REQUIRE(call.stream->Write(agent.schema()));
  for (int i = 0; i < 200; ++i) REQUIRE(call.stream->Write(agent.batch({kT0 + i * 1000}, i == 0)));
  CHECK(call.acknowledged(200));
  eventually(
      [&] { return f.counters.rows.value() == 200; });  // counted after the acknowledgement is on its way
  REQUIRE(call.stream->WritesDone());
  CHECK(call.refusal().code() == v1::Refusal::CODE_UNSPECIFIED);
  CHECK(call.finish().ok());
  eventually([&] { return f.service->streams() == 0; });
}

TEST_CASE("a batch is acknowledged once it is on disk, and with the acknowledgement the next one is read") {
  const TemporaryFolder folder;
  auto opened = History::open(test_options(folder.path()));
  REQUIRE(opened);
  Fixture f(100, {}, std::move(*opened));
  FakeAgent agent;
  Call call(f);
  REQUIRE(call.stream->Write(agent.hello()));
  CHECK(call.read().has_welcome());
  REQUIRE(call.stream->Write(agent.schema()));
  for (std::uint64_t seq = 1; seq <= 5; ++seq) {
    REQUIRE(call.stream->Write(agent.batch({kT0 + static_cast<std::int64_t>(seq) * 1000}, seq == 1)));
    eventually([&] { return f.counters.rows.value() == seq; });
    REQUIRE(f.history->sync());
    REQUIRE(call.acknowledged(seq));
  }
  REQUIRE(call.stream->WritesDone());
  CHECK(call.refusal().code() == v1::Refusal::CODE_UNSPECIFIED);
  CHECK(call.finish().ok());
  eventually([&] { return f.service->streams() == 0; });
}

TEST_CASE("whoever does not say Hello first, or in time, is refused and counted") {
  Fixture f;
  FakeAgent agent;
  Call rude(f);
  REQUIRE(rude.stream->Write(agent.schema()));
  CHECK(rude.refusal().code() == v1::Refusal::CODE_PROTOCOL);
  eventually([&] { return f.service->streams() == 0; });
  Call silent(f);
  eventually([&] { return f.service->streams() == 1; });
  f.service->sweep();
  f.now += 10'000;
  f.service->sweep();
  CHECK(silent.refusal().message().find("no Hello within 10000 ms") != std::string::npos);
  CHECK(f.refused("protocol") == 2);
}

TEST_CASE("a message beyond 1 MiB ends its stream and nothing else") {
  Fixture f;
  FakeAgent good("web-1");
  FakeAgent evil("web-2");
  Call good_call(f);
  REQUIRE(good_call.stream->Write(good.hello()));
  CHECK(good_call.read().has_welcome());
  Call evil_call(f);
  REQUIRE(evil_call.stream->Write(evil.hello()));
  CHECK(evil_call.read().has_welcome());
  v1::AgentMessage huge = evil.schema();
  for (int i = 0; i < 9000; ++i) huge.mutable_schema()->add_symbols(std::string(250, 'x'));
  (void)evil_call.stream->Write(huge);
  (void)evil_call.refusal();
  CHECK_FALSE(evil_call.finish().ok());
  REQUIRE(good_call.stream->Write(good.schema()));
  REQUIRE(good_call.stream->Write(good.batch({kT0}, true)));
  CHECK(good_call.acknowledged(1));
}

TEST_CASE("bytes that are no message end their stream with a refusal") {
  Fixture f;
  const auto channel =
      grpc::CreateChannel(f.server->address().to_string(), grpc::InsecureChannelCredentials());
  grpc::internal::RpcMethod method("/vigil.v1.Ingest/Stream", grpc::internal::RpcMethod::BIDI_STREAMING,
                                   channel);
  grpc::ClientContext context;
  const std::unique_ptr<grpc::ClientReaderWriter<grpc::ByteBuffer, v1::AggregatorMessage>> stream(
      grpc::internal::ClientReaderWriterFactory<grpc::ByteBuffer, v1::AggregatorMessage>::Create(
          channel.get(), method, &context));
  const auto write = [&](const std::string& bytes) {
    grpc::Slice slice(bytes);
    return stream->Write(grpc::ByteBuffer(&slice, 1));
  };
  REQUIRE(write(FakeAgent().hello().SerializeAsString()));
  v1::AggregatorMessage answer;
  REQUIRE(stream->Read(&answer));
  CHECK(answer.has_welcome());
  REQUIRE(write("\x1a\x7f\x01"));  // a Batch that claims more bytes than there are
  REQUIRE(stream->Read(&answer));
  CHECK(answer.refusal().code() == v1::Refusal::CODE_PROTOCOL);
  CHECK_FALSE(stream->Read(&answer));
  CHECK(stream->Finish().ok());
  CHECK(f.refused("protocol") == 1);
}

TEST_CASE("a host whose certificate is another's is refused at Hello, and told why") {
  Fixture f;
  f.speaks_as = [](const std::string& host) -> Result<identity::Speaker> {
    if (host == "web-1") return identity::Speaker{"aa", kT0 + 60'000};
    return fail(Errc::permission, "the certificate is not for {}", host);
  };
  Call thief(f);
  REQUIRE(thief.stream->Write(FakeAgent("web-2").hello()));
  const v1::Refusal refusal = thief.refusal();
  CHECK(refusal.code() == v1::Refusal::CODE_IDENTITY);
  CHECK(refusal.message() == "the certificate is not for web-2");
  CHECK(refusal.retry_after_ms() > 0);
  CHECK(f.refused("identity") == 1);
  CHECK(f.counters.streams.value() == 0);
  Call owner(f);
  REQUIRE(owner.stream->Write(FakeAgent("web-1").hello()));
  CHECK(owner.read().has_welcome());
}

TEST_CASE("a stream ends when its certificate is revoked, and others go on") {
  Fixture f;
  f.speaks_as = [](const std::string& host) { return identity::Speaker{"of " + host, kT0 + 60'000}; };
  FakeAgent agent("web-2");
  Call revoked(f);
  Call other(f);
  REQUIRE(revoked.stream->Write(FakeAgent("web-1").hello()));
  CHECK(revoked.read().has_welcome());
  REQUIRE(other.stream->Write(agent.hello()));
  CHECK(other.read().has_welcome());
  f.service->revoked({"of web-1", "of nobody"});
  CHECK(revoked.refusal().code() == v1::Refusal::CODE_IDENTITY);
  // What was admitted before, and says Hello only now, comes too late.
  Call again(f);
  REQUIRE(again.stream->Write(FakeAgent("web-1").hello()));
  CHECK(again.refusal().message() == "the certificate was revoked");
  REQUIRE(other.stream->Write(agent.schema()));
  REQUIRE(other.stream->Write(agent.batch({kT0}, true)));
  CHECK(other.acknowledged(1));
}

TEST_CASE("a stream ends when its certificate does") {
  Fixture f;
  f.speaks_as = [](const std::string& host) {
    return identity::Speaker{host, host == "web-1" ? kT0 + 60'000 : kT0 + 60'001};
  };
  Call first(f);
  Call second(f);
  REQUIRE(first.stream->Write(FakeAgent("web-1").hello()));
  CHECK(first.read().has_welcome());
  REQUIRE(second.stream->Write(FakeAgent("web-2").hello()));
  CHECK(second.read().has_welcome());
  f.now = kT0 + 59'999;
  f.service->sweep();
  CHECK(f.refused("identity") == 0);
  f.now = kT0 + 60'000;
  f.service->sweep();
  CHECK(f.refused("identity") == 1);
  CHECK(first.refusal().message() == "the certificate expired");
}

TEST_CASE("one stream too many is refused as unavailable") {
  Fixture f(1);
  FakeAgent agent;
  Call first(f);
  REQUIRE(first.stream->Write(agent.hello()));
  CHECK(first.read().has_welcome());
  Call second(f);
  CHECK(second.refusal().code() == v1::Refusal::CODE_UNAVAILABLE);
}

TEST_CASE("where streams are too many, one that says nothing makes room, the oldest first") {
  Fixture f(2);
  FakeAgent agent;
  Call oldest(f);
  eventually([&] { return f.service->streams() == 1; });
  Call younger(f);
  eventually([&] { return f.service->streams() == 2; });
  Call live(f);
  REQUIRE(live.stream->Write(agent.hello()));
  CHECK(live.read().has_welcome());
  CHECK(oldest.refusal().message() == "too many streams, and no Hello came");
  eventually([&] { return f.service->streams() == 2; });
  FakeAgent other("other");
  Call next(f);
  REQUIRE(next.stream->Write(other.hello()));
  CHECK(next.read().has_welcome());
  CHECK(younger.refusal().code() == v1::Refusal::CODE_UNAVAILABLE);
  eventually([&] { return f.service->streams() == 2; });
  // Now both are agents, and nobody makes room.
  Call refused(f);
  CHECK(refused.refusal().message() == "too many streams");
  CHECK(f.refused("unavailable") == 3);
}

namespace {

/// A stream whose client never says that it has room for an answer, which no client of gRPC can be had to do.
class ShutStream {
 public:
  explicit ShutStream(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    ::inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    std::string headers;
    for (const auto& [name, value] : {std::pair<std::string, std::string>{":method", "POST"},
                                      {":scheme", "http"},
                                      {":path", "/vigil.v1.Ingest/Stream"},
                                      {":authority", "here"},
                                      {"te", "trailers"},
                                      {"content-type", "application/grpc"}}) {
      headers += '\0';  // a literal that is not to be remembered: RFC 7541, section 6.2.2
      headers += static_cast<char>(name.size()) + name;
      headers += static_cast<char>(value.size()) + value;
    }
    const std::string bytes = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" +
                              frame(4, 0, 0, std::string("\0\4\0\0\0\0", 6)) +  // no window
                              frame(1, 4, 1, headers);
    REQUIRE(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }
  ~ShutStream() { ::close(fd_); }
  ShutStream(const ShutStream&) = delete;
  ShutStream& operator=(const ShutStream&) = delete;

 private:
  static std::string frame(char type, char flags, char stream, const std::string& payload) {
    std::string out{0, 0, static_cast<char>(payload.size()), type, flags, 0, 0, 0, stream};
    return out + payload;
  }
  int fd_;
};

}  // namespace

TEST_CASE("a stream whose client does not take its refusal is cancelled and keeps no place") {
  Fixture f(1);
  const ShutStream shut(f.server->address().port);
  eventually([&] { return f.service->streams() == 1; });
  f.now = kT0 + 10'000;
  f.service->sweep();
  CHECK(f.refused("protocol") == 1);
  f.now = kT0 + 19'999;
  f.service->sweep();
  CHECK(f.service->streams() == 1);
  f.now = kT0 + 20'000;
  f.service->sweep();
  eventually([&] { return f.service->streams() == 0; });
  FakeAgent agent;
  Call live(f);
  REQUIRE(live.stream->Write(agent.hello()));
  CHECK(live.read().has_welcome());
}

TEST_CASE("a new host past the limit ends as RESOURCE_EXHAUSTED, for clients that know no refusals") {
  ShardOptions options;
  options.enrol = {1, 600};
  Fixture f(100, options);
  Call first(f);
  REQUIRE(first.stream->Write(FakeAgent("web-1").hello()));
  CHECK(first.read().has_welcome());
  Call second(f);
  REQUIRE(second.stream->Write(FakeAgent("web-2").hello()));
  CHECK(second.refusal().code() == v1::Refusal::CODE_FULL);
  const grpc::Status status = second.finish();
  CHECK(status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  CHECK(status.error_message().find("ingest.max_hosts") != std::string::npos);
}

TEST_CASE("the end of a stream reaches its shard through a full queue") {
  Fixture f;
  std::promise<void> release;
  const std::size_t shard = f.shards.directory().shard_of(std::string_view("web-1"));
  {
    Call call(f);
    REQUIRE(call.stream->Write(FakeAgent("web-1").hello()));
    CHECK(call.read().has_welcome());
    Worker& worker = f.shards.at(shard).worker();
    REQUIRE(worker.post([&] { release.get_future().wait(); }));
    while (worker.post([] {})) {
    }
  }
  eventually([&] { return f.service->streams() == 0; });
  release.set_value();
  eventually([&] { return f.service->intake(shard).streams() == 0; });
}

TEST_CASE("a port that is closed and opened anew serves the same agents") {
  Fixture f;
  Call before(f);
  REQUIRE(before.stream->Write(FakeAgent("web-1").hello()));
  CHECK(before.read().has_welcome());
  GrpcServerOptions options;
  options.listen = f.server->address();
  f.server->stop(std::chrono::milliseconds(100));
  f.server.reset();
  eventually([&] { return f.service->streams() == 0; });
  auto again = GrpcServer::start(options, {f.service.get()});
  REQUIRE(again);
  f.server = std::move(*again);
  f.stub = v1::Ingest::NewStub(
      grpc::CreateChannel(options.listen.to_string(), grpc::InsecureChannelCredentials()));
  Call after(f);
  REQUIRE(after.stream->Write(FakeAgent("web-1").hello()));
  CHECK(after.read().has_welcome());
}

TEST_CASE(
    "stopping ends open streams with a reason, within the deadline, even for an agent that does not listen") {
  const auto fixture = std::make_unique<Fixture>();
  FakeAgent agent;
  Call listening(*fixture);
  REQUIRE(listening.stream->Write(agent.hello()));
  CHECK(listening.read().has_welcome());
  FakeAgent deaf_agent("web-2");
  Call deaf(*fixture);
  REQUIRE(deaf.stream->Write(deaf_agent.hello()));
  eventually([&] { return fixture->counters.streams.value() == 2; });
  const auto began = std::chrono::steady_clock::now();
  fixture->service->stop();
  fixture->server->stop(std::chrono::seconds(5));
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(10));
  CHECK(listening.refusal().code() == v1::Refusal::CODE_UNAVAILABLE);
  eventually([&] { return fixture->service->streams() == 0; });
}

TEST_CASE("many agents connect, send and vanish at the same time") {
  log::set_level(log::Level::error);
  Fixture f;
  std::vector<std::thread> agents;
  std::atomic<int> good = 0;
  for (int i = 0; i < 8; ++i) {
    agents.emplace_back([&f, &good, i] {
      for (int round = 0; round < 10; ++round) {
        FakeAgent agent(fmt::format("host-{}", i), static_cast<char>('a' + round));
        Call call(f);
        if (!call.stream->Write(agent.hello())) continue;
        if (!call.stream->Write(agent.schema())) continue;
        for (int k = 0; k < 20; ++k) (void)call.stream->Write(agent.batch({kT0 + k * 1000}, k == 0));
        // A stream of before may still be ending: then this one is a duplicate for a moment.
        if (round % 2 == 0 && call.acknowledged(20)) ++good;
      }
    });
  }
  for (std::thread& agent : agents) agent.join();
  CHECK(good > 0);
  eventually([&] { return f.service->streams() == 0; });
  eventually([&] { return f.service->intake(0).streams() + f.service->intake(1).streams() == 0; });
  log::set_level(log::Level::info);
}

TEST_CASE("an occupied port is a conflict that names the address") {
  Fixture f;
  GrpcServerOptions options;
  options.listen = f.server->address();
  const auto second = GrpcServer::start(options, {});
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Errc::conflict);
  CHECK(second.error().message.find(f.server->address().to_string()) != std::string::npos);
}
