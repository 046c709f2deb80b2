#include "cli/commands/invitation.h"

#include "tests/support/catch.h"

namespace vigil::cli {

TEST_CASE("an address by which a host can reach and prove the aggregator is not doubted") {
  const std::vector<std::string> certified{"localhost", "127.0.0.1", "mon.example.org", "10.0.0.5",
                                           "fd00::5"};
  for (const char* address : {"mon.example.org:8460", "mon.example.org", "10.0.0.5:9000", "[fd00::5]:8460"})
    CHECK(doubt_about(address, certified).empty());
  CHECK(doubt_about("elsewhere:8460", {}).empty());  // an older aggregator does not say
}

TEST_CASE("an address is a host with or without a port, since root runs the line it goes into") {
  for (const char* fine : {"mon.example.org:8460", "mon_1", "10.0.0.5:1", "[fd00::5]:8460"})
    CHECK(check_address(fine));
  for (const char* wrong : {"foo;rm -rf /", "foo:8460;id", "$(id)", "`id`:1", "a b", "a\nb", "a'b", "-x",
                            ":8460", "mon:x", "user@mon", "a/b"}) {
    const auto refused = check_address(wrong);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::invalid_argument);
  }
}

TEST_CASE("loopback is doubted even where the certificate has it, and what would be right is said") {
  const std::vector<std::string> certified{"localhost", "127.0.0.1", "mon.example.org"};
  for (const char* address : {"127.0.0.1:8460", "localhost:8460", "[::1]:8460"}) {
    CHECK_THAT(doubt_about(address, certified), Catch::Contains("--address mon.example.org:8460"));
    CHECK_THAT(doubt_about(address, certified), Catch::Contains("grpc_listen: 0.0.0.0:8460"));
  }
  CHECK_THAT(doubt_about("127.0.0.1:8460", {"localhost"}), Catch::Contains("--address NAME:8460"));
}

TEST_CASE("a name the certificate lacks is doubted, with those it has") {
  const std::vector<std::string> certified{"localhost", "mon.example.org", "10.0.0.5"};
  const std::string said = doubt_about("mon:8460", certified);
  CHECK_THAT(said, Catch::Contains("is not for mon,"));
  CHECK_THAT(said, Catch::Contains("It is for mon.example.org, 10.0.0.5"));
  CHECK_THAT(said, Catch::Contains("--name mon on the"));
  CHECK_FALSE(doubt_about("mon:x", certified).empty());
}

}  // namespace vigil::cli
