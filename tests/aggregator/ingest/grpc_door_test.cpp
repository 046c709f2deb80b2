#include "aggregator/ingest/grpc_door.h"

#include "tests/aggregator/ingest/door_figures.h"
#include "tests/support/catch.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <future>
#include <string>
#include <thread>

using namespace vigil;
using namespace vigil::aggregator;

namespace {

/// A gRPC server without services behind a door.
struct Behind {
  explicit Behind(const door::Limits& limits, bool is_guarded = false) : tally("grpc", registry) {
    door = GrpcDoor::open({{"127.0.0.1", 0}, limits, &tally, is_guarded}).value();
    grpc::ServerBuilder builder;
    auto inside = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        grpc::InsecureServerCredentials());
    builder.RegisterCallbackGenericService(&nothing);
    server = builder.BuildAndStart();
    REQUIRE(server);
    door->start(std::move(inside));
  }
  ~Behind() {
    door->stop();
    server->Shutdown(std::chrono::system_clock::now());
  }

  OwnedFd connect(const char* source) const {
    OwnedFd made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in from{};
    from.sin_family = AF_INET;
    ::inet_pton(AF_INET, source, &from.sin_addr);
    REQUIRE(::bind(made.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from) == 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(door->address().port);
    ::inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    REQUIRE(::connect(made.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    return made;
  }
  /// gRPC's server speaks first: its settings. Who was refused reads the end.
  static bool is_in(const OwnedFd& connection) {
    static constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    (void)!::send(connection.get(), kPreface.data(), kPreface.size(), MSG_NOSIGNAL);
    char byte = 0;
    return ::recv(connection.get(), &byte, 1, 0) == 1;
  }

  /// As gRPC names it.
  static std::string name_of(const OwnedFd& connection) {
    sockaddr_in own{};
    socklen_t bytes = sizeof own;
    REQUIRE(::getsockname(connection.get(), reinterpret_cast<sockaddr*>(&own), &bytes) == 0);
    std::array<char, INET_ADDRSTRLEN> text{};
    ::inet_ntop(AF_INET, &own.sin_addr, text.data(), text.size());
    return fmt::format("ipv4:{}:{}", text.data(), ntohs(own.sin_port));
  }
  /// Frames of a type that nobody knows, which HTTP/2 has a server ignore: nobody answers them.
  static bool send_unknown_frames(const OwnedFd& connection, std::size_t bytes) {
    static constexpr char kSettings[] = "\0\0\0\4\0\0\0\0\0";
    static constexpr char kUnknown[] = "\0\x10\0\xF0\0\0\0\0\0";
    std::string frames(kSettings, 9);
    while (frames.size() < bytes) frames += std::string(kUnknown, 9) + std::string(4096, 'x');
    for (std::size_t sent = 0; sent < frames.size();) {
      const auto some = ::send(connection.get(), frames.data() + sent, frames.size() - sent, MSG_NOSIGNAL);
      if (some <= 0) return false;
      sent += static_cast<std::size_t>(some);
    }
    return true;
  }
  /// Reads to the end, which the other side makes.
  static bool is_ended(const OwnedFd& connection) {
    const timeval patience{60, 0};
    ::setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    std::array<char, 4096> bytes{};
    for (;;) {
      const auto got = ::recv(connection.get(), bytes.data(), bytes.size(), 0);
      if (got <= 0) return got == 0 || errno == ECONNRESET;
    }
  }
  self::Registry registry;
  door::Tally tally;
  grpc::CallbackGenericService nothing;
  std::unique_ptr<GrpcDoor> door;
  std::unique_ptr<grpc::Server> server;
};

/// This process's other end of a connection; -1: there is none.
int accepted_end(const OwnedFd& connection) {
  const auto port_of = [](auto* name_of, int fd) {
    sockaddr_in address{};
    socklen_t bytes = sizeof address;
    const bool is_ipv4 =
        name_of(fd, reinterpret_cast<sockaddr*>(&address), &bytes) == 0 && address.sin_family == AF_INET;
    return is_ipv4 ? address.sin_port : 0;
  };
  for (int fd = 3; fd < 1024; ++fd) {
    if (port_of(::getpeername, fd) == port_of(::getsockname, connection.get())) return fd;
  }
  return -1;
}

/// Standard error whose reader has stopped reading, until somebody drains it.
class StuckErrors {
 public:
  StuckErrors() : before_(::dup(STDERR_FILENO)) {
    REQUIRE(::pipe2(ends_.data(), O_CLOEXEC | O_NONBLOCK) == 0);
    constexpr std::array<char, 4096> kNoise{};
    while (::write(ends_[1], kNoise.data(), kNoise.size()) > 0) {
    }
    REQUIRE(::fcntl(ends_[1], F_SETFL, 0) == 0);  // from now on a line waits for its reader
    ::dup2(ends_[1], STDERR_FILENO);
  }
  ~StuckErrors() {
    drain();
    ::close(before_);
    for (const int end : ends_) ::close(end);
  }
  StuckErrors(const StuckErrors&) = delete;
  StuckErrors& operator=(const StuckErrors&) = delete;

  void drain() const {
    std::array<char, 4096> some{};
    while (::read(ends_[0], some.data(), some.size()) > 0) {
    }
    ::dup2(before_, STDERR_FILENO);
  }

 private:
  int before_;
  std::array<int, 2> ends_{};
};

}  // namespace

TEST_CASE(
    "at the gRPC port a source past its limit is refused, others are not, and it comes in when one left") {
  const Behind f({.most = 10, .most_of_source = 2, .new_of_source = 1e6, .new_of_all = 1e6});
  OwnedFd first = f.connect("127.0.0.2");
  CHECK(Behind::is_in(first));
  const OwnedFd second = f.connect("127.0.0.2");
  CHECK(Behind::is_in(second));
  CHECK_FALSE(Behind::is_in(f.connect("127.0.0.2")));
  const OwnedFd other = f.connect("127.0.0.3");
  CHECK(Behind::is_in(other));
  CHECK_THAT(
      f.registry.exposition(),
      Catch::Contains("vigil_aggregator_connections_refused_total{port=\"grpc\",reason=\"source\"} 1\n"));
  first = OwnedFd();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  bool came_in = false;
  while (!came_in && std::chrono::steady_clock::now() < deadline)
    came_in = Behind::is_in(f.connect("127.0.0.2"));
  CHECK(came_in);
}

TEST_CASE("a connection over which nobody was let in makes room for another of its source") {
  const Behind f({.most = 10, .most_of_source = 1, .new_of_source = 1e6, .new_of_all = 1e6}, true);
  const OwnedFd silent = f.connect("127.0.0.2");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  OwnedFd other;
  bool came_in = false;
  while (!came_in && std::chrono::steady_clock::now() < deadline) {
    other = f.connect("127.0.0.2");
    came_in = Behind::is_in(other);
  }
  CHECK(came_in);
  CHECK(Behind::is_ended(silent));
  CHECK(door_ends(f.registry, "room", 1));
}

TEST_CASE("a connection over which somebody was let in keeps its place") {
  const Behind f({.most = 10, .most_of_source = 1, .new_of_source = 1e6, .new_of_all = 1e6}, true);
  const OwnedFd agent = f.connect("127.0.0.2");
  REQUIRE(Behind::is_in(agent));
  f.door->arrived(Behind::name_of(agent), "connection 1", true);
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(1500);  // past the grace
  while (std::chrono::steady_clock::now() < until) REQUIRE_FALSE(Behind::is_in(f.connect("127.0.0.2")));
  CHECK(ended_by_door(f.registry, "room") == 0);
}

TEST_CASE("a stranger who sends on and on is ended, who was let in is not") {
  const Behind f({}, true);
  const OwnedFd stranger = f.connect("127.0.0.2");
  const OwnedFd known = f.connect("127.0.0.3");
  REQUIRE(Behind::is_in(stranger));
  REQUIRE(Behind::is_in(known));
  f.door->arrived(Behind::name_of(known), "connection 1", true);
  REQUIRE(Behind::send_unknown_frames(known, 4 << 20));
  Behind::send_unknown_frames(stranger, 128 << 10);
  CHECK(Behind::is_ended(stranger));
  CHECK(door_ends(f.registry, "stranger", 1));
  CHECK(Behind::send_unknown_frames(known, 4 << 20));
}

TEST_CASE("without a guard nobody is a stranger") {
  const Behind f({});
  const OwnedFd client = f.connect("127.0.0.2");
  REQUIRE(Behind::is_in(client));
  CHECK(Behind::send_unknown_frames(client, 8 << 20));
  CHECK(ended_by_door(f.registry, "stranger") == 0);
}

TEST_CASE("who begins calls and takes them back, or is refused on and on, is ended") {
  const bool is_refused = GENERATE(true, false);
  const Behind f({}, true);
  const OwnedFd bad = f.connect("127.0.0.2");
  const OwnedFd good = f.connect("127.0.0.3");
  REQUIRE(Behind::is_in(bad));
  REQUIRE(Behind::is_in(good));
  f.door->arrived(Behind::name_of(bad), "connection 1", true);
  f.door->arrived(Behind::name_of(good), "connection 2", true);
  for (int i = 0; i < 1000; ++i) {
    is_refused ? f.door->refused("connection 1") : f.door->let_in("connection 1", "/vigil.v1.Query/Instant");
    f.door->let_in("connection 2", "/vigil.v1.Query/Instant");
    f.door->arrived(Behind::name_of(good), "connection 2", true);
    f.door->let_in("connection 2", "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
  }
  CHECK(Behind::is_ended(bad));
  CHECK(ended_by_door(f.registry, "calls") == 1);
  CHECK(Behind::send_unknown_frames(good, 1 << 20));
}

TEST_CASE("calls of others go on while nobody reads the log that says who was ended") {
  const Behind f({}, true);
  const OwnedFd bad = f.connect("127.0.0.2");
  const OwnedFd good = f.connect("127.0.0.3");
  REQUIRE(Behind::is_in(bad));
  REQUIRE(Behind::is_in(good));
  f.door->arrived(Behind::name_of(bad), "connection 1", true);
  f.door->arrived(Behind::name_of(good), "connection 2", true);
  const StuckErrors errors;
  const auto ended = std::async(std::launch::async, [&f] {
    for (int i = 0; i < 1000; ++i) f.door->refused("connection 1");
  });
  while (ended_by_door(f.registry, "calls") == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const auto call =
      std::async(std::launch::async, [&f] { f.door->let_in("connection 2", "/vigil.v1.Query/Instant"); });
  CHECK(call.wait_for(std::chrono::seconds(30)) == std::future_status::ready);
  errors.drain();
}

TEST_CASE("an address that is taken is a conflict") {
  const Behind f({});
  const auto second = GrpcDoor::open({f.door->address(), {}, nullptr});
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Errc::conflict);
}

TEST_CASE("who acknowledges nothing that gRPC sends is given up, not after a quarter of an hour") {
  const Behind f({});
  const OwnedFd client = f.connect("127.0.0.2");
  REQUIRE(Behind::is_in(client));
  unsigned timeout_ms = 0;
  socklen_t bytes = sizeof timeout_ms;
  REQUIRE(::getsockopt(accepted_end(client), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, &bytes) == 0);
  CHECK(timeout_ms == 10'000);
}
