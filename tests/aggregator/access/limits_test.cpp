#include "aggregator/access/limits.h"

#include "tests/support/catch.h"

using namespace vigil::aggregator::access;

TEST_CASE("a bucket gives what it holds, and fills as time goes by") {
  Buckets buckets({5.0 / 60, 5, 100});
  for (int i = 0; i < 5; ++i) CHECK(buckets.take("a", 0));
  CHECK_FALSE(buckets.take("a", 0));
  CHECK_FALSE(buckets.has("a", 0));
  CHECK(buckets.has("b", 0));
  CHECK(buckets.take("b", 0));
  CHECK_FALSE(buckets.take("a", 11'000));
  CHECK(buckets.take("a", 13'000));
  CHECK_FALSE(buckets.take("a", 13'000));
  CHECK_FALSE(buckets.take("a", 0));  // a clock that was set back gives nothing, and goes on from there
  CHECK_FALSE(buckets.take("a", 10'000));
  CHECK(buckets.take("a", 13'000));
  CHECK_FALSE(buckets.has("a", 0));
  CHECK(buckets.has("a", 12'000));
  int taken = 0;
  while (buckets.take("a", 3'600'000)) ++taken;
  CHECK(taken == 5);
}

TEST_CASE("many sources take a bounded number of buckets, and who comes often is not forgotten") {
  Buckets buckets({0.001, 2, 100});
  CHECK(buckets.take("often", 0));
  CHECK(buckets.take("often", 0));
  for (int i = 0; i < 10'000; ++i) {
    CHECK(buckets.take(std::to_string(i), 0));
    if (i % 50 == 0) CHECK_FALSE(buckets.take("often", 0));
  }
  CHECK(buckets.size() == 100);
}

TEST_CASE("a bucket says how long until there is one left, and not a moment less") {
  Buckets buckets({.per_second = 0.5, .most = 1});
  CHECK(buckets.wait_ms("a", 0) == 0);
  REQUIRE(buckets.take("a", 0));
  CHECK(buckets.wait_ms("a", 0) == 2000);
  CHECK(buckets.wait_ms("a", 1500) == 500);
  CHECK_FALSE(buckets.take("a", 1999));
  CHECK(buckets.take("a", 1999 + buckets.wait_ms("a", 1999)));
}

TEST_CASE("of many lines the log gets few, and the next one says how many it did not") {
  FewLines lines(10);
  int taken = 0;
  for (int i = 0; i < 10'000; ++i) {
    if (lines.take(0)) ++taken;
  }
  CHECK(taken == 10);
  CHECK(lines.take(6'000) == 9'990);
  CHECK(lines.take(12'000) == 0);
}

TEST_CASE("an address is a source: of IPv6 its network, and an IPv4 address in IPv6's clothes is itself") {
  CHECK(source_of("192.0.2.7:4711") == "192.0.2.7");
  CHECK(source_of("192.0.2.7") == "192.0.2.7");
  CHECK(source_of("::ffff:192.0.2.7") == "192.0.2.7");
  CHECK(source_of("[2001:db8:1:2:3:4:5:6]:443") == "2001:db8:1:2");
  CHECK(source_of("2001:db8:1:2:ffff::1") == "2001:db8:1:2");
  CHECK(source_of("2001:db8:1:3::1") != source_of("2001:db8:1:2::1"));
}

TEST_CASE("only addresses of this machine are loopback") {
  for (const char* here : {"127.0.0.1", "127.0.0.1:80", "127.9.9.9", "::1", "[::1]:80", "::ffff:127.0.0.2"}) {
    INFO(here);
    CHECK(is_loopback_address(here));
  }
  for (const char* away : {"", "128.0.0.1", "10.0.0.127", "::2", "::", "2001:db8::1", "::ffff:10.0.0.1",
                           "localhost", "127.0.0.1.example.org", "127"}) {
    INFO(away);
    CHECK_FALSE(is_loopback_address(away));
  }
}

TEST_CASE("only names of loopback are asked for from this machine") {
  for (const char* here :
       {"localhost", "localhost:8461", "LocalHost.:1", "vigil.localhost", "127.0.0.1:8461", "[::1]:8461"}) {
    INFO(here);
    CHECK(names_loopback(here));
  }
  for (const char* away : {"", ":8461", "evil.example:8461", "notlocalhost", "localhost.example.org",
                           "192.0.2.7:8461", "host:localhost"}) {
    INFO(away);
    CHECK_FALSE(names_loopback(away));
  }
}
