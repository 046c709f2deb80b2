#include "aggregator/ingest/grpc_door.h"

#include "tests/support/catch.h"

#include <arpa/inet.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <chrono>

using namespace vigil;
using namespace vigil::aggregator;

namespace {

/// A gRPC server without services behind a door.
struct Behind {
  explicit Behind(const door::Limits& limits) : tally("grpc", registry) {
    door = GrpcDoor::open({{"127.0.0.1", 0}, limits, &tally}).value();
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
