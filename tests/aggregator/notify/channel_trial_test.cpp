// Tests of receivers, as `vigil receivers test` asks for them.
#include "aggregator/notify/channel_trial.h"

#include "tests/aggregator/notify/sinks.h"

#include <unistd.h>

#include <thread>

using namespace vigil;
using namespace vigil::notify;
using test::HttpSink;

namespace {

Endpoint endpoint_to(const std::string& url, const std::string& name, bool send_resolved) {
  Endpoint out;
  out.name = name;
  out.kind = "webhook";
  out.takes_groups = true;
  out.send_resolved = send_resolved;
  out.render = [url](const Shipment& shipment, std::int64_t) {
    Request request;
    request.url = url;
    request.body = fmt::format("{} {}", to_string(shipment.rows.back().note.kind),
                               shipment.rows.back().group->alerts.front().labels.get("receiver"));
    return request;
  };
  return out;
}

const auto kGoesOn = [] { return false; };

}  // namespace

TEST_CASE("a test is told to each channel, and its end to those that take it") {
  HttpSink both({HttpSink::answer("200 OK")});
  HttpSink one({HttpSink::answer("200 OK")});
  HttpSink bad({HttpSink::answer("500 Oops", "", "down")});
  const auto answers = run_test(
      {endpoint_to(both.url(), "ops/webhook[0]", true), endpoint_to(one.url(), "ops/webhook[1]", false),
       endpoint_to(bad.url(), "ops/webhook[2]", true)},
      {}, kGoesOn);
  REQUIRE(answers.size() == 3);
  CHECK(answers[0].channel == "ops/webhook[0]");
  CHECK(answers[0].kind == "webhook");
  CHECK(answers[0].error.empty());
  CHECK(answers[1].error.empty());
  CHECK(answers[2].error == "HTTP 500: down");
  const auto told = both.wait_for(2);
  REQUIRE(told.size() == 2);
  CHECK(told[0].body == "firing ops");
  CHECK(told[1].body == "resolved ops");
  ::usleep(1'300'000);  // past the first wait of what would be tried again
  CHECK(one.wait_for(1).size() == 1);
  CHECK(bad.wait_for(1).size() == 1);
}

TEST_CASE("a test says that a channel was not told what its configuration wants") {
  HttpSink sink({HttpSink::answer("200 OK")});
  auto endpoint = endpoint_to(sink.url(), "ops/webhook[0]", true);
  endpoint.render = [render = endpoint.render](const Shipment& shipment, std::int64_t now_ms) {
    Request request = render(shipment, now_ms);
    if (shipment.rows.back().note.kind == Kind::firing) request.fault = "its payload is wrong";
    return request;
  };
  const auto answers = run_test({endpoint}, {}, kGoesOn);
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].error == "its payload is wrong");
  CHECK(sink.wait_for(2).size() == 2);
}

TEST_CASE("a test ends when nobody waits for it any more") {
  HttpSink hanging({"hang"});
  const auto begun = std::chrono::steady_clock::now();
  const auto answers = run_test({endpoint_to(hanging.url(), "ops/webhook[0]", true)}, {}, [begun] {
    return std::chrono::steady_clock::now() - begun > std::chrono::milliseconds(300);
  });
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].error == "no answer yet");
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(5));
}

TEST_CASE("a name in plain HTTP does not lead into a private network, unless it may") {
  HttpSink sink({HttpSink::answer("200 OK")});
  // A name that the system's files give to this machine; where it leads nowhere there is nothing to test.
  std::array<char, 256> host{};
  REQUIRE(::gethostname(host.data(), host.size() - 1) == 0);
  const std::string port = sink.url().substr(sink.url().rfind(':'));
  const auto to_name = endpoint_to("http://" + std::string(host.data()) + port, "ops/webhook[0]", false);
  const auto refused = run_test({to_name}, {}, kGoesOn);
  REQUIRE(refused.size() == 1);
  INFO(refused[0].error);
  if (refused[0].error.find("resolve") == std::string::npos)
    CHECK(refused[0].error.find("a private address: allow it with notifications.allow_private") !=
          std::string::npos);
  CourierOptions allowed;
  allowed.http_names = Reach::everywhere;
  const auto let = run_test({to_name}, allowed, kGoesOn);
  CHECK(let.at(0).error.find("allow_private") == std::string::npos);
}
