// Logins: one file, several aggregators, and a token that is renewed once however many want it.
#include "cli/client/logins.h"

#include "common/config/files.h"
#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <thread>

namespace vigil::cli {
namespace {

constexpr std::int64_t kLoginNow = 1'800'000'000'000;
constexpr std::int64_t kLoginHour = 3'600'000;

Login login_at(const std::string& aggregator, std::int64_t expires_ms = kLoginNow + kLoginHour) {
  return {aggregator, "oidc:alice", "t1", "r1", expires_ms};
}

Logins::Renew never_renewed() {
  return [](const Login&) -> Result<Login> {
    FAIL("asked for a new token");
    return fail(Errc::internal, "");
  };
}
Logins::Renew failing_renewal(Errc code) {
  return [code](const Login&) -> Result<Login> { return fail(code, "no"); };
}

mode_t login_mode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

}  // namespace

TEST_CASE("logins are kept by aggregator, in a file for their owner only") {
  test::TempDir folder;
  const std::string path = folder.file("vigil/logins.json");
  Logins logins(path);
  CHECK_FALSE(*logins.find("a:1"));
  CHECK_FALSE(*logins.remove("a:1"));
  REQUIRE(logins.put(login_at("a:1")));
  REQUIRE(logins.put(login_at("b:1")));
  CHECK(login_mode_of(path) == 0600);
  CHECK(login_mode_of(folder.file("vigil")) == 0700);
  Login other = login_at("a:1");
  other.token = "t2";
  REQUIRE(logins.put(other));
  CHECK((*logins.find("a:1"))->token == "t2");
  CHECK((*logins.find("b:1"))->token == "t1");
  CHECK((*logins.find("b:1"))->refresh_token == "r1");
  CHECK((*logins.find("b:1"))->expires_ms == kLoginNow + kLoginHour);
  CHECK(*logins.remove("a:1"));
  CHECK_FALSE(*logins.find("a:1"));
  CHECK(*logins.find("b:1"));
}

TEST_CASE("a file of logins that others may read, or that is something else, is refused") {
  test::TempDir folder;
  const std::string path = folder.file("vigil/logins.json");
  Logins logins(path);
  REQUIRE(logins.put(login_at("a:1")));
  REQUIRE(::chmod(path.c_str(), 0644) == 0);
  CHECK_THAT(logins.find("a:1").error().message, Catch::Contains("chmod 600"));
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  for (const char* text : {"x", "{}", "[]", R"({"logins":[1]})", R"({"logins":[{"aggregator":"a:1"}]})"}) {
    std::ofstream(path) << text;
    INFO(text);
    CHECK_THAT(logins.find("a:1").error().message, Catch::Contains(path));
  }
}

TEST_CASE("a token is renewed before it ends, and as long as it is good a failure does not matter") {
  test::TempDir folder;
  Logins logins(folder.file("vigil/logins.json"));
  REQUIRE(logins.put(login_at("a:1", kLoginNow + 100'000)));
  const Login old = **logins.find("a:1");
  CHECK(logins.fresh(old, never_renewed(), kLoginNow)->token == "t1");
  const auto renew = [](const Login& from) -> Result<Login> {
    CHECK(from.refresh_token == "r1");
    return Login{from.aggregator, from.name, "t2", "r2", kLoginNow + kLoginHour};
  };
  CHECK(logins.fresh(old, failing_renewal(Errc::unavailable), kLoginNow + 20'000)->token == "t1");
  CHECK(logins.fresh(old, failing_renewal(Errc::unavailable), kLoginNow + 100'000).error().code ==
        Errc::unavailable);
  CHECK(logins.fresh(old, failing_renewal(Errc::permission), kLoginNow + 20'000)->token == "t1");
  CHECK_THAT(logins.fresh(old, failing_renewal(Errc::permission), kLoginNow + 100'000).error().message,
             Catch::Contains("expired: vigil login"));
  CHECK(logins.fresh(old, renew, kLoginNow + 20'000)->token == "t2");
  CHECK((*logins.find("a:1"))->refresh_token == "r2");
  CHECK(logins.fresh(old, never_renewed(), kLoginNow + 20'000)->token ==
        "t2");  // somebody else has renewed it

  Login single = login_at("b:1", kLoginNow + 1000);
  single.refresh_token.clear();
  REQUIRE(logins.put(single));
  CHECK(logins.fresh(single, never_renewed(), kLoginNow)->token == "t1");
  CHECK(logins.fresh(single, never_renewed(), kLoginNow + 1000).error().code == Errc::permission);
}

TEST_CASE("many commands at once renew a token once") {
  test::TempDir folder;
  const std::string path = folder.file("vigil/logins.json");
  REQUIRE(Logins(path).put(login_at("a:1", kLoginNow)));
  std::atomic<int> renewed = 0;
  std::atomic<int> right = 0;
  std::vector<std::thread> commands;
  for (int i = 0; i < 8; ++i) {
    commands.emplace_back([&] {
      LoginTokens tokens(Logins(path), "a:1", [&](const Login& from) -> Result<Login> {
        ++renewed;
        return Login{from.aggregator, from.name, "t2", "r2", kLoginNow + kLoginHour};
      });
      const auto token = tokens.token(kLoginNow);
      if (token && token->text == "t2") ++right;
    });
  }
  for (std::thread& each : commands) each.join();
  CHECK(renewed == 1);
  CHECK(right == 8);
}

TEST_CASE("a home that the user may not enter has no login, and only who needs one is told of it") {
  test::TempDir folder;
  const std::string path = folder.file("vigil/logins.json");
  REQUIRE(Logins(path).put(login_at("a:1")));
  LoginTokens tokens(Logins(path), "a:1", never_renewed());
  LoginTokens service(Logins("/dev/null/.config/vigil/logins.json"), "a:1", never_renewed());
  REQUIRE(::chmod(folder.file("vigil").c_str(), 0) == 0);
  const bool is_root = ::geteuid() == 0;  // whom no mode keeps out
  if (is_root) REQUIRE(::seteuid(65534) == 0);
  const auto token = tokens.token(kLoginNow);
  const auto removed = Logins(path).remove("a:1");
  if (is_root) REQUIRE(::seteuid(0) == 0);
  REQUIRE(::chmod(folder.file("vigil").c_str(), 0700) == 0);
  REQUIRE(token);
  CHECK(token->text == "");
  CHECK(token->trouble == path + ": Permission denied");
  CHECK_THAT(removed.error().message, Catch::Contains(path + ": Permission denied"));
  CHECK(service.token(kLoginNow)->trouble == "");
}

TEST_CASE("who is not signed in shows nothing") {
  test::TempDir folder;
  LoginTokens tokens(Logins(folder.file("vigil/logins.json")), "a:1", never_renewed());
  CHECK(tokens.token(kLoginNow)->text == "");
  LoginTokens homeless(Logins(""), "a:1", never_renewed());
  CHECK(homeless.token(kLoginNow)->text == "");
  CHECK_FALSE(Logins("").put(login_at("a:1")));
}

}  // namespace vigil::cli
