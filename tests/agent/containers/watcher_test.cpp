#include "agent/containers/watcher.h"

#include "tests/agent/collectors/support.h"
#include "tests/agent/containers/fixtures.h"

namespace vigil::agent {

using test::eventually;
using test::FakeRuntime;
using test::fixture;
using test::play_docker;
using test::TempDir;
using namespace std::chrono_literals;

namespace {

WatcherOptions quick(const std::string& socket) {
  WatcherOptions options;
  options.runtime = "docker";
  options.socket_path = socket;
  options.limits.deadline = 300ms;
  options.relist = 100ms;
  options.debounce = 5ms;
  options.backoff_first = 10ms;
  options.backoff_most = 20ms;
  return options;
}

const Container* find(const RuntimeView& view, std::string_view name) {
  const auto found = std::find_if(view.containers.begin(), view.containers.end(),
                                  [&](const Container& c) { return c.name == name; });
  return found == view.containers.end() ? nullptr : &*found;
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

std::string event_line(const std::string& id, const std::string& action) {
  return fmt::format(
      R"({{"Type":"container","Action":"{}","Actor":{{"ID":"{}","Attributes":{{}}}},"timeNano":1795303900000000001}})",
      action, id);
}

}  // namespace

TEST_CASE("a watcher publishes the recorded Engine's containers, inspected") {
  TempDir dir;
  FakeRuntime runtime(dir.path().string());
  play_docker(runtime);
  Watcher watcher(quick(runtime.socket_path()));
  watcher.wait_for_first(5s);
  const auto view = watcher.view();
  CHECK(view->up);
  CHECK(view->runtime == "docker");
  CHECK(view->version == "20.10.24+dfsg1");
  REQUIRE(view->containers.size() == 7);
  CHECK(find(*view, "healthy")->health == ContainerHealth::healthy);
  CHECK(find(*view, "healthy")->pid == 10491);
  CHECK(find(*view, "oom")->oom_events == 1);
  CHECK(find(*view, "stopped")->exit_code == 7);
  CHECK(find(*view, "restarting")->restarts > 3);
  CHECK(find(*view, "hostnet")->shares_network);
  CHECK(runtime.latest_target("/containers/json") == "/v1.41/containers/json?all=1");
}

TEST_CASE("an event brings the change without waiting for the next listing") {
  TempDir dir;
  FakeRuntime runtime(dir.path().string());
  play_docker(runtime);
  auto options = quick(runtime.socket_path());
  options.relist = 1h;
  Watcher watcher(options);
  watcher.wait_for_first(5s);
  REQUIRE(eventually([&] { return runtime.event_listeners() == 1; }));
  const int listings = runtime.requests("/containers/json");
  runtime.set("/containers/" + test::kHealthyId + "/json",
              replaced(fixture("docker/inspect_healthy.json"), R"("Health":{"Status":"healthy")",
                       R"("Health":{"Status":"unhealthy")"));
  runtime.send_event(event_line(test::kHealthyId, "health_status: unhealthy"));
  CHECK(eventually([&] { return find(*watcher.view(), "healthy")->health == ContainerHealth::unhealthy; }));
  runtime.send_event(event_line(test::kStoppedId, "destroy"));
  CHECK(eventually([&] { return find(*watcher.view(), "stopped") == nullptr; }));
  CHECK(runtime.requests("/containers/json") == listings);  // neither needed one
}

TEST_CASE("nothing changes, nothing is published: readers may compare pointers") {
  TempDir dir;
  FakeRuntime runtime(dir.path().string());
  play_docker(runtime);
  Watcher watcher(quick(runtime.socket_path()));
  watcher.wait_for_first(5s);
  const auto view = watcher.view();
  const int listings = runtime.requests("/containers/json");
  REQUIRE(eventually([&] { return runtime.requests("/containers/json") >= listings + 3; }));
  CHECK(watcher.view() == view);
}

TEST_CASE("a daemon that ends the stream is followed again from the last event") {
  TempDir dir;
  FakeRuntime runtime(dir.path().string());
  play_docker(runtime);
  Watcher watcher(quick(runtime.socket_path()));
  watcher.wait_for_first(5s);
  REQUIRE(eventually([&] { return runtime.event_listeners() == 1; }));
  CHECK(runtime.latest_target("/events").find("since") == std::string::npos);
  const int inspections = runtime.requests("/containers/" + test::kHealthyId + "/json");
  runtime.send_event(event_line(test::kHealthyId, "pause"));
  REQUIRE(eventually(
      [&] { return runtime.requests("/containers/" + test::kHealthyId + "/json") > inspections; }));
  runtime.end_event_streams();
  REQUIRE(eventually([&] { return runtime.requests("/events") == 2 && watcher.view()->up; }));
  CHECK(runtime.latest_target("/events").ends_with("&since=1795303900.000000002"));
  CHECK(watcher.view()->failures >= 1);
}

TEST_CASE("a daemon that misbehaves costs its own status only, and recovers") {
  const auto manner =
      GENERATE(FakeRuntime::Manner::silent, FakeRuntime::Manner::garbage, FakeRuntime::Manner::cut_short,
               FakeRuntime::Manner::endless_body, FakeRuntime::Manner::dripping);
  TempDir dir;
  FakeRuntime runtime(dir.path().string());
  play_docker(runtime);
  runtime.set_manner(manner);
  Watcher watcher(quick(runtime.socket_path()));
  watcher.wait_for_first(5s);
  REQUIRE(eventually([&] { return watcher.view()->failures >= 2; }));
  CHECK_FALSE(watcher.view()->up);
  CHECK(watcher.view()->known);
  CHECK_FALSE(watcher.view()->trouble.empty());
  runtime.set_manner(FakeRuntime::Manner::proper);
  CHECK(eventually([&] { return watcher.view()->up; }));
  CHECK(watcher.view()->containers.size() == 7);
}

TEST_CASE("a daemon that falls silent between events is noticed by its ping, long before the next listing") {
  TempDir dir;
  FakeRuntime runtime(dir.path().string());
  play_docker(runtime);
  auto options = quick(runtime.socket_path());
  options.relist = 1h;
  options.ping = 20ms;
  Watcher watcher(options);
  watcher.wait_for_first(5s);
  REQUIRE(eventually([&] { return runtime.requests("/_ping") >= 2; }));  // 404: an answer
  CHECK(watcher.view()->failures == 0);
  runtime.set_manner(FakeRuntime::Manner::silent);
  CHECK(eventually([&] { return !watcher.view()->up; }));
  CHECK(runtime.requests("/containers/json") == 1);
}

TEST_CASE("containers stay known while their daemon is silent") {
  TempDir dir;
  FakeRuntime runtime(dir.path().string());
  play_docker(runtime);
  Watcher watcher(quick(runtime.socket_path()));
  watcher.wait_for_first(5s);
  runtime.set_manner(FakeRuntime::Manner::silent);
  REQUIRE(eventually([&] { return !watcher.view()->up; }));
  CHECK(watcher.view()->listed);
  CHECK(watcher.view()->containers.size() == 7);
}

TEST_CASE("one container whose inspection hangs costs only its own details") {
  TempDir dir;
  FakeRuntime runtime(dir.path().string());
  play_docker(runtime);
  runtime.set_silent_path("/containers/" + test::kHealthyId + "/json");
  Watcher watcher(quick(runtime.socket_path()));
  watcher.wait_for_first(5s);
  const auto view = watcher.view();
  CHECK(view->up);
  CHECK(find(*view, "healthy")->state == ContainerState::running);
  CHECK(find(*view, "healthy")->health == ContainerHealth::healthy);  // the listing says so
  CHECK(find(*view, "healthy")->pid == 0);
  CHECK(find(*view, "stopped")->exit_code == 7);
}

TEST_CASE("lines of the event stream that are no events are counted and passed over") {
  TempDir dir;
  FakeRuntime runtime(dir.path().string());
  play_docker(runtime);
  Watcher watcher(quick(runtime.socket_path()));
  watcher.wait_for_first(5s);
  REQUIRE(eventually([&] { return runtime.event_listeners() == 1; }));
  runtime.send_event("this is not JSON");
  runtime.send_event("{}");
  runtime.send_event(event_line(test::kStoppedId, "destroy"));
  CHECK(eventually([&] { return find(*watcher.view(), "stopped") == nullptr; }));
  CHECK(watcher.view()->up);
  CHECK(watcher.view()->failures == 2);
}

TEST_CASE("a line without end closes the stream instead of growing") {
  TempDir dir;
  FakeRuntime runtime(dir.path().string());
  play_docker(runtime);
  Watcher watcher(quick(runtime.socket_path()));
  watcher.wait_for_first(5s);
  REQUIRE(eventually([&] { return runtime.event_listeners() == 1; }));
  runtime.send_event(std::string(200'000, 'x'));
  CHECK(eventually([&] { return runtime.requests("/events") >= 2; }));
}

TEST_CASE("a proxy that refuses /version is asked without a version") {
  TempDir dir;
  FakeRuntime runtime(dir.path().string());
  play_docker(runtime);
  runtime.set("/version", "Forbidden", 403);
  runtime.set("/_ping", "OK");
  Watcher watcher(quick(runtime.socket_path()));
  watcher.wait_for_first(5s);
  CHECK(watcher.view()->up);
  CHECK(watcher.view()->containers.size() == 7);
  CHECK(runtime.latest_target("/containers/json") == "/containers/json?all=1");
}

TEST_CASE("Podman's socket is followed with its own filter and its health from inspection") {
  TempDir dir;
  FakeRuntime runtime(dir.path().string());
  runtime.set("/version", fixture("podman/version.json"));
  runtime.set("/containers/json", fixture("podman/list.json"));
  runtime.set("/containers/5d7a0b1c2e3f405162738495a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f/json",
              fixture("podman/inspect_db.json"));
  Watcher watcher(quick(runtime.socket_path()));
  watcher.wait_for_first(5s);
  const auto view = watcher.view();
  CHECK(view->runtime == "podman");
  REQUIRE(view->containers.size() == 1);
  CHECK(view->containers.front().health == ContainerHealth::unhealthy);
  CHECK(view->containers.front().image == "docker.io/library/postgres:16");
  CHECK(view->containers.front().restarts == 2);
  CHECK(runtime.latest_target("/events").find("event") ==
        runtime.latest_target("/events").rfind("event"));  // "/events", no event filter
}

TEST_CASE("a Podman that takes long to tell its version has its containers listed before") {
  TempDir dir;
  FakeRuntime runtime(dir.path().string());
  runtime.set("/_ping", "OK");
  runtime.set("/version", fixture("podman/version.json"));
  runtime.set("/containers/json", fixture("podman/list.json"));
  runtime.set_silent_path("/version");
  auto options = quick(runtime.socket_path());
  options.runtime = "podman";
  options.limits.deadline = 1h;
  Watcher watcher(options);
  watcher.wait_for_first(5s);
  CHECK(watcher.view()->up);
  CHECK(watcher.view()->containers.size() == 1);
  CHECK(watcher.view()->version.empty());
}

TEST_CASE("without a socket a watcher is quiet, and finds the daemon that starts later") {
  TempDir dir;
  Watcher watcher(quick((dir.path() / "runtime.sock").string()));
  watcher.wait_for_first(5s);
  CHECK_FALSE(watcher.view()->known);
  CHECK(watcher.view()->failures == 0);
  FakeRuntime runtime(dir.path().string());
  play_docker(runtime);
  CHECK(eventually([&] { return watcher.view()->up; }));
}

TEST_CASE("a watcher stops at once, whatever it waits for") {
  const auto manner =
      GENERATE(FakeRuntime::Manner::proper, FakeRuntime::Manner::silent, FakeRuntime::Manner::endless_body);
  TempDir dir;
  FakeRuntime runtime(dir.path().string());
  play_docker(runtime);
  runtime.set_manner(manner);
  auto options = quick(runtime.socket_path());
  options.limits.deadline = 1h;
  options.limits.max_body_bytes = std::size_t{1} << 40;
  options.relist = 1h;
  auto watcher = std::make_unique<Watcher>(options);
  REQUIRE(eventually([&] { return runtime.requests("/version") == 1; }));
  if (manner == FakeRuntime::Manner::proper) REQUIRE(eventually([&] { return watcher->view()->up; }));
  const auto begun = std::chrono::steady_clock::now();
  watcher.reset();
  CHECK(std::chrono::steady_clock::now() - begun < 2s);
}

TEST_CASE("a path too long for a socket is refused with words") {
  Watcher watcher(quick("/" + std::string(200, 'x')));
  watcher.wait_for_first(5s);
  CHECK(watcher.view()->trouble.find("at most") != std::string::npos);
}

}  // namespace vigil::agent
