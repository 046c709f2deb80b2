// What commands do before and after they ask the aggregator.
#include "cli/commands/command.h"

#include "cli/arguments.h"
#include "cli/client/client.h"
#include "cli/completion.h"
#include "common/grpc/runtime.h"
#include "tests/support/catch.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <ctime>
#include <thread>

namespace vigil::cli {
namespace {

using Arguments = std::vector<std::string>;

/// A program with the flags that matter here.
struct Program {
  Program() {
    app.fallthrough();  // subcommands inherit it
    app.add_option("-o,--output", output);
    CLI::App* query = app.add_subcommand("query");
    query->add_option("expression", expression);
    query->add_option("--at", at);
    app.add_subcommand("hosts");
  }
  CLI::App app;
  std::string output, expression, at;
};

v1::QueryResult answer_from(std::int64_t first_ms) {
  v1::QueryResult result;
  auto* series = result.add_series();
  series->add_times_ms(first_ms);
  series->add_values(1);
  return result;
}

}  // namespace

TEST_CASE("an expression may begin with a minus") {
  struct Case {
    Arguments given;
    std::string expression, output, at;
  };
  const auto c =
      GENERATE(values<Case>({{{"query", "-up"}, " -up", "", ""},
                             {{"query", "-up", "-o", "json"}, " -up", "json", ""},
                             {{"query", "-ojson", "-1 + up"}, " -1 + up", "json", ""},
                             {{"-o", "csv", "query", "-(up)"}, " -(up)", "csv", ""},
                             {{"query", "-offset_metric", "--at", "-x"}, " -offset_metric", "", "-x"},
                             {{"query", "--", "-up"}, "-up", "", ""}}));
  Program program;
  Arguments arguments = shield_expressions(program.app, c.given);
  std::reverse(arguments.begin(), arguments.end());
  if (c.at.empty()) {  // the library itself refuses values that begin with a minus
    program.app.parse(std::move(arguments));
    CHECK(program.expression == c.expression);
    CHECK(program.output == c.output);
  } else {
    CHECK(arguments == Arguments{c.at, "--at", c.expression, "query"});
  }
}

TEST_CASE("misspelt flags stay flags") {
  Program program;
  CHECK(shield_expressions(program.app, {"query", "--att", "now"}) == Arguments{"query", "--att", "now"});
  CHECK(shield_expressions(program.app, {"hosts", "-x"}) == Arguments{"hosts", "-x"});
}

TEST_CASE("a completion offers the program's flags behind a command") {
  Program program;
  const std::string script = *completion_script(program.app, "bash");
  CHECK_THAT(script, Catch::Contains("query) words=\"--help --at --output\"") ||
                         Catch::Contains("query) words=\"--at --help --output\"") ||
                         Catch::Contains("query) words=\"--at --output --help\""));
}

TEST_CASE("a completion offers what a command consists of, with its flags and their words") {
  Program program;
  CLI::App* fleet = program.app.add_subcommand("bench")->add_subcommand("fleet");
  std::string phase;
  fleet->add_option("--phase", phase)->check(CLI::IsMember({"together", "spread"}));
  const std::string script = *completion_script(program.app, "bash");
  CHECK_THAT(script, Catch::Contains("bench) words=\"fleet "));
  CHECK_THAT(script, Catch::Contains("--phase) words=\"together spread\""));
  const std::string fish = *completion_script(program.app, "fish");
  CHECK_THAT(fish, Catch::Contains("'__fish_seen_subcommand_from bench' -a fleet"));
  CHECK_THAT(fish, Catch::Contains("'__fish_seen_subcommand_from bench' -l phase"));
}

TEST_CASE("an aggregator named on the command line is told from one in the environment") {
  CHECK(names_aggregator({"bench", "fleet", "--aggregator", "x:1"}));
  CHECK(names_aggregator({"--aggregator=x:1", "bench", "fleet"}));
  CHECK_FALSE(names_aggregator({"bench", "fleet", "--aggregators"}));
  CHECK_FALSE(names_aggregator({"query", "--", "--aggregator"}));
}

TEST_CASE("a plot whose start nobody chose begins where the data does") {
  const RangeFlags flags;
  constexpr std::int64_t kNow = 1'700'000'000'000;
  Range range = *resolve(flags, kNow, 200);
  CHECK(range.step_ms == 30'000);
  SECTION("five minutes old") {
    REQUIRE(narrow(answer_from(kNow - 300'000), flags, range, 200));
    CHECK(range.start_ms <= kNow - 300'000);
    CHECK(range.start_ms >= kNow - 340'000);
    CHECK(range.step_ms == 2'000);
  }
  SECTION("older than the range") {
    CHECK_FALSE(narrow(answer_from(range.start_ms), flags, range, 200));
  }
  SECTION("younger than a step: no point sees it yet") {
    REQUIRE(narrow(v1::QueryResult{}, flags, range, 200));
    CHECK(range.end_ms - range.start_ms <= 31'000);
    REQUIRE(narrow(answer_from(kNow - 5'000), flags, range, 200));
    CHECK(range.end_ms - range.start_ms <= 6'000);
    CHECK(range.step_ms == 1'000);
  }
  SECTION("a step that was asked for stays") {
    RangeFlags stepped;
    stepped.step = "1m";
    range = *resolve(stepped, kNow, 200);
    REQUIRE(narrow(answer_from(kNow - 300'000), stepped, range, 200));
    CHECK(range.step_ms == 60'000);
  }
}

TEST_CASE("a plot says which time it shows") {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  CHECK(range_text({1'700'000'000'000, 1'700'003'600'000, 15'000}) ==
        "2023-11-14 22:13:20 to 23:13:20, 1h, a point every 15s");
}

TEST_CASE("a call under way ends when it is cancelled") {
  prepare_grpc();
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);  // accepts, and never answers
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(listener, 8) == 0);
  REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  ClientOptions options;
  options.address = fmt::format("127.0.0.1:{}", ntohs(address.sin_port));
  options.timeout = std::chrono::hours(1);
  const auto client = Client::create(options);
  std::thread canceller([&] {
    const int accepted = ::accept(listener, nullptr, nullptr);  // the call is under way
    client->cancel();
    ::close(accepted);
  });
  const auto answer = client->status();
  canceller.join();
  REQUIRE_FALSE(answer);
  CHECK(answer.error().message == "cancelled");
  CHECK(client->status().error().message == "cancelled");
  ::close(listener);
}

}  // namespace vigil::cli
