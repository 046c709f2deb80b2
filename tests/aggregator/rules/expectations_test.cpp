#include "aggregator/rules/expectations.h"

#include "aggregator/alerts/alert_book.h"
#include "aggregator/rules/host_rules.h"
#include "aggregator/rules/rule_set.h"
#include "tests/aggregator/rules/table_storage.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

using namespace vigil;
using namespace vigil::rules;
using aggregator::Occasion;
using test::TableStorage;

namespace {

RulesConfig config_of(std::vector<ExpectedContainers> containers, std::vector<SteadySeries> series = {}) {
  RulesConfig config;
  config.preset = Preset::none;
  config.expected_containers = std::move(containers);
  config.steady_series = std::move(series);
  return config;
}

ExpectedContainers expected(std::vector<std::string> names, std::vector<std::string> hosts = {}) {
  ExpectedContainers out;
  out.names = std::move(names);
  out.hosts.names = std::move(hosts);
  return out;
}

SteadySeries steady(std::string selector) {
  SteadySeries out;
  out.series = std::move(selector);
  return out;
}

RuleSetPtr load(const RulesConfig& config) {
  const auto set = RuleSet::load(config, {}, "");
  REQUIRE(set);
  return *set;
}

std::string error_of(const RulesConfig& config) {
  const auto set = RuleSet::load(config, {}, "");
  return set ? std::string() : set.error().message;
}

/// A host that sends every 15 seconds, and what fires there: the shipped path from samples to alerts.
struct Host {
  explicit Host(const RulesConfig& config, std::string called = "web-1")
      : name(std::move(called)),
        current(load(config)),
        rules(current, nullptr, [this](Evaluation evaluation) {
          for (const alerts::Transition& t : book.apply(evaluation)) last = t.alert;
        }) {}

  void put(const std::string& metric, Labels labels, double value) {
    labels.set("__name__", metric);
    labels.set("instance", name);
    labels.set("role", "db");
    storage.add(labels, t_ms, value);
  }
  void runs(const std::string& container, bool does = true) {
    put("container_state", {{"name", container}, {"state", "running"}}, does ? 1 : 0);
    put("container_state", {{"name", container}, {"state", "exited"}}, does ? 0 : 1);
  }
  void look(Occasion occasion = Occasion::arrival) {
    rules.on_host_tick(7, name, t_ms, storage, occasion);
    for (const alerts::Transition& t : book.expire(t_ms)) last = t.alert;
  }
  /// For so many minutes it sends what `send` puts.
  template <class Send>
  std::set<std::string> go(int minutes, Send send, Occasion occasion = Occasion::arrival) {
    for (int i = 0; i < minutes * 4; ++i) {
      t_ms += 15'000;
      send();
      look(occasion);
    }
    return firing();
  }
  std::set<std::string> firing() {
    std::set<std::string> out;
    book.for_each([&out](const alerts::Alert& alert) {
      if (alert.state == alerts::State::firing) out.insert(std::string(alert.annotations.get("summary")));
    });
    return out;
  }

  std::string name;
  std::int64_t t_ms = 1'000'000'000;
  CurrentRules current;
  TableStorage storage;
  alerts::AlertBook book{alerts::AlertBookOptions{}};
  alerts::Alert last;
  HostRules rules;
};

using Summaries = std::set<std::string>;

}  // namespace

TEST_CASE("What is expected is no reason for a warning: several of one name are how it is said") {
  const auto set = RuleSet::load(
      config_of({expected({"db", "cache-*", "app-*"}), expected({"proxy"}, {"web-*"})}), {}, "");
  REQUIRE(set);
  CHECK((*set)->warnings().empty());
}

TEST_CASE("Nothing is expected: there are no rules of it") {
  CHECK(load(config_of({}))->rules().empty());
}

TEST_CASE("Expected containers: each that does not run is an alert of its own, on its host's shard") {
  Host host(config_of({expected({"nginx", "postgres"})}));
  for (const RulePtr& rule : host.current.get()->rules()) CHECK(rule->scope == Scope::host);
  const auto send = [&](bool nginx, bool postgres) {
    return [&host, nginx, postgres] {
      host.put("vigil_container_runtime_up", {{"runtime", "docker"}}, 1);
      host.put("node_scrape_collector_success", {{"collector", "cpu"}}, 1);
      host.runs("nginx", nginx);
      host.runs("postgres", postgres);
      host.runs("other");
    };
  };
  CHECK(host.go(10, send(true, true)) == Summaries{});
  CHECK(host.go(2, send(true, false)) == Summaries{"postgres does not run on web-1"});
  CHECK(host.last.labels.get("alertname") == "ContainerMissing");
  CHECK(host.last.labels.get("name") == "postgres");
  CHECK(host.last.labels.get("severity") == "critical");
  CHECK(host.go(2, send(false, false)).size() == 2);
  CHECK(host.go(1, send(true, true)) == Summaries{});
}

