#include "aggregator/http/server.h"

#include "aggregator/access/secrets.h"
#include "tests/aggregator/access/fixture.h"
#include "tests/support/catch.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <thread>

using namespace vigil;
using namespace vigil::aggregator;
using namespace vigil::aggregator::http;

namespace {

namespace asio = boost::asio;

struct Fixture {
  explicit Fixture(ServerOptions options = {}) {
    add_status_routes(router, registry, [this] { return reason; });
    router.add("POST", "/form", access::kOpen, [](const Request& request) {
      return Response{200, "text/plain", request.get("q") + "\n", {}};
    });
    router.add("GET", "/alerts/", access::kOpen, [](const Request&) {
      return Response{200, "text/plain", "list", {}};
    });
    router.add_later("GET", "/later", access::kOpen,
                     [this](Request, Responder responder) { asked.set_value(std::move(responder)); });
    router.add_later("POST", "/large", access::kOpen,
                     [](const Request& request, const Responder& responder) {
                       responder.send({200, "text/plain", std::to_string(request.body.size()), {}});
                     },
                     {2 << 20});
    router.add_later("GET", "/pieces", access::kOpen, [this](Request, const Responder& responder) {
      Response response{200, "text/plain", "first,", {}};
      response.next = [this, left = pieces, held = held]() mutable -> std::string {
        return held && left-- > 0 ? std::string(piece_bytes, 'x') : "";
      };
      responder.send(std::move(response));
    });
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

  std::promise<Responder> asked;
  std::shared_ptr<int> held = std::make_shared<int>();  // by what makes pieces
  int pieces = 3;
  std::size_t piece_bytes = 2;
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
                    "application/x-www-form-urlencoded\r\nConnection: close\r\n"
                    "Content-Length: 6\r\n\r\nq=a%41")) == "aA\n");
}

TEST_CASE("what is too large or not HTTP is refused") {
  ServerOptions options;
  options.max_header_bytes = 1024;
  Fixture f(options);
  CHECK(status(f.talk("POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n")) ==
        "HTTP/1.1 413 Payload Too Large");
  CHECK(status(f.talk("GET /healthz HTTP/1.1\r\nX: " + std::string(2000, 'x') + "\r\n\r\n")) ==
        "HTTP/1.1 431 Request Header Fields Too Large");
  CHECK(status(f.talk("\x16\x03\x01 this is TLS\r\n\r\n")) == "HTTP/1.1 400 Bad Request");
  CHECK(body(f.get("/healthz")) == "ok\n");
}

