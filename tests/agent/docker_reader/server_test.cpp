#include "agent/docker_reader/server.h"

#include "agent/containers/watcher.h"
#include "tests/agent/containers/fixtures.h"
#include "tests/support/temp_file.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <optional>

namespace vigil::agent::docker {
namespace {

using test::eventually;
using test::FakeRuntime;
using test::kHealthyId;
using namespace std::chrono_literals;

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

int listen_on(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = unix_address(path);
  REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd, 64) == 0);
  return fd;
}

int dial(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = unix_address(path);
  REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

/// All that comes until the peer closes; what came so far when it does not within ten seconds.
std::string rest_of(int fd) {
  std::string all;
  char buffer[65536];
  while (true) {
    pollfd waiting{fd, POLLIN, 0};
    if (::poll(&waiting, 1, 10'000) != 1) return all + " (still open)";
    const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) return all;
    all.append(buffer, static_cast<std::size_t>(got));
  }
}

/// An engine and a reader before it, on a thread.
struct Place {
  test::TempDir folder;
  FakeRuntime engine{folder.file("")};
  std::string path = folder.file("reader.sock");
  int listener = listen_on(path);
  int stop = ::eventfd(0, EFD_CLOEXEC);
  std::optional<Server> server;
  std::thread thread;

  Place() { test::play_docker(engine); }
  void start(ServerOptions options = {}) {
    options.engine = engine.socket_path();
    server.emplace(listener, std::move(options));
    thread = std::thread([this] { server->run(stop); });
  }
  ~Place() {
    const std::uint64_t one = 1;
    CHECK(::write(stop, &one, sizeof one) == static_cast<ssize_t>(sizeof one));
    if (thread.joinable()) thread.join();
    ::close(listener);
    ::close(stop);
  }
  std::string say(std::string_view bytes) const {
    const int fd = dial(path);
    CHECK(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0);
    std::string answer = rest_of(fd);
    ::close(fd);
    return answer;
  }
  std::string get(std::string_view target) const {
    return say(fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", target));
  }
};

WatcherOptions quick_watcher(const std::string& socket) {
  WatcherOptions options;
  options.runtime = "docker";
  options.socket_path = socket;
  options.relist = 100ms;
  options.debounce = 5ms;
  options.backoff_first = 10ms;
  options.backoff_most = 20ms;
  return options;
}

std::string status_of(const std::string& answer) {
  return answer.substr(0, answer.find('\r'));
}

}  // namespace

TEST_CASE("the agent sees the same containers through the reader as from the engine") {
  Place place;
  place.start();
  Watcher through(quick_watcher(place.path));
  Watcher direct(quick_watcher(place.engine.socket_path()));
  through.wait_for_first(10s);
  direct.wait_for_first(10s);
  CHECK(through.view()->up);
  CHECK(through.view()->containers.size() == 7);
  CHECK(through.view()->containers == direct.view()->containers);
  CHECK(through.view()->version == direct.view()->version);
}

TEST_CASE("an event comes through as it happens") {
  Place place;
  place.start();
  WatcherOptions options = quick_watcher(place.path);
  options.relist = 1h;
  Watcher watcher(options);
  watcher.wait_for_first(10s);
  REQUIRE(eventually([&] { return place.engine.event_listeners() == 1; }));
  std::string stopped = test::fixture("docker/inspect_healthy.json");
  const std::string target = "/containers/" + kHealthyId + "/json";
  stopped.replace(stopped.find("\"Status\":\"running\""), 18, "\"Status\":\"exited\" ");
  place.engine.set(target, stopped);
  place.engine.send_event(fmt::format(
      R"({{"Type":"container","Action":"die","Actor":{{"ID":"{}","Attributes":{{}}}},"timeNano":1}})",
      kHealthyId));
  CHECK(eventually([&] {
    const auto view = watcher.view();
    return std::ranges::any_of(view->containers, [](const Container& container) {
      return container.id == kHealthyId && container.state == ContainerState::exited;
    });
  }));
}

TEST_CASE("answers have nothing of a container but what the agent reads") {
  Place place;
  place.start();
  const std::string whole = test::fixture("docker/inspect_healthy.json");
  REQUIRE(whole.find("\"Env\"") != std::string::npos);
  const std::string answer = place.get("/v1.41/containers/" + kHealthyId + "/json");
  CHECK(status_of(answer) == "HTTP/1.1 200 OK");
  CHECK(answer.find(kHealthyId) != std::string::npos);
  CHECK(answer.find("Env") == std::string::npos);
  CHECK(answer.find("Mounts") == std::string::npos);
}

TEST_CASE("what is refused never reaches the engine, and is told why") {
  Place place;
  place.start();
  const std::string answer = place.say(
      "POST /containers/create HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: 2\r\n\r\n{}");
  CHECK(status_of(answer) == "HTTP/1.1 403 Forbidden");
  CHECK(answer.find("Connection: close") != std::string::npos);
  CHECK(answer.find("a body, or a second request") != std::string::npos);
  place.engine.set("/images/json", "[]");
  CHECK(status_of(place.get("/images/json")) == "HTTP/1.1 403 Forbidden");
  CHECK(place.engine.requests("/images/json") == 0);
  CHECK(place.engine.requests("/containers/create") == 0);
  CHECK(place.server->refused() == 2);
}

TEST_CASE("a second request on a connection is never read") {
  Place place;
  place.start();
  const std::string ping = "GET /_ping HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n";
  CHECK(status_of(place.say(ping + ping)) == "HTTP/1.1 403 Forbidden");
  place.engine.set("/_ping", "OK");
  const int fd = dial(place.path);
  CHECK(::send(fd, ping.data(), ping.size(), MSG_NOSIGNAL) > 0);
  const std::string answer = rest_of(fd);
  CHECK(answer.ends_with("\r\n\r\nOK"));
  (void)::send(fd, ping.data(), ping.size(), MSG_NOSIGNAL);  // too late, whether it still takes it or not
  CHECK(rest_of(fd) == "");
  ::close(fd);
  CHECK(place.engine.requests("/_ping") == 1);
}

TEST_CASE("a head without an end is refused at its limit, and one that does not come in time") {
  Place place;
  place.start({.patience = 50ms});
  CHECK(status_of(place.say("GET /" + std::string(10'000, 'a'))) == "HTTP/1.1 403 Forbidden");
  CHECK(status_of(place.say("GET /_pi")) == "HTTP/1.1 403 Forbidden");
  CHECK(place.say("") == "");
  CHECK(place.server->refused() == 2);
}

TEST_CASE("an engine that fails is told apart from one that hangs and one that is not there") {
  Place place;
  place.start({.limits = {.deadline = 50ms, .max_body_bytes = 100'000}});
  CHECK(status_of(place.get("/containers/" + std::string(64, 'b') + "/json")) == "HTTP/1.1 404 Not Found");
  place.engine.set("/version", "not JSON");
  CHECK(status_of(place.get("/version")) == "HTTP/1.1 502 Bad Gateway");
  place.engine.set("/version", "{}", 500);
  CHECK(status_of(place.get("/version")) == "HTTP/1.1 502 Bad Gateway");
  for (const auto manner : {FakeRuntime::Manner::garbage, FakeRuntime::Manner::cut_short}) {
    place.engine.set_manner(manner);
    CHECK(status_of(place.get("/version")) == "HTTP/1.1 502 Bad Gateway");
  }
  place.engine.set_manner(FakeRuntime::Manner::endless_body);
  CHECK(status_of(place.get("/version")).starts_with("HTTP/1.1 50"));  // the limit, or the deadline
  for (const auto manner : {FakeRuntime::Manner::silent, FakeRuntime::Manner::dripping}) {
    place.engine.set_manner(manner);
    CHECK(status_of(place.get("/version")) == "HTTP/1.1 504 Gateway Timeout");
  }
  // And the agent makes the same errors of them again.
  const StopSignal never;
  const auto hung = http_get({place.path, {}, &never}, "/version");
  REQUIRE_FALSE(hung);
  CHECK(hung.error().code == Errc::timeout);
  place.engine.set_manner(FakeRuntime::Manner::garbage);
  const auto broken = http_get({place.path, {}, &never}, "/version");
  REQUIRE_FALSE(broken);
  CHECK(broken.error().code == Errc::unavailable);
  CHECK_THAT(broken.error().message, Catch::Contains("status 502: GET /version: reply"));
}

TEST_CASE("where there is no engine the reader says so, and the watcher is as quiet as without a reader") {
  const test::TempDir folder;
  const std::string path = folder.file("reader.sock");
  const int listener = listen_on(path);
  const int stop = ::eventfd(0, EFD_CLOEXEC);
  Server server(listener, {.engine = folder.file("none.sock")});
  std::thread thread([&] { server.run(stop); });
  {
    Watcher watcher(quick_watcher(path));
    watcher.wait_for_first(10s);
    CHECK_FALSE(watcher.view()->known);
    CHECK_FALSE(watcher.view()->up);
    CHECK_THAT(watcher.view()->trouble, Catch::Contains("no engine at " + folder.file("none.sock")));
  }
  const std::uint64_t one = 1;
  CHECK(::write(stop, &one, sizeof one) == static_cast<ssize_t>(sizeof one));
  thread.join();
  ::close(listener);
  ::close(stop);
}

TEST_CASE("a listener of events that went is noticed, and who sends more is let go") {
  Place place;
  place.start({.look = 5ms});
  const std::string ask = fmt::format(
      "GET /events?filters=%7B%22type%22%3A%5B%22container%22%5D%7D HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const int gone = dial(place.path);
  CHECK(::send(gone, ask.data(), ask.size(), MSG_NOSIGNAL) > 0);
  REQUIRE(eventually([&] { return place.engine.event_listeners() == 1; }));
  ::close(gone);
  CHECK(eventually([&] { return place.engine.event_listeners() == 0; }));
  const int chatty = dial(place.path);
  CHECK(::send(chatty, ask.data(), ask.size(), MSG_NOSIGNAL) > 0);
  REQUIRE(eventually([&] { return place.engine.event_listeners() == 1; }));
  CHECK(::send(chatty, ask.data(), ask.size(), MSG_NOSIGNAL) > 0);
  CHECK(eventually([&] { return place.engine.event_listeners() == 0; }));
  CHECK(status_of(rest_of(chatty)) == "HTTP/1.1 200 OK");
  ::close(chatty);
}

TEST_CASE("more peers than there is room for wait until one has gone") {
  Place place;
  place.start({.patience = 10s});
  std::vector<int> quiet;
  for (std::size_t i = 0; i < Server::kMostPeers; ++i) quiet.push_back(dial(place.path));
  const int last = dial(place.path);
  const std::string ask = "GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n";
  CHECK(::send(last, ask.data(), ask.size(), MSG_NOSIGNAL) > 0);
  pollfd waiting{last, POLLIN, 0};
  CHECK(::poll(&waiting, 1, 20) == 0);
  ::close(quiet.back());
  quiet.pop_back();
  CHECK(status_of(rest_of(last)) == "HTTP/1.1 200 OK");
  ::close(last);
  for (const int fd : quiet) ::close(fd);
}

TEST_CASE("without a connection for a while it ends by itself, and not with one") {
  Place place;
  const int quiet = dial(place.path);
  place.start({.patience = 1h, .idle = 20ms});
  pollfd still{quiet, POLLIN, 0};
  CHECK(::poll(&still, 1, 100) == 0);  // five times as long
  ::close(quiet);
  place.thread.join();
  CHECK(place.server->answered() == 0);
}

}  // namespace vigil::agent::docker
