#include "aggregator/http/server.h"

#include "tests/support/catch.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

using namespace vigil;
using namespace vigil::aggregator;
using namespace vigil::aggregator::http;

namespace {

namespace asio = boost::asio;

struct Fixture {
  explicit Fixture(ServerOptions options = {}) {
    add_status_routes(router, registry, [this] { return reason; });
    router.add("POST", "/form", [](const Request& request) {
      return Response{200, "text/plain", request.get("q") + "\n", {}};
    });
    router.add("GET", "/alerts/", [](const Request&) { return Response{200, "text/plain", "list", {}}; });
    options.listen.port = 0;
    auto listening = Server::listen(options, router);
    REQUIRE(listening);
    server = std::move(*listening);
    server->run();
  }

  /// Everything the server answers to `bytes`, until it closes.
  std::string talk(const std::string& bytes) const {
    asio::io_context context;
    asio::ip::tcp::socket socket(context);
    socket.connect({asio::ip::make_address("127.0.0.1"), server->address().port});
    boost::system::error_code error;
    asio::write(socket, asio::buffer(bytes), error);
    std::string answer;
    asio::read(socket, asio::dynamic_buffer(answer), error);
    return answer;
  }
  std::string get(const std::string& path, const std::string& method = "GET") const {
    return talk(method + " " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  }

  self::Registry registry;
  std::string reason;
  Router router;
  std::unique_ptr<Server> server;
};

std::string status(const std::string& answer) {
  return answer.substr(0, answer.find("\r\n"));
}
std::string body(const std::string& answer) {
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

}  // namespace

TEST_CASE("a folder without its slash leads to the folder") {
  Fixture f;
  const std::string answer = f.get("/alerts");
  CHECK(status(answer) == "HTTP/1.1 308 Permanent Redirect");
  CHECK(answer.find("\r\nLocation: /alerts/\r\n") != std::string::npos);
  CHECK(body(f.get("/alerts/")) == "list");
  CHECK(status(f.get("/alert")) == "HTTP/1.1 404 Not Found");
}

TEST_CASE("health, readiness and metrics are answered") {
  Fixture f;
  f.registry.counter("x_total", "X.").add(7);
  CHECK(f.server->address().port != 0);
  CHECK(body(f.get("/healthz")) == "ok\n");
  CHECK(status(f.get("/readyz")) == "HTTP/1.1 200 OK");
  f.reason = "replaying";
  const std::string waiting = f.get("/readyz");
  CHECK(status(waiting) == "HTTP/1.1 503 Service Unavailable");
  CHECK(waiting.find("\"error\":\"replaying\"") != std::string::npos);
  const std::string metrics = f.get("/metrics");
  CHECK(metrics.find("text/plain; version=0.0.4") != std::string::npos);
  CHECK(metrics.find("x_total 7\n") != std::string::npos);
  CHECK(status(f.get("/nothing")) == "HTTP/1.1 404 Not Found");
  const std::string wrong = f.get("/metrics", "DELETE");
  CHECK(status(wrong) == "HTTP/1.1 405 Method Not Allowed");
  CHECK(wrong.find("Allow: GET") != std::string::npos);
}

TEST_CASE("HEAD has the length and no body, and one connection serves many requests") {
  Fixture f;
  const std::string head = f.get("/healthz", "HEAD");
  CHECK(head.find("Content-Length: 3") != std::string::npos);
  CHECK(body(head).empty());
  const std::string twice = f.talk(
      "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
      "POST /form HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: "
      "6\r\n\r\nq=a%41"
      "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  INFO(twice);
  CHECK(twice.find("ok\n") != twice.rfind("ok\n"));
}

TEST_CASE("a form's body is read like a query") {
  Fixture f;
  CHECK(body(f.talk("POST /form HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: "
                    "application/x-www-form-urlencoded\r\n"
                    "Content-Length: 6\r\n\r\nq=a%41")) == "aA\n");
}

TEST_CASE("what is too large or not HTTP is refused") {
  ServerOptions options;
  options.max_body_bytes = 100;
  options.max_header_bytes = 1024;
  Fixture f(options);
  CHECK(status(f.talk("POST /form HTTP/1.1\r\nContent-Length: 101\r\n\r\n")) ==
        "HTTP/1.1 413 Payload Too Large");
  CHECK(status(f.talk("GET /healthz HTTP/1.1\r\nX: " + std::string(2000, 'x') + "\r\n\r\n")) ==
        "HTTP/1.1 431 Request Header Fields Too Large");
  CHECK(status(f.talk("\x16\x03\x01 this is TLS\r\n\r\n")) == "HTTP/1.1 400 Bad Request");
  CHECK(body(f.get("/healthz")) == "ok\n");
}

TEST_CASE("a client that sends nothing is let go, and so is one too many") {
  ServerOptions options;
  options.request_timeout = std::chrono::milliseconds(50);
  options.max_connections = 1;
  Fixture f(options);
  asio::io_context context;
  asio::ip::tcp::socket silent(context);
  silent.connect({asio::ip::make_address("127.0.0.1"), f.server->address().port});
  char byte = 0;
  boost::system::error_code error;
  silent.read_some(asio::buffer(&byte, 1), error);  // ends when the server closes
  CHECK(error == asio::error::eof);
}

TEST_CASE("an occupied port is a conflict that names the address") {
  Fixture f;
  ServerOptions options;
  options.listen.port = f.server->address().port;
  const auto second = Server::listen(options, f.router);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Errc::conflict);
  CHECK(second.error().message.find(f.server->address().to_string()) != std::string::npos);
}
