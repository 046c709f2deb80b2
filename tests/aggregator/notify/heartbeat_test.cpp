#include "aggregator/notify/heartbeat.h"

#include "tests/aggregator/notify/sinks.h"
#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <thread>

using namespace vigil;
using namespace vigil::notify;
using std::chrono::milliseconds;
using test::HttpSink;

namespace {

HeartbeatConfig config_of(const std::string& yaml) {
  HeartbeatConfig config;
  REQUIRE(config::load_text(yaml, "vigil.yml", config));
  return config;
}

HeartbeatStats wait_for(const Heartbeat& heartbeat, std::uint64_t HeartbeatStats::*count) {
  for (int i = 0; i < 1000 && heartbeat.stats().*count == 0; ++i)
    std::this_thread::sleep_for(milliseconds(10));
  return heartbeat.stats();
}

}  // namespace

TEST_CASE("a heartbeat asks its address as soon as it starts, and says what went wrong") {
  HttpSink sink({HttpSink::answer("200 OK"), HttpSink::answer("404 Not Found")});
  HeartbeatConfig config = config_of(fmt::format("url: {}/beat", sink.url()));
  config.interval = milliseconds(50);
  auto heartbeat = Heartbeat::create(config, milliseconds(5000), [] { return std::string(); });
  REQUIRE(heartbeat);
  (*heartbeat)->start();
  const auto requests = sink.wait_for(1);
  REQUIRE_FALSE(requests.empty());
  CHECK(requests[0].head.starts_with("GET /hook/beat HTTP/1.1\n"));
  CHECK(requests[0].body.empty());
  CHECK(wait_for(**heartbeat, &HeartbeatStats::failures).last_error.starts_with("HTTP 404"));
  CHECK((*heartbeat)->stats().sent == 1);
  (*heartbeat)->stop();
}

TEST_CASE("a heartbeat stays away while alerting does not get on") {
  HttpSink sink({HttpSink::answer("200 OK")});
  HeartbeatConfig config = config_of("url: " + sink.url());
  config.interval = milliseconds(20);
  std::atomic<bool> stalls = true;
  auto heartbeat = Heartbeat::create(config, milliseconds(5000), [&stalls] {
    return stalls ? std::string("shard-0 stands still") : std::string();
  });
  REQUIRE(heartbeat);
  (*heartbeat)->start();
  CHECK(wait_for(**heartbeat, &HeartbeatStats::held).last_error == "not sent: shard-0 stands still");
  CHECK((*heartbeat)->stats().sent == 0);
  stalls = false;
  CHECK(wait_for(**heartbeat, &HeartbeatStats::sent).sent >= 1);
}

TEST_CASE("without an address there is no heartbeat, and a wrong one is named") {
  CHECK(Heartbeat::create(config_of("{}"), milliseconds(1), {}).value() == nullptr);
  const auto error = [](const std::string& yaml) {
    const auto made = Heartbeat::create(config_of(yaml), milliseconds(1), {});
    REQUIRE_FALSE(made);
    return made.error().message;
  };
  CHECK(error("url: ftp://x") ==
        "vigil.yml:1:6: url: the URL must begin with https:// or http:// and have no spaces");
  CHECK(error("{url: 'http://x', url_file: y}").find("give either url or url_file") != std::string::npos);
  CHECK(error("url_file: /none").find("url_file") != std::string::npos);
  HeartbeatConfig config;
  CHECK_FALSE(config::load_text("interval: 10ms", "vigil.yml", config));
}
