#include "agent/containers/docker_json.h"

#include "tests/agent/containers/fixtures.h"

namespace vigil::agent {

using test::fixture;

namespace {

/// Calls `use` with every prefix of the text, or with about 500 of them when it is long.
template <class Use>
void for_each_prefix(const std::string& text, Use use) {
  const std::size_t step = std::max<std::size_t>(text.size() / 500, 1);
  for (std::size_t size = 0; size < text.size(); size += step) use(std::string_view(text).substr(0, size));
}

}  // namespace

TEST_CASE("the recorded listing of Docker gives every container with its state and health") {
  const auto listed = parse_container_list(fixture("docker/list.json"));
  REQUIRE(listed);
  REQUIRE(listed->size() == 7);
  const auto find = [&](std::string_view name) -> const ListedContainer& {
    return *std::find_if(listed->begin(), listed->end(), [&](const auto& one) { return one.name == name; });
  };
  CHECK(find("healthy").id == test::kHealthyId);
  CHECK(find("healthy").image == "vigil-test:1");
  CHECK(find("healthy").state == ContainerState::running);
  CHECK(find("healthy").health == ContainerHealth::healthy);
  CHECK(find("healthy").compose_project == "shop");
  CHECK(find("healthy").compose_service == "web");
  CHECK(find("unhealthy").health == ContainerHealth::unhealthy);
  CHECK_FALSE(find("hostnet").health);
  CHECK(find("created").state == ContainerState::created);
  CHECK(find("stopped").state == ContainerState::exited);
  CHECK(find("restarting").state == ContainerState::restarting);
}

TEST_CASE("inspection tells exit code, OOM kill, restarts, start and process, and never the environment") {
  const auto healthy = parse_inspect(fixture("docker/inspect_healthy.json"));
  REQUIRE(healthy);
  CHECK(healthy->pid == 10491);
  CHECK(healthy->health == ContainerHealth::healthy);
  CHECK(healthy->started_ms == 1795303874048);
  CHECK(healthy->finished_ms == 0);
  CHECK(healthy->image == "vigil-test:1");
  CHECK_FALSE(healthy->shares_network);
  // The recording has -e SECRET=hunter2; no field may carry it.
  REQUIRE(fixture("docker/inspect_healthy.json").find("hunter2") != std::string::npos);
  for (const std::string& field :
       {healthy->id, healthy->name, healthy->image, healthy->compose_project, healthy->compose_service}) {
    CHECK(field.find("hunter2") == std::string::npos);
  }

  const auto oom = parse_inspect(fixture("docker/inspect_oom.json"));
  REQUIRE(oom);
  CHECK(oom->oom_killed);
  CHECK(oom->exit_code == 137);
  CHECK(oom->state == ContainerState::exited);
  CHECK(oom->pid == 0);

  const auto restarting = parse_inspect(fixture("docker/inspect_restarting.json"));
  REQUIRE(restarting);
  CHECK(restarting->state == ContainerState::restarting);
  CHECK(restarting->restart_count > 3);
  CHECK(restarting->exit_code == 3);

  CHECK(parse_inspect(fixture("docker/inspect_hostnet.json"))->shares_network);
  CHECK(parse_inspect(fixture("docker/inspect_stopped.json"))->exit_code == 7);
}

TEST_CASE("Podman's compatible answers are read, health only from inspection") {
  const auto version = parse_version(fixture("podman/version.json"));
  REQUIRE(version);
  CHECK(version->engine == "podman");
  CHECK(version->api == "1.41");
  const auto listed = parse_container_list(fixture("podman/list.json"));
  REQUIRE(listed);
  REQUIRE(listed->size() == 1);
  CHECK(listed->front().name == "db");
  CHECK_FALSE(listed->front().health);
  const auto inspected = parse_inspect(fixture("podman/inspect_db.json"));
  REQUIRE(inspected);
  CHECK(inspected->health == ContainerHealth::unhealthy);
  CHECK_FALSE(inspected->shares_network);         // its listing claims "host" for every container
  CHECK(inspected->started_ms == 1795293074048);  // 21:31:14+01:00
  CHECK(parse_version(fixture("docker/version.json"))->engine == "docker");
}

TEST_CASE("events name the container, what happened and when") {
  const std::string text = fixture("docker/events.jsonl");
  std::vector<RuntimeEvent> events;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const auto event = parse_event(std::string_view(text).substr(at, end - at));
    REQUIRE(event);
    events.push_back(*event);
    at = end + 1;
  }
  REQUIRE(events.size() == 35);
  CHECK(std::count_if(events.begin(), events.end(),
                      [](const auto& e) { return e.action == "oom" && e.name == "oom"; }) == 1);
  CHECK(std::any_of(events.begin(), events.end(),
                    [](const auto& e) { return e.action == "health_status: healthy"; }));
  CHECK(events.back().time_ns > 1'795'303'874'000'000'000);
}

