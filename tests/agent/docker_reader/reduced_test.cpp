#include "agent/docker_reader/reduced.h"

#include "agent/containers/docker_json.h"
#include "tests/agent/containers/fixtures.h"

#include <sstream>

namespace vigil::agent::docker {
namespace {

using test::fixture;
using test::fixture_path;

std::string kept_of(Kind kind, const std::string& answer) {
  const auto text = reduced(kind, answer);
  CAPTURE(text);
  REQUIRE(text);
  return *text;
}

/// What the agent makes of an inspection, in one text.
std::string inspected(const std::string& answer) {
  const auto c = parse_inspect(answer);
  CAPTURE(c);
  REQUIRE(c);
  return fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {} {}", c->id, c->name, c->image,
                     static_cast<int>(c->state), static_cast<int>(c->health), c->shares_network,
                     c->oom_killed, c->pid, c->exit_code, c->restart_count, c->started_ms, c->finished_ms,
                     c->compose_project, c->compose_service);
}

std::string listed(const std::string& answer) {
  const auto all = parse_container_list(answer);
  CAPTURE(all);
  REQUIRE(all);
  std::string out;
  for (const ListedContainer& c : *all) {
    out += fmt::format("{} {} {} {} {} {} {}\n", c.id, c.name, c.image, static_cast<int>(c.state),
                       c.health ? static_cast<int>(*c.health) : -1, c.compose_project, c.compose_service);
  }
  return out;
}

std::string happened(const std::string& line) {
  const auto event = parse_event(line);
  CAPTURE(event);
  REQUIRE(event);
  return fmt::format("{} {} {} {}", event->id, event->name, event->action, event->time_ns);
}

}  // namespace

TEST_CASE("the agent reads the same from a reduced answer as from the engine's own") {
  for (const std::string engine : {"docker", "podman"}) {
    INFO(engine);
    const std::string version = fixture(engine + "/version.json");
    const auto whole = parse_version(version);
    const auto rest = parse_version(kept_of(Kind::version, version));
    REQUIRE(whole);
    REQUIRE(rest);
    CHECK(fmt::format("{} {} {}", whole->engine, whole->version, whole->api) ==
          fmt::format("{} {} {}", rest->engine, rest->version, rest->api));
    CHECK(rest->engine == engine);

    const std::string list = fixture(engine + "/list.json");
    CHECK(listed(list) != "");
    CHECK(listed(list) == listed(kept_of(Kind::list, list)));

    std::istringstream events(fixture(engine + "/events.jsonl"));
    for (std::string line; std::getline(events, line);)
      CHECK(happened(line) == happened(kept_of(Kind::events, line)));

    std::size_t inspections = 0;
    for (const auto& entry : std::filesystem::directory_iterator(fixture_path(engine))) {
      const std::string name = entry.path().filename().string();
      if (!name.starts_with("inspect_")) continue;
      INFO(name);
      const std::string text = fixture(engine + "/" + name);
      CHECK(inspected(text) == inspected(kept_of(Kind::inspect, text)));
      ++inspections;
    }
    CHECK(inspections > 0);
  }
}

TEST_CASE("environment, command, mounts and labels of an inspection stay with the engine") {
  const std::string whole = R"({"Id":"0123456789ab","Name":"/web","Path":"hunter2","Args":["hunter2"],
    "Config":{"Image":"nginx","Env":["PASSWORD=hunter2"],"Cmd":["--password","hunter2"],
              "Labels":{"com.docker.compose.project":"shop","traefik.auth":"hunter2"},"Hostname":"hunter2",
              "Healthcheck":{"Test":["CMD","curl","hunter2"]}},
    "HostConfig":{"NetworkMode":"none","Binds":["/hunter2:/x"]},"Mounts":[{"Source":"/hunter2"}],
    "State":{"Status":"running","Health":{"Status":"healthy","Log":[{"Output":"hunter2"}]},"Error":"hunter2"}})";
  const std::string rest = kept_of(Kind::inspect, whole);
  CHECK(rest.find("hunter2") == std::string::npos);
  CHECK(inspected(rest) == inspected(whole));
}

TEST_CASE("an event tells that something was run in a container, and not what") {
  const std::string event = R"({"Type":"container","status":"exec_start: psql --password=hunter2",
    "Action":"exec_start: psql --password=hunter2","id":"0123456789ab","timeNano":7,
    "Actor":{"ID":"0123456789ab","Attributes":{"name":"db","execID":"hunter2"}}})";
  const std::string rest = kept_of(Kind::events, event);
  CHECK(rest.find("hunter2") == std::string::npos);
  CHECK(happened(rest) == "0123456789ab db exec_start 7");
  CHECK(kept_of(Kind::events, R"({"Action":"health_status: unhealthy"})") ==
        R"({"Action":"health_status: unhealthy"})");
  CHECK(kept_of(Kind::events, R"({"Action":["exec_start: hunter2"]})") == R"({"Action":""})");
}

TEST_CASE("a field that is not what it should be is not handed on whole") {
  CHECK(kept_of(Kind::inspect, R"({"Id":{"Env":"hunter2"},"Name":[["hunter2"],{"a":"hunter2"},"web"]})") ==
        R"({"Id":[],"Name":["web"]})");
  CHECK(kept_of(Kind::inspect, R"({"Config":"hunter2","State":[{"Error":"hunter2","Pid":7}]})") ==
        R"({"Config":{},"State":[{"Pid":7}]})");
  CHECK(kept_of(Kind::list, R"([{"Command":"hunter2","Id":"a"},"hunter2",["hunter2"]])") ==
        R"([{"Id":"a"},{},[{}]])");
  CHECK(kept_of(Kind::version, R"("hunter2")") == "{}");
  CHECK(kept_of(Kind::ping, "hunter2") == "OK");
}

TEST_CASE("what is no JSON, or a tower of it, is an error") {
  for (const std::string& text : {std::string(), std::string("{"), std::string("not JSON"),
                                  std::string(100'000, '['), std::string("{}{}")}) {
    const auto rest = reduced(Kind::inspect, text);
    REQUIRE_FALSE(rest);
    CHECK(rest.error().code == Errc::parse);
  }
}

}  // namespace vigil::agent::docker
