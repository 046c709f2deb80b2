// The collector on recorded hosts, with a runtime that answers as the recorded Engine did.
#include "tests/agent/collectors/support.h"
#include "tests/agent/containers/allocations.h"
#include "tests/agent/containers/fixtures.h"

namespace vigil::agent {

using test::eventually;
using test::FakeRuntime;

namespace {

std::string collect(Collector& collector, Sheet& sheet, std::int64_t wall_ms = 1'700'000'000'000) {
  REQUIRE(test::tick(collector, sheet, wall_ms));
  return test::to_text(sheet);
}

std::string golden(const std::string& name, const std::string& text) {
  const auto path =
      std::filesystem::path(VIGIL_SOURCE_DIR) / "tests/agent/containers/golden" / (name + ".txt");
  if (std::getenv("VIGIL_UPDATE_GOLDEN") != nullptr) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

CollectorOptions on_host(const std::string& host, const std::string& socket) {
  CollectorOptions options = test::rooted(test::host_path(host));
  options.docker_socket = socket;
  return options;
}

bool has(const std::string& text, const std::string& line_begin) {
  return text.find("\n" + line_begin) != std::string::npos || text.starts_with(line_begin);
}

}  // namespace

TEST_CASE("recorded Docker hosts of all three cgroup layouts give the golden text") {
  const std::string host = GENERATE("docker-v1", "docker-v2", "docker-hybrid");
  test::TempDir dir;
  FakeRuntime runtime(dir.path().string());
  test::play_docker(runtime);
  const auto collector = test::make_collector("containers", on_host(host, runtime.socket_path()));
  CHECK(collector->job() == "container");
  Sheet sheet(100'000);
  const std::string text = collect(*collector, sheet);
  CHECK(text == golden(host, text));
  CHECK(text.find("hunter2") == std::string::npos);
}

TEST_CASE("with no socket containers are found by their cgroups and called by their ids") {
  const auto collector = test::make_collector("containers", on_host("docker-v2", "none"));
  Sheet sheet(100'000);
  const std::string text = collect(*collector, sheet);
  CHECK(text == golden("docker-v2-no-socket", text));
  CHECK(has(text, R"(container_info{id="0aa5e04d6a6e", name="0aa5e04d6a6e", runtime="docker"} 1)"));
  CHECK(text.find("vigil_container_runtime_up") == std::string::npos);
}

TEST_CASE("a socket that was named and is not there is a runtime that is down") {
  test::TempDir dir;
  const auto collector =
      test::make_collector("containers", on_host("docker-v2", dir.path().string() + "/typo.sock"));
  Sheet sheet(100'000);
  CHECK(eventually(
      [&] { return has(collect(*collector, sheet), R"(vigil_container_runtime_up{runtime="docker"} 0)"); }));
}

TEST_CASE("a host without cgroups and runtimes has no containers, which is no failure") {
  test::TempDir dir;
  CollectorOptions options = test::rooted(dir.path());
  const auto collector = test::make_collector("containers", options);
  Sheet sheet;
  const auto result = test::tick(*collector, sheet);
  REQUIRE_FALSE(result);
  CHECK(result.error().code == Errc::unsupported);
}

TEST_CASE("a container keeps its series when it changes state") {
  test::TempDir dir;
  FakeRuntime runtime(dir.path().string());
  test::play_docker(runtime);
  const auto collector = test::make_collector("containers", on_host("docker-v2", runtime.socket_path()));
  Sheet sheet(100'000);
  std::string text = collect(*collector, sheet);
  REQUIRE(has(text, R"(container_state{image="vigil-test:1", name="healthy", state="running"} 1)"));
  REQUIRE(has(text, R"(container_last_seen{image="vigil-test:1", name="healthy"} 1700000000)"));

  std::string stopped = test::fixture("docker/inspect_stopped.json");
  for (std::size_t at; (at = stopped.find(test::kStoppedId)) != std::string::npos;)
    stopped.replace(at, 64, test::kHealthyId);
  stopped.replace(stopped.find(R"("/stopped")"), 10, R"("/healthy")");
  runtime.set("/containers/" + test::kHealthyId + "/json", stopped);
  REQUIRE(eventually([&] { return runtime.event_listeners() == 1; }));
  runtime.send_event(
      fmt::format(R"({{"Type":"container","Action":"die","Actor":{{"ID":"{}"}}}})", test::kHealthyId));
  REQUIRE(eventually([&] {
    text = collect(*collector, sheet, 1'700'000'005'000);
    return has(text, R"(container_state{image="vigil-test:1", name="healthy", state="exited"} 1)");
  }));
  CHECK(has(text, R"(container_state{image="vigil-test:1", name="healthy", state="running"} 0)"));
  CHECK(has(text, R"(container_exit_code{image="vigil-test:1", name="healthy"} 7)"));
  CHECK_FALSE(has(text, R"(container_memory_usage_bytes{image="vigil-test:1", name="healthy"})"));
  CHECK_FALSE(has(text, R"(container_health_state{image="vigil-test:1", name="healthy")"));
  CHECK(has(
      text,
      R"(container_last_seen{image="vigil-test:1", name="healthy"} 17000000)"));  // frozen at a tick it ran
}

TEST_CASE("a daemon that never answers delays no tick, and cgroups are still read") {
  test::TempDir dir;
  FakeRuntime runtime(dir.path().string());
  runtime.set_manner(FakeRuntime::Manner::silent);
  const auto collector = test::make_collector("containers", on_host("docker-v2", runtime.socket_path()));
  Sheet sheet(100'000);
  const auto begun = std::chrono::steady_clock::now();
  const std::string text = collect(*collector, sheet);
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::milliseconds(300));
  CHECK(has(text, R"(container_cpu_usage_seconds_total{name="0aa5e04d6a6e"} 1.234567)"));
}

TEST_CASE(
    "when a daemon falls silent numbers go on, states hold only as far as cgroups agree, health is not "
    "repeated") {
  test::TempDir dir;
  auto runtime = std::make_unique<FakeRuntime>(dir.path().string());
  test::play_docker(*runtime);
  const auto collector = test::make_collector("containers", on_host("docker-v2", runtime->socket_path()));
  Sheet sheet(100'000);
  std::string text = collect(*collector, sheet);
  REQUIRE(has(text, R"(vigil_container_runtime_up{runtime="docker"} 1)"));
  runtime.reset();
  REQUIRE(eventually([&] {
    text = collect(*collector, sheet);
    return has(text, R"(vigil_container_runtime_up{runtime="docker"} 0)");
  }));
  CHECK(has(text, R"(container_memory_usage_bytes{image="vigil-test:1", name="healthy"} 524288)"));
  CHECK(has(text, R"(container_state{image="vigil-test:1", name="healthy", state="running"} 1)"));
  CHECK(has(text, R"(container_state{image="vigil-test:1", name="stopped", state="exited"} 1)"));
  // "unhealthy" is said to run, but the recording has no cgroup of it.
  CHECK_FALSE(has(text, R"(container_state{image="vigil-test:1", name="unhealthy")"));
  CHECK(text.find("container_health_state") == std::string::npos);
}

TEST_CASE("in the steady state a tick changes no columns") {
  test::TempDir dir;
  FakeRuntime runtime(dir.path().string());
  test::play_docker(runtime);
  const auto collector = test::make_collector("containers", on_host("docker-v1", runtime.socket_path()));
  Sheet sheet(100'000);
  collect(*collector, sheet);
  const auto version = sheet.version();
  for (int i = 1; i < 10; ++i) collect(*collector, sheet, 1'700'000'000'000 + i * 1000);
  CHECK(sheet.version() == version);
}

TEST_CASE("in the steady state a tick allocates nothing") {
  const std::string host = GENERATE("docker-v1", "docker-v2");
  test::TempDir dir;
  FakeRuntime runtime(dir.path().string());
  test::play_docker(runtime);
  const auto collector = test::make_collector("containers", on_host(host, runtime.socket_path()));
  Sheet sheet(100'000);
  const auto beat = [&](int second) {
    sheet.begin();
    const bool good = collector->collect({1'700'000'000'000 + second * 1000, {}}, sheet).has_value();
    sheet.end();
    return good;
  };
  for (int i = 0; i < 3; ++i) REQUIRE(beat(i));
  // Containers that the recording calls running but has no cgroup of are looked for again every 5 s, which
  // allocates.
  const std::size_t before = test::allocations();
  REQUIRE(before > 0);  // it does count
  REQUIRE(beat(3));
  CHECK(test::allocations() == before);
}

TEST_CASE("when columns run out, states are the last to go") {
  test::TempDir dir;
  FakeRuntime runtime(dir.path().string());
  test::play_docker(runtime);
  const auto collector = test::make_collector("containers", on_host("docker-v1", runtime.socket_path()));
  Sheet sheet(110);
  const std::string text = collect(*collector, sheet);
  CHECK(sheet.refused() > 0);
  for (const char* name : {"created", "healthy", "hostnet", "oom", "restarting", "stopped", "unhealthy"}) {
    INFO(name);
    CHECK(text.find(fmt::format(R"(name="{}", state="running"}})", name)) != std::string::npos);
  }
}

}  // namespace vigil::agent
