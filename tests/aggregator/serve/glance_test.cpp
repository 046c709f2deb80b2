// The figures of hosts and containers that need no question.
#include "aggregator/serve/glance.h"

#include "aggregator/head/shard_set.h"
#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator;

namespace {

constexpr std::int64_t kGlance = 1'700'000'400'000;

/// One shard with hosts that sent a row a second for two minutes, by their own clocks.
class Fleet {
 public:
  void add(const std::string& name, std::int64_t skew_ms, const std::vector<SeriesSpec>& specs,
           const std::vector<std::int64_t>& last, const std::vector<std::int64_t>& per_second) {
    HostRecord record;
    record.name = name;
    record.machine_id = std::string(16, 'm');
    record.interval_ms = 1000;
    Shard& shard = shards_.at(0);
    Host& host = **shard.enroll(record, kGlance - 120'000);
    host.head.set_columns(1, {"node", 1000}, *shard.columns(host, {"node", 1000}, specs, kGlance - 120'000));
    for (std::int64_t t = 119; t >= 0; --t) {
      std::vector<std::int64_t> row = last;
      for (std::size_t i = 0; i < row.size(); ++i) row[i] -= t * per_second[i];
      const std::int64_t arrived_ms = kGlance - t * 1000;
      host.head.append(1, arrived_ms + skew_ms, row);
      shard.rows_arrived(host, {arrived_ms + skew_ms, arrived_ms + skew_ms}, arrived_ms);
    }
  }
  void start() { shards_.at(0).worker().start(); }
  QueryEngine& engine() { return engine_; }

  v1::ListHostsResponse hosts() {
    v1::ListHostsResponse out;
    const auto infos = view_.hosts();
    REQUIRE(infos);
    for (const HostInfo& info : *infos) {
      v1::Host& host = *out.add_hosts();
      host.set_name(info.name);
      host.set_state(v1::Host::STATE_UP);
      host.set_last_sample_ms(info.last_sample_ms);
    }
    REQUIRE(add_host_figures(engine_, kGlance, out));
    return out;
  }

 private:
  ShardSet shards_{1, {}, nullptr};
  FleetView view_{shards_, nullptr};
  QueryEngine engine_{view_, {}};
};

SeriesSpec gauge(std::string name, Labels labels = {}) {
  return {std::move(name), std::move(labels), SeriesType::gauge, Encoding::decimal, 0};
}

}  // namespace

TEST_CASE("figures of a host are those of its newest samples, however wrong its clock is") {
  Fleet fleet;
  const std::int64_t skew_ms = GENERATE(0, 20'000, 120'000, -400'000, -7'200'000);
  const std::vector<SeriesSpec> specs = {gauge("node_load1"),
                                         {"node_cpu_seconds_total",
                                          {{"cpu", "0"}, {"mode", "idle"}},
                                          SeriesType::counter,
                                          Encoding::decimal,
                                          2}};
  fleet.add("right", 0, specs, {7, 100'000}, {0, 50});
  fleet.add("wrong", skew_ms, specs, {3, 100'000}, {0, 25});
  fleet.start();
  const auto hosts = fleet.hosts();
  REQUIRE(hosts.hosts_size() == 2);
  CHECK(hosts.hosts(0).load1() == 7);
  CHECK(hosts.hosts(0).cpu_busy_ratio() == Approx(0.5));
  CAPTURE(skew_ms);
  REQUIRE(hosts.hosts(1).has_load1());
  CHECK(hosts.hosts(1).load1() == 3);
  REQUIRE(hosts.hosts(1).has_cpu_busy_ratio());
  CHECK(hosts.hosts(1).cpu_busy_ratio() == Approx(0.75));
}

TEST_CASE("a container that has ended uses nothing, and one on a host with a wrong clock is listed") {
  Fleet fleet;
  const auto specs = [](const std::string& name, const std::string& state) {
    return std::vector<SeriesSpec>{
        gauge("container_state", {{"name", name}, {"state", state}}),
        gauge("container_memory_working_set_bytes", {{"name", name}}),
        {"container_cpu_usage_seconds_total", {{"name", name}}, SeriesType::counter, Encoding::decimal, 2}};
  };
  fleet.add("a", 0, specs("ended", "exited"), {1, 4096, 100'000}, {0, 0, 50});
  fleet.add("b", -400'000, specs("busy", "running"), {1, 8192, 100'000}, {0, 0, 50});
  fleet.start();
  v1::ListContainersResponse all;
  REQUIRE(list_containers(fleet.engine(), kGlance, "", all));
  REQUIRE(all.containers_size() == 2);
  CHECK(all.containers(0).name() == "ended");
  CHECK(all.containers(0).state() == "exited");
  CHECK_FALSE(all.containers(0).has_cpu_cores());
  CHECK_FALSE(all.containers(0).has_memory_bytes());
  CHECK(all.containers(1).name() == "busy");
  CHECK(all.containers(1).cpu_cores() == Approx(0.5));
  v1::ListContainersResponse one;
  REQUIRE(list_containers(fleet.engine(), kGlance, "b", one));
  CHECK(one.containers_size() == 1);
}
