#include "agent/containers/roster.h"

#include "tests/support/catch.h"

namespace vigil::agent {
namespace {

ListedContainer listed(std::string name, std::string id, ContainerState state = ContainerState::running) {
  ListedContainer container;
  container.id = std::move(id);
  container.name = std::move(name);
  container.image = "web:1";
  container.state = state;
  return container;
}

InspectedContainer inspected(const ListedContainer& from, std::int64_t started_ms,
                             std::int64_t restart_count = 0) {
  InspectedContainer container;
  container.id = from.id;
  container.name = from.name;
  container.image = from.image;
  container.state = from.state;
  container.started_ms = started_ms;
  container.restart_count = restart_count;
  container.pid = 100;
  return container;
}

RuntimeEvent event(std::string id, std::string action, std::int64_t time_ms = 0) {
  return {std::move(id), "", std::move(action), time_ms * 1'000'000};
}

Container only(const Roster& roster) {
  const auto all = roster.containers();
  REQUIRE(all.size() == 1);
  return all.front();
}

}  // namespace

TEST_CASE("a new container is inspected once, and again only when something about it changed") {
  Roster roster("docker");
  const auto web = listed("web", "1");
  roster.apply({web}, 0);
  CHECK(roster.take_to_inspect() == std::vector<std::string>{"1"});
  roster.apply(inspected(web, 5));
  roster.apply({web}, 30'000);
  CHECK(roster.take_to_inspect().empty());
  roster.apply({listed("web", "1", ContainerState::paused)}, 60'000);
  CHECK(roster.take_to_inspect() == std::vector<std::string>{"1"});
  roster.apply(event("1", "die"));
  CHECK(roster.take_to_inspect() == std::vector<std::string>{"1"});
}

TEST_CASE("a container that exits stays visible as exited until it is removed") {
  Roster roster("docker");
  const auto web = listed("web", "1");
  roster.apply({web}, 0);
  roster.apply(inspected(web, 5));
  roster.apply({listed("web", "1", ContainerState::exited)}, 1000);
  CHECK(only(roster).state == ContainerState::exited);
  roster.apply(event("1", "destroy"));
  CHECK(roster.containers().empty());
}

TEST_CASE(
    "a container that vanishes without being removed is missing for a day, but not before a second listing "
    "agrees") {
  Roster roster("docker");
  const auto web = listed("web", "1");
  roster.apply({web}, 0);
  roster.apply({}, 1000);
  CHECK(only(roster).state == ContainerState::running);
  CHECK(roster.unconfirmed());
  roster.apply({}, 2000);
  CHECK(only(roster).state ==
        ContainerState::running);  // too soon: its destroy event may still be on the way
  roster.apply({}, 3000);
  CHECK(only(roster).state == ContainerState::missing);
  CHECK_FALSE(roster.unconfirmed());
  roster.apply({}, 1000 + Roster::kMissingForMs);
  CHECK(roster.containers().empty());
}

TEST_CASE("a destroy event that comes after the listing explains the absence") {
  Roster roster("docker");
  roster.apply({listed("web", "1")}, 0);
  roster.apply({}, 1000);
  roster.apply(event("1", "remove"));  // Podman's word
  CHECK(roster.containers().empty());
}

TEST_CASE("a missing container that comes back goes on with its counters") {
  Roster roster("docker");
  const auto web = listed("web", "1");
  roster.apply({web}, 0);
  roster.apply(inspected(web, 5, 4));
  roster.apply({}, 1000);
  roster.apply({}, 5000);
  CHECK(only(roster).state == ContainerState::missing);
  roster.apply({web}, 6000);
  CHECK(only(roster).state == ContainerState::running);
  CHECK(only(roster).restarts == 4);
  CHECK(roster.take_to_inspect() == std::vector<std::string>{"1"});
}

TEST_CASE("restarts by policy and by hand are counted, each once") {
  Roster roster("docker");
  const auto web = listed("web", "1");
  roster.apply({web}, 0);
  roster.apply(inspected(web, 1000, 2));
  CHECK(only(roster).restarts == 2);
  roster.apply(inspected(web, 1000, 2));
  CHECK(only(roster).restarts == 2);
  roster.apply(inspected(web, 2000, 3));  // the policy: count and start both move
  CHECK(only(roster).restarts == 3);
  roster.apply(inspected(web, 3000, 3));  // `docker restart`: only the start moves
  CHECK(only(roster).restarts == 4);
  roster.apply(inspected(web, 9000, 8));  // five restarts between two looks
  CHECK(only(roster).restarts == 9);
}

TEST_CASE("a restart seen in two looks, first its count and then its start, is one") {
  Roster roster("docker");
  auto web = listed("web", "1");
  roster.apply({web}, 0);
  roster.apply(inspected(web, 1000, 0));
  for (std::int64_t restart = 1; restart <= 5; ++restart) {
    web.state = ContainerState::restarting;
    roster.apply(inspected(web, restart * 1000, restart));
    CHECK(only(roster).restarts == restart);
    web.state = ContainerState::running;
    roster.apply(inspected(web, restart * 1000 + 1000, restart));
    CHECK(only(roster).restarts == restart);
  }
  web.state = ContainerState::restarting;  // both at once: the start of the sixth, the count of the seventh
  roster.apply(inspected(web, 7000, 7));
  CHECK(only(roster).restarts == 7);
  web.state = ContainerState::running;
  roster.apply(inspected(web, 8000, 7));
  CHECK(only(roster).restarts == 7);
  roster.apply(inspected(web, 9000, 7));  // by hand
  CHECK(only(roster).restarts == 8);
}

TEST_CASE("a container recreated under its name keeps counting, and its creation is no restart") {
  Roster roster("docker");
  roster.apply({listed("web", "1")}, 0);
  roster.apply(inspected(listed("web", "1"), 1000, 2));
  auto next = listed("web", "2");
  next.image = "web:2";
  roster.apply({next}, 1000);
  CHECK(roster.take_to_inspect() == std::vector<std::string>{"2"});
  roster.apply(inspected(next, 5000, 0));
  CHECK(only(roster).restarts == 2);
  CHECK(only(roster).image == "web:2");
  roster.apply(inspected(next, 6000, 1));
  CHECK(only(roster).restarts == 3);
}

TEST_CASE("an OOM kill counts once, whether the event, the flag or both tell of it") {
  const auto web = listed("web", "1");
  const auto killed = [&](std::int64_t started_ms) {
    auto container = inspected(web, started_ms);
    container.oom_killed = true;
    return container;
  };
  SECTION("event before inspection") {
    Roster roster("docker");
    roster.apply({web}, 0);
    roster.apply(inspected(web, 1000));
    roster.apply(event("1", "oom", 1500));
    roster.apply(killed(1000));
    CHECK(only(roster).oom_events == 1);
  }
  SECTION("flag only: the event was lost") {
    Roster roster("docker");
    roster.apply({web}, 0);
    roster.apply(killed(1000));
    CHECK(only(roster).oom_events == 1);
    CHECK(only(roster).oom_killed);
  }
  SECTION("the event arrives after the flag was seen") {
    Roster roster("docker");
    roster.apply({web}, 0);
    roster.apply(killed(1000));
    roster.apply(event("1", "oom", 1500));
    CHECK(only(roster).oom_events == 1);
  }
  SECTION("the event arrives when the next life was already seen") {
    Roster roster("docker");
    roster.apply({web}, 0);
    roster.apply(killed(1000));
    roster.apply(inspected(web, 2000, 1));
    roster.apply(event("1", "oom", 1500));
    CHECK(only(roster).oom_events == 1);
    CHECK(only(roster).oom_events_before_life == 1);
  }
  SECTION("several kills of children in one life and one in the next") {
    Roster roster("docker");
    roster.apply({web}, 0);
    roster.apply(inspected(web, 1000));
    for (int i = 0; i < 3; ++i) roster.apply(event("1", "oom", 1100 + i));
    roster.apply(killed(2000));
    CHECK(only(roster).oom_events == 4);
    CHECK(only(roster).oom_events_before_life == 3);
  }
}

TEST_CASE("a renamed container takes its history along") {
  Roster roster("docker");
  roster.apply({listed("web", "1")}, 0);
  roster.apply(inspected(listed("web", "1"), 1000, 6));
  roster.apply(event("1", "rename"));
  CHECK(roster.wants_listing());
  roster.apply({listed("shop", "1")}, 1000);
  CHECK(only(roster).name == "shop");
  CHECK(only(roster).restarts == 6);
  CHECK_FALSE(roster.unconfirmed());
}

TEST_CASE("names swapped by a deployment are not missing: old renamed, new created, old removed") {
  Roster roster("docker");
  roster.apply({listed("web", "1")}, 0);
  roster.apply({listed("old_web", "1"), listed("web", "2")}, 1000);
  CHECK(roster.containers().size() == 2);
  roster.apply(event("1", "destroy"));
  roster.apply({listed("web", "2")}, 2000);
  CHECK(only(roster).id == "2");
  CHECK_FALSE(roster.unconfirmed());
}

TEST_CASE("an event about an unknown container asks for a listing") {
  Roster roster("docker");
  roster.apply({}, 0);
  CHECK_FALSE(roster.wants_listing());
  roster.apply(event("9", "start"));
  CHECK(roster.wants_listing());
}

TEST_CASE("a runtime whose list never tells health is asked about containers with a check each time") {
  Roster roster("podman");
  const auto db = listed("db", "1");
  roster.apply({db}, 0);
  auto answer = inspected(db, 5);
  answer.health = ContainerHealth::healthy;
  roster.take_to_inspect();
  roster.apply(answer);
  roster.apply({db}, 30'000);
  CHECK(roster.take_to_inspect() == std::vector<std::string>{"1"});
  CHECK(only(roster).health == ContainerHealth::healthy);
}

TEST_CASE("containers past the limit are refused and counted") {
  Roster roster("docker");
  std::vector<ListedContainer> many;
  for (std::size_t i = 0; i < kMaxContainers + 7; ++i)
    many.push_back(listed(fmt::format("c{}", i), fmt::format("{}", i)));
  roster.apply(many, 0);
  CHECK(roster.containers().size() == kMaxContainers);
  CHECK(roster.refused() == 7);
}

}  // namespace vigil::agent
