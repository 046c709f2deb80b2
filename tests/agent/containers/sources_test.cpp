#include "agent/containers/sources.h"

#include "tests/agent/collectors/support.h"
#include "tests/agent/containers/fixtures.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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
}

}  // namespace vigil::agent