TEST_CASE("health is read from API 1.52's field and from the status text of older ones") {
  const auto one = [](const std::string& members) {
    const auto listed =
        parse_container_list(R"([{"Id":"a","Names":["/x"],"State":"running",)" + members + "}]");
    REQUIRE(listed);
    return listed->front().health;
  };
  CHECK(one(R"("Status":"Up 1 second","Health":{"Status":"unhealthy","FailingStreak":3})") ==
        ContainerHealth::unhealthy);
  CHECK(one(R"("Status":"Up 1 second","Health":{"Status":"none"})") == ContainerHealth::none);
  CHECK(one(R"x("Status":"Up 5 minutes (healthy)")x") == ContainerHealth::healthy);
  CHECK(one(R"x("Status":"Up 5 minutes (unhealthy)")x") == ContainerHealth::unhealthy);
  CHECK(one(R"x("Status":"Up 1 second (health: starting)")x") == ContainerHealth::starting);
  CHECK_FALSE(one(R"("Status":"Up 1 second")"));
}

TEST_CASE("a container others link to keeps its own name") {
  const auto listed = parse_container_list(R"([{"Id":"a","Names":["/web/db","/db"],"State":"running"}])");
  REQUIRE(listed);
  CHECK(listed->front().name == "db");
}

TEST_CASE("times of Go and Podman become Unix milliseconds") {
  CHECK(parse_rfc3339_ms("1970-01-01T00:00:00Z") == 0);
  CHECK(parse_rfc3339_ms("2026-11-21T23:31:14.048329042Z") == 1795303874048);
  CHECK(parse_rfc3339_ms("2026-11-21T23:31:14.5Z") == 1795303874500);
  CHECK(parse_rfc3339_ms("2026-11-22T01:01:14+01:30") == 1795303874000);
  CHECK(parse_rfc3339_ms("0001-01-01T00:00:00Z") == 0);
  for (const char* bad : {"", "2026-11-21", "2026-13-21T23:31:14Z", "2026-11-21T24:31:14Z",
                          "2026-11-21T23:31:14", "2026-11-21T23:31:14.Zx", "2026-11-21 23:31:14Z",
                          "2026-02-30T00:00:00Z", "2026-11-21T23:31:14+0130"}) {
    INFO(bad);
    CHECK_FALSE(parse_rfc3339_ms(bad));
  }
}

TEST_CASE("JSON that is cut, of the wrong kind or too deep is refused, never misread") {
  for (const char* name : {"docker/list.json", "podman/list.json"}) {
    for_each_prefix(fixture(name), [](std::string_view text) { CHECK_FALSE(parse_container_list(text)); });
  }
  for_each_prefix(fixture("docker/inspect_healthy.json"),
                  [](std::string_view text) { CHECK_FALSE(parse_inspect(text)); });
  for (const char* text :
       {"null", "3", "[]", "{}", "[[]]", R"({"Id":3,"Name":4})", R"({"Id":"","Name":""})"}) {
    INFO(text);
    CHECK_FALSE(parse_inspect(text));
    CHECK_FALSE(parse_event(text));
    CHECK_FALSE(parse_version(text));
  }
  CHECK(parse_container_list(R"([null, 3, {}, {"Id":"a"}, {"Id":"a","Names":null}])")->empty());
  CHECK_FALSE(parse_container_list(std::string(10000, '[')));
  CHECK_FALSE(parse_container_list(R"({"message":"denied"})"));
}

TEST_CASE("names and images are cut to a label's length between characters") {
  std::string name;
  for (int i = 0; i < 300; ++i) name += "é";
  const auto listed = parse_container_list(R"([{"Id":"a","Names":["/)" + name + R"("],"State":"running"}])");
  REQUIRE(listed);
  CHECK(listed->front().name.size() == kMaxLabelBytes);
  CHECK(listed->front().name == name.substr(0, kMaxLabelBytes));
}

}  // namespace vigil::agent