TEST_CASE("Expected containers: a restart of the container, or of the agent, is no alarm") {
  Host host(config_of({expected({"nginx"})}));
  const auto well = [&] {
    host.put("vigil_container_runtime_up", {{"runtime", "docker"}}, 1);
    host.runs("nginx");
  };
  CHECK(host.go(5, well) == Summaries{});
  const auto look_later = [&](const auto& send) {
    host.t_ms += 15'000;
    send();
    host.look();
  };
  look_later([&] {
    host.put("vigil_container_runtime_up", {{"runtime", "docker"}}, 1);
    host.runs("nginx", false);
  });
  CHECK(host.go(1, well) == Summaries{});
  // The agent's first rows lack what its runtime has not told yet.
  look_later([&] { host.put("node_scrape_collector_success", {{"collector", "cpu"}}, 1); });
  CHECK(host.go(5, well) == Summaries{});
}

TEST_CASE("Expected containers: while the runtime is silent nobody knows, and nothing changes") {
  Host host(config_of({expected({"nginx"})}));
  const auto send = [&](bool up, bool runs) {
    return [&host, up, runs] {
      host.put("vigil_container_runtime_up", {{"runtime", "docker"}}, up ? 1 : 0);
      if (up) host.runs("nginx", runs);
    };
  };
  CHECK(host.go(5, send(true, true)) == Summaries{});
  CHECK(host.go(30, send(false, false)) == Summaries{});
  CHECK(host.go(3, send(true, false)).size() == 1);
  CHECK(host.go(30, send(false, false)).size() == 1);
  CHECK(host.go(1, send(true, true)) == Summaries{});
}

TEST_CASE("Expected containers: a host without a runtime is told of once, not for each of them") {
  Host host(config_of({expected({"nginx", "postgres"})}));
  const auto send = [&] { host.put("node_scrape_collector_success", {{"collector", "cpu"}}, 1); };
  CHECK(host.go(4, send) == Summaries{});
  CHECK(host.go(3, send) == Summaries{"web-1 has no container runtime, and is to run nginx, postgres"});
}

TEST_CASE("Expected containers: of a pattern one at least must run") {
  Host host(config_of({expected({"app-*"})}));
  const auto send = [&](const std::string& name, bool runs) {
    return [&host, name, runs] {
      host.put("vigil_container_runtime_up", {{"runtime", "docker"}}, 1);
      host.runs("app-1", false);
      host.runs(name, runs);
    };
  };
  CHECK(host.go(5, send("app-2", true)) == Summaries{});
  CHECK(host.go(5, send("app-2", false)) == Summaries{"No app-* runs on web-1"});
  CHECK(host.last.labels.get("name") == "app-*");
  CHECK(Host(config_of({expected({"app-*"})})).go(5, [] {}) == Summaries{});
}

TEST_CASE("Expected containers: only of the hosts that are meant") {
  const auto fires_at = [](const std::string& name, std::vector<std::string> hosts,
                           std::map<std::string, std::string> labels) {
    ExpectedContainers wanted = expected({"nginx"}, std::move(hosts));
    wanted.hosts.labels = std::move(labels);
    Host host(config_of({wanted}), name);
    return !host.go(10, [&] { host.put("vigil_container_runtime_up", {{"runtime", "docker"}}, 1); }).empty();
  };
  CHECK(fires_at("web-1", {"web-*"}, {}));
  CHECK(fires_at("web-1", {"db-1", "web-?"}, {}));
  CHECK_FALSE(fires_at("web-10", {"web-?"}, {}));
  CHECK_FALSE(fires_at("webx1.berlin", {"web.1*"}, {}));
  CHECK(fires_at("web-1", {}, {{"role", "db"}}));
  CHECK_FALSE(fires_at("web-1", {}, {{"role", "mail"}}));
}

TEST_CASE("Expected containers: they can be switched off, and their keys outlast what is added") {
  RulesConfig config = config_of({expected({"nginx"}, {"web-*"})});
  const auto before = load(config)->rules().front()->key;
  config.expected_containers.push_back(expected({"mail"}, {"a-*"}));
  CHECK(load(config)->find(before) != nullptr);
  config.overrides.push_back({});
  config.overrides.back().alert = "ContainerMissing";
  config.overrides.back().disabled = true;
  CHECK(load(config)->rules().empty());
}

