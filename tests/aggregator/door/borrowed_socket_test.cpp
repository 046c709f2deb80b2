#include "aggregator/door/borrowed_socket.h"

#include "tests/support/catch.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

using namespace vigil::aggregator::door;

namespace {

/// Both ends of a connection over loopback.
struct Pair {
  Pair() {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof here;
    REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&here), bytes) == 0);
    REQUIRE(::listen(listener, 1) == 0);
    REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&here), &bytes) == 0);
    client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(::connect(client, reinterpret_cast<sockaddr*>(&here), bytes) == 0);
    server = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    REQUIRE(server >= 0);
    ::close(listener);
  }
  ~Pair() {
    ::close(client);
    ::close(server);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  int client = -1;
  int server = -1;
};

}  // namespace

TEST_CASE("what came over a connection is known before anybody reads it, and stays known") {
  const Pair pair;
  const ino_t socket = inode_of(pair.server).value();
  CHECK(received_by(pair.server, socket) == 0);
  const std::string sent(1000, 'x');
  REQUIRE(::send(pair.client, sent.data(), sent.size(), 0) == 1000);
  std::string read(1000, ' ');
  REQUIRE(::recv(pair.server, read.data(), read.size(), MSG_WAITALL | MSG_PEEK) == 1000);
  CHECK(received_by(pair.server, socket) == 1000);
  REQUIRE(::recv(pair.server, read.data(), read.size(), MSG_WAITALL) == 1000);
  CHECK(received_by(pair.server, socket) == 1000);
}

TEST_CASE("a connection that is ended ends at both sides, and its descriptor stays its owner's") {
  const Pair pair;
  CHECK(end_connection(pair.server, inode_of(pair.server).value()));
  char byte = 0;
  CHECK(::recv(pair.client, &byte, 1, 0) == 0);
  CHECK(::recv(pair.server, &byte, 1, 0) == 0);
  CHECK(inode_of(pair.server));
}

TEST_CASE("a descriptor that is another connection's by now is left alone") {
  Pair gone;
  const Pair other;
  const ino_t socket = inode_of(gone.server).value();
  REQUIRE(::dup2(other.server, gone.server) == gone.server);
  CHECK_FALSE(end_connection(gone.server, socket));
  CHECK_FALSE(received_by(gone.server, socket));
  REQUIRE(::send(other.client, "x", 1, 0) == 1);
  char byte = 0;
  CHECK(::recv(other.server, &byte, 1, 0) == 1);
}

TEST_CASE("what is closed, or no socket, is gone") {
  CHECK_FALSE(inode_of(-1));
  CHECK_FALSE(received_by(-1, 1));
  CHECK_FALSE(end_connection(-1, 1));
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  CHECK_FALSE(inode_of(ends[0]));
  ::close(ends[0]);
  ::close(ends[1]);
}
