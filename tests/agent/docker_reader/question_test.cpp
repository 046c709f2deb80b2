#include "agent/docker_reader/question.h"

#include "agent/containers/engine_api.h"
#include "agent/docker_reader/quiet_log.h"
#include "tests/support/catch.h"

namespace vigil::agent::docker {
namespace {

const std::string kId(64, 'a');

/// As the agent asks, agent/containers/unix_http.cpp.
std::string asked(std::string_view target) {
  return fmt::format(
      "GET {} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: vigil-agent\r\nAccept: application/json\r\n"
      "Connection: close\r\n\r\n",
      target);
}

/// Why a request is refused; empty: it is not.
std::string refusal(std::string_view request) {
  const auto question = read_question(request);
  if (question) return "";
  CHECK(question.error().code == Errc::permission);
  return question.error().message;
}

}  // namespace

TEST_CASE("what the agent asks is let through as it is") {
  const auto f = [](const std::string& target, Kind kind) {
    CAPTURE(target);
    const auto question = read_question(asked(target));
    CAPTURE(question);
    REQUIRE(question);
    CHECK(question->kind == kind);
    CHECK(question->target == target);
  };
  f("/_ping", Kind::ping);
  f("/version", Kind::version);
  f("/v1.41/version", Kind::version);
  f("/containers/json?all=1", Kind::list);
  f("/v1.41/containers/json?all=1", Kind::list);
  f("/v1.41/containers/" + kId + "/json", Kind::inspect);
  f("/containers/0123456789ab/json", Kind::inspect);
  for (const std::string_view filter : {kDockerFilter, kContainerFilter}) {
    f(fmt::format("/v1.41/events?filters={}", filter), Kind::events);
    f(fmt::format("/v1.41/events?filters={}&since=1795303900.000000001", filter), Kind::events);
  }
}

TEST_CASE("no other target is let through, however it is spelt") {
  const std::string filter(kContainerFilter);
  const auto target = GENERATE_COPY(values<std::string>({
      "",
      "/",
      "/info",
      "/images/json",
      "/v1.41/images/json",
      "/v1.41/../images/json",
      "/v1.41/containers/../images/json?all=1",
      "/v1.41/containers/%2e%2e/images/json",
      "/v1.41/containers%2Fjson?all=1",
      "//containers/json?all=1",
      "/containers//json",
      "/./containers/json?all=1",
      "/containers/json/?all=1",
      "/CONTAINERS/json?all=1",
      "http://localhost/containers/json?all=1",
      "//localhost/containers/json?all=1",
      "unix:///run/docker.sock",
      "*",
      "/containers/json",
      "/containers/json?all=0",
      "/containers/json?all=1&all=0",
      "/containers/json?all=1&size=1",
      "/containers/json?size=1&all=1",
      "/containers/json?all=1#",
      "/containers/json?all=1%00",
      "/containers/json?all=1;",
      "/containers/web/json",
      "/containers/0123456789a/json",
      "/containers/0123456789AB/json",
      "/containers/0123456789ag/json",
      "/containers/" + kId + "a/json",
      "/containers/" + kId + "/json?size=1",
      "/containers/" + kId + "/json/",
      "/containers/" + kId + "/json/json",
      "/containers/" + kId + "/exec",
      "/containers/" + kId + "/logs?stdout=1",
      "/containers/" + kId + "/archive?path=/etc/shadow",
      "/containers/" + kId + "/export",
      "/containers/" + kId + "/top",
      "/containers/" + kId + "/attach/ws",
      "/exec/" + kId + "/json",
      "/secrets",
      "/v/version",
      "/v1/version",
      "/v1.41.0/version",
      "/v999.1/version",
      "/v1.999/version",
      "/v1.41/v1.41/version",
      "/v1.41version",
      "/version?x=1",
      "/version/",
      "/_ping?",
      "/_ping/../version",
      "/events",
      "/events?",
      "/events?filters=%7B%7D",
      "/events?filters=" + filter + "&",
      "/events?filters=" + filter + "&since=",
      "/events?filters=" + filter + "&since=1795303900",
      "/events?filters=" + filter + "&since=1795303900.1",
      "/events?filters=" + filter + "&since=-1.000000000",
      "/events?filters=" + filter + "&since=1795303900.0000000001",
      "/events?filters=" + filter + "&since=1795303900.000000001&until=1",
      "/events?filters=" + filter + "&until=1795303900.000000001",
      "/events?since=1795303900.000000001&filters=" + filter,
      "/events?filters=" + filter + "&filters=" + filter,
  }));
  CAPTURE(target);
  CHECK(refusal(asked(target)) != "");
}

TEST_CASE("only GET is let through, and only of HTTP/1.1") {
  const auto line = GENERATE(values<std::string>({
      "POST /containers/json?all=1 HTTP/1.1",
      "HEAD /_ping HTTP/1.1",
      "DELETE /_ping HTTP/1.1",
      "PUT /_ping HTTP/1.1",
      "OPTIONS * HTTP/1.1",
      "CONNECT localhost:1 HTTP/1.1",
      "get /_ping HTTP/1.1",
      "GET  /_ping HTTP/1.1",
      " GET /_ping HTTP/1.1",
      "GET\t/_ping HTTP/1.1",
      "GET /_ping  HTTP/1.1",
      "GET /_ping HTTP/1.0",
      "GET /_ping HTTP/2.0",
      "GET /_ping http/1.1",
      "GET /_ping",
      "GET",
      "",
      "GET /_ping HTTP/1.1 ",
      "GET /_ping HTTP/1.1 HTTP/1.1",
      "PRI * HTTP/2.0",
  }));
  CAPTURE(line);
  CHECK(refusal(line + "\r\nHost: localhost\r\n\r\n") != "");
}

TEST_CASE("no header is let through that could make another request of it") {
  const auto header = GENERATE(values<std::string>({
      "Content-Length: 0",
      "Content-Length: 44",
      "content-length : 4",
      "Transfer-Encoding: chunked",
      "transfer-encoding: identity",
      "Transfer-Encoding : chunked",
      "Upgrade: tcp",
      "Connection: Upgrade",
      "Connection: close, Content-Length",
      "Expect: 100-continue",
      "X-Registry-Auth: eA==",
      "TE: trailers",
      "Trailer: x",
      "X-HTTP-Method-Override: POST",
      "Host: another",
      " folded: yes",
      "\tHost: folded",
      "nothing",
      ": empty",
      "Accept\t: x",
      "Accept: a\rb",
      "Accept: a\nHost: b",
      "Accept: \x01",
      "Accept: \x7f",
      "Accept: \xc3\xa9",
      "Accept: a\r\nAccept: b",
  }));
  CAPTURE(header);
  CHECK(refusal("GET /_ping HTTP/1.1\r\nHost: localhost\r\n" + header + "\r\n\r\n") != "");
}

TEST_CASE("a request is one head, and nothing behind it") {
  const std::string good = asked("/_ping");
  CHECK(refusal(good) == "");
  CHECK_THAT(refusal(good + good), Catch::Contains("second request"));
  CHECK_THAT(refusal(good + "x"), Catch::Contains("second request"));
  CHECK_THAT(refusal(good + "\r\n"), Catch::Contains("second request"));
  CHECK(refusal("\r\n" + good) != "");
  CHECK(refusal("\r\n\r\n") != "");
  CHECK(refusal("GET /_ping HTTP/1.1\r\n\r\n") == "a request without Host");
  CHECK(refusal("GET /_ping HTTP/1.1\nHost: localhost\n\n") != "");
  CHECK(refusal("GET /_ping HTTP/1.1\r\nHost: localhost\r\n\n") != "");
  CHECK(refusal(std::string("GET /_ping\0 HTTP/1.1\r\nHost: localhost\r\n\r\n", 42)) != "");
}

TEST_CASE("every beginning of a request is refused, and nothing crashes") {
  const std::string good = asked("/v1.41/containers/" + kId + "/json");
  for (std::size_t size = 0; size < good.size(); ++size) {
    INFO(size);
    CHECK(refusal(good.substr(0, size)) != "");
  }
}

TEST_CASE("a head has a limit") {
  CHECK_THAT(refusal("GET /_ping HTTP/1.1\r\nHost: " + std::string(kMostHeadBytes, 'a') + "\r\n\r\n"),
             Catch::Contains("more than 4096 bytes"));
}

TEST_CASE("a refusal is short, and nothing in it commands a terminal") {
  const std::string why = refusal("P\x1b[2J" + std::string(2000, 'x') + " / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(why.size() < 200);
  CHECK(why.find('\x1b') == std::string::npos);
}

TEST_CASE("a flood of refusals is a line a minute that says how many it stands for") {
  using namespace std::chrono_literals;
  QuietLog log;
  const QuietLog::Clock::time_point start{};
  CHECK(log.note(start) == 1);
  for (int i = 0; i < 1000; ++i) CHECK_FALSE(log.note(start + 1s));
  CHECK_FALSE(log.note(start + 59s));
  CHECK(log.note(start + 60s) == 1002);
  CHECK_FALSE(log.note(start + 61s));
  CHECK(log.total() == 1004);
}

}  // namespace vigil::agent::docker
