#include "aggregator/door/peer.h"

#include "tests/support/catch.h"

#include <arpa/inet.h>
#include <netinet/in.h>

using namespace vigil::aggregator::door;

namespace {

sockaddr_storage ipv4(const char* address, std::uint16_t port) {
  sockaddr_storage made{};
  auto& in = reinterpret_cast<sockaddr_in&>(made);
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  REQUIRE(::inet_pton(AF_INET, address, &in.sin_addr) == 1);
  return made;
}

sockaddr_storage ipv6(const char* address, std::uint16_t port) {
  sockaddr_storage made{};
  auto& in = reinterpret_cast<sockaddr_in6&>(made);
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(port);
  REQUIRE(::inet_pton(AF_INET6, address, &in.sin6_addr) == 1);
  return made;
}

}  // namespace

TEST_CASE("what the kernel and gRPC say of one connection is the same peer") {
  CHECK(peer_of(ipv4("10.0.0.1", 4711)) == peer_from("ipv4:10.0.0.1:4711"));
  CHECK(peer_of(ipv6("::ffff:10.0.0.1", 4711)) == peer_from("ipv4:10.0.0.1:4711"));
  CHECK(peer_of(ipv6("::ffff:10.0.0.1", 4711)) == peer_from("ipv6:%5B::ffff:10.0.0.1%5D:4711"));
  CHECK(peer_of(ipv6("2001:db8::1", 80)) == peer_from("ipv6:%5B2001:db8::1%5D:80"));
  CHECK(peer_of(ipv6("::1", 65535)) == peer_from("ipv6:[::1]:65535"));
  CHECK(peer_of(ipv6("fe80::1", 1)) == peer_from("ipv6:%5Bfe80::1%25eth0%5D:1"));
}

TEST_CASE("other connections are other peers") {
  CHECK(peer_from("ipv4:10.0.0.1:4711") != peer_from("ipv4:10.0.0.1:4712"));
  CHECK(peer_from("ipv4:10.0.0.1:4711") != peer_from("ipv4:10.0.0.2:4711"));
}

TEST_CASE("what is no address and port is no peer") {
  const char* name = GENERATE("", ":", "unix:", "unix:/run/vigil.sock", "ipv4:", "ipv4:10.0.0.1",
                              "ipv4:10.0.0.1:", "ipv4:10.0.0.1:x", "ipv4:10.0.0.1:1x", "ipv4:10.0.0.1:65536",
                              "ipv4:10.0.0:1", "ipv6:%5B%5D:1", "ipv6:%5B::g%5D:1", "ipv6:", "fd:7");
  INFO(name);
  CHECK_FALSE(peer_from(name));
}

TEST_CASE("a peer's source is its address, of IPv6 the network") {
  CHECK(source_of(peer_of(ipv4("192.0.2.7", 1))) == "192.0.2.7");
  CHECK(source_of(peer_of(ipv6("::ffff:192.0.2.7", 1))) == "192.0.2.7");
  CHECK(source_of(peer_of(ipv6("2001:db8::1", 1))) == source_of(peer_of(ipv6("2001:db8::2", 2))));
}