TEST_CASE("Steady series: what stops after it came for long is an alert, what came for short is not") {
  Host host(config_of({}, {steady(R"(queue_depth{queue!="test"})")}));
  const auto other = [&] { host.put("node_load1", {}, 1); };
  const auto send = [&](std::vector<std::string> queues) {
    return [&host, other, queues] {
      other();
      for (const std::string& queue : queues) host.put("queue_depth", {{"queue", queue}}, 3);
    };
  };
  CHECK(host.go(61, send({"mail", "test"})) == Summaries{});
  CHECK(host.go(20, send({"mail", "brief"})) == Summaries{});
  // Five minutes later nobody has a value of them any more, and then `for` counts.
  CHECK(host.go(9, other) == Summaries{});
  CHECK(host.go(3, other) == Summaries{R"(queue_depth{queue!="test"} of web-1 has stopped (no data))"});
  CHECK(host.last.labels.get("queue") == "mail");
  CHECK(host.last.labels.get("alertname") == "SeriesStale");
  CHECK(host.go(1, send({"mail"})) == Summaries{});
  // It is missed for a day at most.
  CHECK(host.go(120, send({"mail"})) == Summaries{});
  CHECK(host.go(60, other).size() == 1);
  CHECK(host.go(60 * 24, other) == Summaries{});
}

TEST_CASE("Steady series: a short break is none, and a host that sends nothing misses nothing") {
  Host host(config_of({}, {steady("queue_depth")}));
  const auto all = [&] {
    host.put("node_load1", {}, 1);
    host.put("queue_depth", {}, 3);
  };
  CHECK(host.go(90, all) == Summaries{});
  CHECK(host.go(4, [&] { host.put("node_load1", {}, 1); }) == Summaries{});
  CHECK(host.go(10, all) == Summaries{});
  // Rules look at the quiet host, and find nothing at all.
  CHECK(host.go(
            120, [] {}, Occasion::quiet) == Summaries{});
  CHECK(host.go(10, all) == Summaries{});
}

TEST_CASE("What is wrong with what is expected is said, all at once") {
  using Catch::Contains;
  CHECK_THAT(error_of(config_of({expected({})})), Contains("names: must not be empty"));
  const std::string errors = error_of(config_of(
      {expected({"{{ x }}"}, {"a\"b"})}, {steady("rate(x[5m])"), steady("x offset 5m"), steady("x{")}));
  CHECK_THAT(errors, Contains("names[0]: is no name of a container"));
  CHECK_THAT(errors, Contains("hosts[0]: is no name of a host"));
  CHECK_THAT(errors, Contains("series: must select series by name and labels, and nothing more"));
  CHECK_THAT(errors, Contains("parse error"));
  CHECK(std::ranges::count(errors, '\n') == 4);
}

TEST_CASE("Hosts are told by labels that agents may have: other names are refused where they are written") {
  using Catch::Contains;
  ExpectedContainers of_labels = expected({"db"});
  of_labels.hosts.labels = {{"data-center", "a"}, {"7up", "b"}, {"role", "c"}, {"__name__", "d"}};
  SteadySeries series = steady("queue_depth");
  series.hosts.labels = {{"ro le\"", "a"}};
  const std::string errors = error_of(config_of({of_labels}, {series}));
  CHECK_THAT(errors,
             Contains("labels.data-center: 'data-center' is no label's name: use letters, digits and _"));
  CHECK_THAT(errors, Contains("labels.7up: '7up' is no label's name"));
  CHECK_THAT(errors, Contains("labels.__name__: '__name__' is no label's name"));
  CHECK_THAT(errors, Contains("'ro le\"' is no label's name"));
  CHECK(std::ranges::count(errors, '\n') == 3);
}

TEST_CASE("A label of which no host of containers can have any is warned of") {
  ExpectedContainers never = expected({"db"});
  never.hosts.labels = {{"job", "node"}, {"state", "running"}, {"role", "db"}};
  const auto set = load(config_of({never}));
  REQUIRE(set->warnings().size() == 2);
  CHECK_THAT(set->warnings()[0], Catch::Contains("labels.job: no host is meant"));
  CHECK_THAT(set->warnings()[1], Catch::Contains("labels.state: no host is meant"));
}

TEST_CASE("Steady series: labels of any name, as they may be pushed") {
  Host host(config_of({}, {steady("{\"queue.depth\", \"a b\"=\"c\"}")}));
  const auto send = [&] { host.put("queue.depth", {{"a b", "c"}}, 1); };
  CHECK(host.go(70, send) == Summaries{});
  CHECK(host.go(15, [&] { host.put("node_load1", {}, 1); }).size() == 1);
}