TEST_CASE("what has no end is refused before it fills the memory") {
  Fixture f;
  const std::string head = "POST /form HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(status(f.talk(head + "1;x=" + std::string(300'000, 'x') + "\r\na\r\n0\r\n\r\n")) ==
        "HTTP/1.1 400 Bad Request");
  CHECK(status(f.talk(head + "0\r\nX: " + std::string(300'000, 'x') + "\r\n\r\n")) ==
        "HTTP/1.1 400 Bad Request");
  std::string many;
  for (int i = 0; i < 10'001; ++i) many += "&a";
  CHECK(status(f.talk(fmt::format("POST /form HTTP/1.1\r\nHost: x\r\nContent-Type: "
                                  "application/x-www-form-urlencoded\r\nConnection: close\r\n"
                                  "Content-Length: {}\r\n\r\n{}",
                                  many.size(), many)))
            .starts_with("HTTP/1.1 4"));
  CHECK(body(f.get("/healthz")) == "ok\n");
}

TEST_CASE("a connection too many is told so") {
  ServerOptions options;
  options.limits.most = 1;
  Fixture f(options);
  asio::io_context context;
  asio::ip::tcp::socket first(context);
  first.connect({asio::ip::make_address("127.0.0.1"), f.server->address().port});
  CHECK(status(f.talk("GET /healthz HTTP/1.1\r\n\r\n")) == "HTTP/1.1 503 Service Unavailable");
}

TEST_CASE(
    "a client that sends nothing is let go, and so is one that does not come to the end of its header") {
  const std::string sent = GENERATE("", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ");
  self::Registry registry;
  door::Tally tally("http", registry);
  ServerOptions options;
  options.header_timeout = std::chrono::milliseconds(50);
  options.tally = &tally;
  Fixture f(options);
  asio::io_context context;
  asio::ip::tcp::socket silent(context);
  silent.connect({asio::ip::make_address("127.0.0.1"), f.server->address().port});
  asio::write(silent, asio::buffer(sent));
  char byte = 0;
  boost::system::error_code error;
  silent.read_some(asio::buffer(&byte, 1), error);  // ends when the server closes
  CHECK(error == asio::error::eof);
  const auto is_counted = [&registry] {
    return registry.exposition().find(
               "vigil_aggregator_connections_ended_total{port=\"http\",reason=\"slow\"} 1\n") !=
           std::string::npos;
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!is_counted() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  CHECK(is_counted());  // the client may see the end before
}

TEST_CASE("a body must come at the least rate, after a while that it has in any case") {
  ServerOptions options;
  options.body_timeout = std::chrono::milliseconds(50);
  options.least_rate = 1 << 20;
  Fixture f(options);
  CHECK(f.talk("POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc").empty());
}

TEST_CASE("who waits for nothing makes room when the port is full, longest first") {
  self::Registry registry;
  door::Tally tally("http", registry);
  ServerOptions options;
  options.limits = {.most = 3, .most_of_source = 100};
  options.tally = &tally;
  Fixture f(options);
  asio::io_context context;
  std::vector<asio::ip::tcp::socket> crowd;
  const auto port = f.server->address().port;
  for (int i = 0; i < 3; ++i) {  // 127.0.0.2 fills the port
    crowd.emplace_back(context, asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.2"), 0));
    crowd.back().connect({asio::ip::make_address("127.0.0.1"), port});
    asio::write(crowd.back(), asio::buffer("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 34));
    std::string answer;
    asio::read_until(crowd.back(), asio::dynamic_buffer(answer), "ok\n");
  }
  CHECK(body(f.get("/healthz")) == "ok\n");  // from 127.0.0.1
  char byte = 0;
  boost::system::error_code error;
  crowd.front().read_some(asio::buffer(&byte, 1), error);
  CHECK(error == asio::error::eof);
  CHECK_THAT(registry.exposition(),
             Catch::Contains("vigil_aggregator_connections_ended_total{port=\"http\",reason=\"room\"} 1\n"));
}

TEST_CASE("who does not take his answer makes room when the port is full, too") {
  self::Registry registry;
  door::Tally tally("http", registry);
  ServerOptions options;
  options.limits = {.most = 3, .most_of_source = 100, .new_of_source = 1e6, .new_of_all = 1e6};
  options.answer_timeout = std::chrono::hours(1);
  options.tally = &tally;
  Fixture f(options);
  f.pieces = 1'000'000;
  f.piece_bytes = 1 << 20;
  asio::io_context context;
  std::vector<asio::ip::tcp::socket> crowd;
  for (int i = 0; i < 3; ++i) {  // 127.0.0.2 fills the port
    crowd.emplace_back(context, asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.2"), 0));
    crowd.back().connect({asio::ip::make_address("127.0.0.1"), f.server->address().port});
    asio::write(crowd.back(), asio::buffer(std::string_view("GET /pieces HTTP/1.1\r\nHost: x\r\n\r\n")));
    char byte = 0;
    asio::read(crowd.back(), asio::buffer(&byte, 1));  // the answer has begun
  }
  // Until what the kernel holds is full there is always a piece in the making.
  bool is_served = false;
  for (int i = 0; i < 10'000 && !is_served; ++i) is_served = body(f.get("/healthz")) == "ok\n";
  CHECK(is_served);
  CHECK_THAT(registry.exposition(),
             Catch::Contains("vigil_aggregator_connections_ended_total{port=\"http\",reason=\"room\"} 1\n"));
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

TEST_CASE("an answer may come later and from another thread, while others are answered") {
  Fixture f;
  std::thread client([&f] { CHECK(body(f.get("/later")) == "at last"); });
  const Responder responder = f.asked.get_future().get();
  CHECK(body(f.get("/healthz")) == "ok\n");
  CHECK_FALSE(responder.client_gone());
  responder.send({200, "text/plain", "at last", {}});
  responder.send({200, "text/plain", "a second answer is nobody's", {}});
  client.join();
}

TEST_CASE("a request that nobody answers is told so") {
  Fixture f;
  std::thread client([&f] { CHECK(status(f.get("/later")) == "HTTP/1.1 500 Internal Server Error"); });
  { const Responder dropped = f.asked.get_future().get(); }
  client.join();
}

TEST_CASE("a client that goes away while its answer is made is noticed") {
  Fixture f;
  asio::io_context context;
  auto socket = std::make_unique<asio::ip::tcp::socket>(context);
  socket->connect({asio::ip::make_address("127.0.0.1"), f.server->address().port});
  asio::write(*socket, asio::buffer(std::string_view("GET /later HTTP/1.1\r\nHost: x\r\n\r\n")));
  const Responder responder = f.asked.get_future().get();
  socket.reset();
  while (!responder.client_gone()) std::this_thread::yield();
  responder.send({200, "text/plain", "to nobody", {}});
  CHECK(body(f.get("/healthz")) == "ok\n");
}

TEST_CASE("requests sent ahead are answered in their order") {
  Fixture f;
  std::thread client([&f] {
    const std::string answers = f.talk(
        "GET /later HTTP/1.1\r\nHost: x\r\n\r\nGET /pieces HTTP/1.1\r\nHost: x\r\n\r\n"
        "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const auto first = answers.find("at last");
    const auto second = answers.find("first,");
    CHECK(first < second);
    CHECK(second < answers.find("ok\n"));
    CHECK(answers.find("ok\n") != std::string::npos);
  });
  f.asked.get_future().get().send({200, "text/plain", "at last", {}});
  client.join();
}

TEST_CASE("an answer in pieces is sent in chunks, and to HTTP/1.0 until the connection ends") {
  Fixture f;
  const std::string chunked = f.get("/pieces");
  CHECK(chunked.find("Transfer-Encoding: chunked") != std::string::npos);
  CHECK(body(chunked) == "6\r\nfirst,\r\n2\r\nxx\r\n2\r\nxx\r\n2\r\nxx\r\n0\r\n\r\n");
  CHECK(body(f.talk("GET /pieces HTTP/1.0\r\n\r\n")) == "first,xxxxxx");
  CHECK(body(f.get("/pieces", "HEAD")).empty());
}

TEST_CASE("who takes an answer too slowly is let go") {
  ServerOptions options;
  options.answer_timeout = std::chrono::milliseconds(100);
  Fixture f(options);
  f.pieces = 1'000'000;
  f.piece_bytes = 1 << 20;
  asio::io_context context;
  asio::ip::tcp::socket socket(context);
  socket.connect({asio::ip::make_address("127.0.0.1"), f.server->address().port});
  asio::write(socket, asio::buffer(std::string_view("GET /pieces HTTP/1.1\r\nHost: x\r\n\r\n")));
  char byte = 0;
  asio::read(socket, asio::buffer(&byte, 1));  // the answer has begun
  // The rest of the answer is never taken: what it holds is let go of.
  while (f.held.use_count() > 1) std::this_thread::yield();
  CHECK(body(f.get("/healthz")) == "ok\n");
}

TEST_CASE("a route says how large its bodies may be, and who asks first is told to go on") {
  Fixture f;
  const std::string large(1'500'000, 'x');
  CHECK(
      body(f.talk("POST /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1500000\r\n\r\n" +
                  large)) == "1500000");
  CHECK(status(f.talk("POST /large HTTP/1.1\r\nHost: x\r\nContent-Length: 2097153\r\n\r\n")) ==
        "HTTP/1.1 413 Payload Too Large");
  const std::string asked = f.talk(
      "POST /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 4\r\n"
      "\r\nabcd");
  CHECK(asked.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
}

TEST_CASE("who sends a body that is too large still reads why it is refused") {
  Fixture f;
  const std::string answer = f.talk("POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n" +
                                    std::string(8'000'000, 'x'));
  CHECK(status(answer) == "HTTP/1.1 413 Payload Too Large");
}

TEST_CASE("headers are handed on with names in lower case, a form's parameters before those of the URL") {
  Fixture f;
  f.router.add("POST", "/echo", access::kOpen, [](const Request& request) {
    return Response{200, "text/plain", std::string(request.header("x-scope")) + " " + request.get("a"), {}};
  });
  CHECK(body(f.talk(
            "POST /echo?a=url HTTP/1.1\r\nHost: x\r\nX-SCOPE: one\r\nX-Scope: two\r\nConnection: close\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 6\r\n\r\na=form")) ==
        "one, two form");
}

TEST_CASE("a request that leaves open whom it is for, or who sends it, is refused") {
  Fixture f;
  const auto refusal = [&f](const std::string& headers) {
    return f.talk("GET /healthz HTTP/1.1\r\n" + headers + "Connection: close\r\n\r\n");
  };
  CHECK(status(refusal("Host: x\r\n")) == "HTTP/1.1 200 OK");
  for (const auto& [headers, why] :
       {std::pair{"", "Host is missing"}, std::pair{"Host: x\r\nHost: x\r\n", "Host is given more than once"},
        std::pair{"Host: x\r\nAuthorization: Bearer a\r\nauthorization: Bearer b\r\n",
                  "Authorization is given more than once"}}) {
    const std::string answer = refusal(headers);
    INFO(answer);
    CHECK(status(answer) == "HTTP/1.1 400 Bad Request");
    CHECK(answer.find(why) != std::string::npos);
  }
}

TEST_CASE("who asks for no host, or for an empty one, is not taken for somebody of this machine") {
  access::Fixture doors;
  ServerOptions options;
  options.gatekeeper = doors.gatekeeper.get();
  Fixture f(options);
  f.router.add("GET", "/who", access::kViewer, [](const Request&) {
    return Response{200, "text/plain", "in\n", {}};
  });
  CHECK(status(f.talk("GET /who HTTP/1.0\r\nHost: localhost\r\n\r\n")) == "HTTP/1.0 200 OK");
  CHECK(status(f.talk("GET /who HTTP/1.0\r\n\r\n")) == "HTTP/1.0 401 Unauthorized");
  CHECK(status(f.talk("GET /who HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n")) ==
        "HTTP/1.1 401 Unauthorized");
  f.server->stop();
}

TEST_CASE("an answer that comes after the server stopped finds nobody") {
  Fixture f;
  std::thread client([&f] { CHECK(f.get("/later").empty()); });
  const Responder responder = f.asked.get_future().get();
  f.server->stop();
  f.server.reset();
  client.join();
  responder.send({200, "text/plain", "late", {}});
  CHECK(responder.client_gone());
}

TEST_CASE(
    "who is asked for a password shows it on the same connection, and a body nobody takes is not read") {
  access::Fixture doors({.loopback = access::Role::none});
  REQUIRE(doors.accounts->put_user(
      {"alice", *access::hash_password("correct horse"), access::Role::viewer, true}, doors.root));
  ServerOptions options;
  options.gatekeeper = doors.gatekeeper.get();
  Fixture f(options);
  f.router.add("GET", "/who", access::kViewer, [](const Request& request) {
    return Response{200, "text/plain", request.caller.name + "\n", {}};
  });
  f.router.add("POST", "/change", access::kOperator, [](const Request&) {
    return Response{200, "text/plain", "changed\n", {}};
  });
  const std::string alice = "Authorization: Basic YWxpY2U6Y29ycmVjdCBob3JzZQ==\r\n";
  const std::string twice = f.talk("GET /who HTTP/1.1\r\nHost: x\r\n\r\nGET /who HTTP/1.1\r\nHost: x\r\n" +
                                   alice + "Connection: close\r\n\r\n");
  CHECK(status(twice) == "HTTP/1.1 401 Unauthorized");
  CHECK(twice.find("WWW-Authenticate: Basic realm=\"vigil\"") != std::string::npos);
  CHECK(twice.find("WWW-Authenticate: Bearer") != std::string::npos);
  CHECK(twice.ends_with("\r\n\r\nalice\n"));
  const std::string refused =
      f.talk("POST /change HTTP/1.1\r\nHost: x\r\n" + alice + "Content-Length: 1000000\r\n\r\n");
  CHECK(status(refused) == "HTTP/1.1 403 Forbidden");
  CHECK(refused.find("user alice has the role viewer, and this needs operator") != std::string::npos);
  CHECK(body(f.get("/healthz")) == "ok\n");
  f.server->stop();
}

TEST_CASE("every answer tells browsers what not to do with it") {
  Fixture f;
  for (const std::string& answer :
       {f.get("/healthz"), f.get("/nothing"), f.get("/api/v1/x"), f.talk("x\r\n\r\n")}) {
    INFO(answer);
    for (const char* header : {"X-Content-Type-Options: nosniff\r\n", "X-Frame-Options: DENY\r\n",
                               "Referrer-Policy: no-referrer\r\n",
                               "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"})
      CHECK(answer.find(header) != std::string::npos);
  }
  CHECK(f.get("/api/v1/x").find("Cache-Control: no-store\r\n") != std::string::npos);
}
