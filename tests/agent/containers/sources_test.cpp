#include "agent/containers/sources.h"

#include "agent/collectors/container_series.h"
#include "tests/agent/collectors/support.h"
#include "tests/agent/containers/fixtures.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <map>

namespace vigil::agent {
namespace {

std::shared_ptr<const RuntimeView> view(std::string runtime,
                                        std::vector<std::pair<std::string, std::string>> names_and_ids,
                                        bool up = true) {
  RuntimeView made;
  made.runtime = runtime;
  made.known = true;
  made.up = up;
  made.listed = true;
  for (const auto& [name, id] : names_and_ids) {
    Container container;
    container.name = name;
    container.id = id;
    container.runtime = runtime;
    made.containers.push_back(container);
  }
  return std::make_shared<RuntimeView>(made);
}

std::shared_ptr<const DiscoveredView> found(std::string runtime, std::string id) {
  DiscoveredView made;
  Container container;
  container.id = id;
  container.name = id.substr(0, 12);
  container.runtime = std::move(runtime);
  made.containers.push_back(container);
  made.relative_paths.push_back("/x/" + id);
  return std::make_shared<DiscoveredView>(made);
}

std::vector<std::string> names(const SourcesSnapshot& snapshot) {
  std::vector<std::string> all;
  for (const KnownContainer& known : merge_containers(snapshot)) all.push_back(known.container.name);
  return all;
}

}  // namespace

TEST_CASE("two runtimes with a container of one name keep both") {
  CHECK(names({{view("docker", {{"db", "1"}}), view("podman", {{"db", "2"}, {"web", "3"}})}, nullptr}) ==
        std::vector<std::string>{"db", "db@podman", "web"});
}

TEST_CASE("a cgroup counts as a container only where no runtime would have listed it") {
  const auto docker = view("docker", {{"db", "1"}});
  CHECK(names({{docker, nullptr}, found("docker", "22")}) == std::vector<std::string>{"db"});
  CHECK(names({{docker, nullptr}, found("unknown", "22")}) == std::vector<std::string>{"db"});
  CHECK(names({{docker, nullptr}, found("kubernetes", "22")}) == std::vector<std::string>{"db", "22"});
  CHECK(names({{docker, nullptr}, found("podman", "22")}) == std::vector<std::string>{"db", "22"});
  CHECK(names({{nullptr, nullptr}, found("docker", "22")}) == std::vector<std::string>{"22"});
  auto never_listed = std::make_shared<RuntimeView>();
  never_listed->runtime = "docker";
  CHECK(names({{never_listed, nullptr}, found("docker", "22")}) == std::vector<std::string>{"22"});
}

TEST_CASE("containers of a runtime that is silent are marked as not current") {
  const auto merged = merge_containers({{view("docker", {{"db", "1"}}, false), nullptr}, nullptr});
  REQUIRE(merged.size() == 1);
  CHECK_FALSE(merged.front().current);
}

TEST_CASE("which sockets are followed") {
  const auto paths = [](const std::string& setting, const Roots& roots) {
    std::vector<std::string> all;
    for (const auto& socket : sockets_to_watch(setting, roots))
      all.push_back(socket.runtime + " " + socket.socket_path);
    return all;
  };
  test::TempDir dir;
  const Roots roots = test::rooted(dir.path()).roots;
  const std::string root = dir.path().string();
  CHECK(paths("none", roots).empty());
  CHECK(paths("/tmp/d.sock", roots) == std::vector<std::string>{"docker /tmp/d.sock"});
  CHECK(paths("unix:///run/podman/podman.sock", roots) ==
        std::vector<std::string>{"podman /run/podman/podman.sock"});
  CHECK(paths("auto", roots) == std::vector<std::string>{"docker " + root + "/run/docker.sock",
                                                         "podman " + root + "/run/podman/podman.sock"});
  dir.write("run/podman/podman.sock", "");
  std::filesystem::create_symlink("podman/podman.sock",
                                  dir.path() / "run/docker.sock");  // the package podman-docker
  CHECK(paths("auto", roots) == std::vector<std::string>{"podman " + root + "/run/podman/podman.sock"});
  dir.write("run/vigil/docker.sock", "");  // no second way to the same engine
  CHECK(paths("auto", roots) == std::vector<std::string>{"podman " + root + "/run/podman/podman.sock"});
  dir.write("run/vigil/podman.sock", "");
  CHECK(paths("auto", roots) == std::vector<std::string>{"podman " + root + "/run/vigil/podman.sock"});
}

TEST_CASE("the package's reader is asked before the engine, where it may be asked") {
  const auto docker_of = [](const Roots& roots) { return sockets_to_watch("auto", roots)[0].socket_path; };
  test::TempDir dir;
  const Roots roots = test::rooted(dir.path()).roots;
  const std::string root = dir.path().string();
  dir.write("run/docker.sock", "");
  CHECK(docker_of(roots) == root + "/run/docker.sock");
  dir.write("run/vigil/docker.sock", "");
  CHECK(docker_of(roots) == root + "/run/vigil/docker.sock");
  CHECK(sockets_to_watch("auto", roots)[1].socket_path == root + "/run/podman/podman.sock");
  CHECK(sockets_to_watch(root + "/run/docker.sock", roots)[0].socket_path == root + "/run/docker.sock");
  std::filesystem::permissions(dir.path() / "run/vigil/docker.sock", std::filesystem::perms::none);
  const bool is_root = ::geteuid() == 0;  // whom no mode keeps out
  CHECK(docker_of(roots) == root + (is_root ? "/run/vigil/docker.sock" : "/run/docker.sock"));
}

namespace {

/// A scan that found containers of these ids.
DiscoveredView scan(std::vector<std::string> ids, const std::string& runtime = "docker") {
  DiscoveredView all;
  for (const std::string& id : ids) {
    const auto one = found(runtime, id);
    all.containers.push_back(one->containers[0]);
    all.containers.back().state = ContainerState::running;
    all.relative_paths.push_back(one->relative_paths[0]);
  }
  return all;
}

std::map<std::string, ContainerState> states(const DiscoveredView& view) {
  std::map<std::string, ContainerState> all;
  for (const Container& container : view.containers) all[container.id] = container.state;
  return all;
}

constexpr std::int64_t kNow = 1'700'000'000'000;
using States = std::map<std::string, ContainerState>;

}  // namespace

TEST_CASE(
    "without a socket a container that stops stays visible as exited, and runs again when it is started") {
  SeenCgroups seen([](const std::string&) { return false; });
  CHECK(states(seen.after(scan({"a", "b"}), kNow)) ==
        States{{"a", ContainerState::running}, {"b", ContainerState::running}});
  const DiscoveredView view = seen.after(scan({"b"}), kNow + 10'000);
  CHECK(states(view) == States{{"a", ContainerState::exited}, {"b", ContainerState::running}});
  CHECK(view.containers[0].finished_ms == kNow + 10'000);
  CHECK(seen.after(scan({"b"}), kNow + 20'000) == view);  // so readers see that nothing changed
  CHECK(states(seen.after(scan({"a", "b"}), kNow + 30'000))["a"] == ContainerState::running);
}

TEST_CASE("without a socket a stopped container is shown for a day, and at most fifty are") {
  SeenCgroups seen([](const std::string&) { return false; });
  std::vector<std::string> ids;
  for (int i = 0; i < 60; ++i) ids.push_back(fmt::format("{:02}", i));
  seen.after(scan(ids), kNow);
  ids.erase(ids.begin(), ids.begin() + 20);
  seen.after(scan(ids), kNow + 1);  // twenty stop, then the others
  const DiscoveredView full = seen.after(scan({}), kNow + 2);
  CHECK(full.containers.size() == SeenCgroups::kMaxStopped);
  CHECK(states(full).contains("59"));
  CHECK(states(full).contains("19"));
  CHECK_FALSE(states(full).contains("09"));  // the longest stopped
  CHECK(seen.after(scan({}), kNow + SeenCgroups::kStoppedForMs).containers.size() == 50);
  CHECK(seen.after(scan({}), kNow + 2 + SeenCgroups::kStoppedForMs).containers.empty());
}

TEST_CASE("a cgroup that a scan did not come upon but that is there has not stopped") {
  SeenCgroups seen([](const std::string& path) { return path == "/x/a"; });
  seen.after(scan({"a", "b"}), kNow);
  CHECK(states(seen.after(scan({}), kNow + 10'000)) ==
        States{{"a", ContainerState::running}, {"b", ContainerState::exited}});
}

TEST_CASE("a container of Kubernetes ends with its cgroup, since its successor has another id") {
  SeenCgroups seen([](const std::string&) { return false; });
  seen.after(scan({"a"}, "kubernetes"), kNow);
  CHECK(seen.after(scan({}), kNow + 10'000).containers.empty());
}

TEST_CASE("a stopped container without a socket has a state and no exit code") {
  SeenCgroups seen([](const std::string&) { return false; });
  seen.after(scan({"a"}), kNow);
  const auto view = std::make_shared<DiscoveredView>(seen.after(scan({}), kNow + 10'000));
  const auto merged = merge_containers({{nullptr, nullptr}, view});
  REQUIRE(merged.size() == 1);
  Sheet sheet;
  sheet.begin();
  put_identity({&merged[0], "a", false, kNow / 1000, 0}, sheet);
  sheet.end();
  const std::string text = test::to_text(sheet);
  CHECK(text.find(R"(container_state{name="a", state="exited"} 1)") != std::string::npos);
  CHECK(text.find(R"(container_state{name="a", state="running"} 0)") != std::string::npos);
  CHECK(text.find("container_exit_code") == std::string::npos);
}

}  // namespace vigil::agent
