#include "aggregator/serve/glance.h"

#include <array>
#include <cmath>
#include <map>

namespace vigil::aggregator {
namespace {

struct HostFigure {
  std::string_view expression;
  void (*set)(v1::Host& host, double value);
};

constexpr std::array<HostFigure, 7> kHostFigures = {{
    {R"(1 - avg by (instance) (irate(node_cpu_seconds_total{mode="idle"}[1m])))",
     [](v1::Host& h, double v) { h.set_cpu_busy_ratio(v); }},
    {"1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes",
     [](v1::Host& h, double v) { h.set_memory_used_ratio(v); }},
    {R"(max by (instance) (1 - node_filesystem_avail_bytes{fstype!~"tmpfs|ramfs"} / (node_filesystem_size_bytes > 0)))",
     [](v1::Host& h, double v) { h.set_disk_used_ratio(v); }},
    {"node_load1", [](v1::Host& h, double v) { h.set_load1(v); }},
    {"node_time_seconds - node_boot_time_seconds", [](v1::Host& h, double v) { h.set_uptime_seconds(v); }},
    {"sum by (instance) (irate(node_network_receive_bytes_total[1m])) + sum by (instance) "
     "(irate(node_network_transmit_bytes_total[1m]))",
     [](v1::Host& h, double v) { h.set_network_bytes_per_second(v); }},
    {R"(count by (instance) (node_cpu_seconds_total{mode="idle"}))",
     [](v1::Host& h, double v) { h.set_cpus(v); }},
}};

Result<promql::Vector> ask(const QueryEngine& engine, std::string_view expression, std::int64_t now_ms) {
  auto value = engine.instant(std::string(expression), now_ms, {});
  if (!value) return value.error();
  if (auto* vector = std::get_if<promql::Vector>(&value->data)) return std::move(*vector);
  return fail(Errc::internal, "'{}' gives no instant vector", expression);
}

using ContainerKey = std::pair<std::string, std::string>;  // host, name

struct ContainerFigure {
  std::string_view expression;
  void (*set)(v1::Container& container, const Labels& labels, double value);
};

using C = v1::Container;
constexpr std::array<ContainerFigure, 10> kContainerFigures = {{
    {"container_health_state == 1",
     [](C& c, const Labels& labels, double) { c.set_health(std::string(labels.get("state"))); }},
    {"container_restarts_total",
     [](C& c, const Labels&, double v) { c.set_restarts(static_cast<std::uint64_t>(v)); }},
    {"container_exit_code",
     [](C& c, const Labels&, double v) { c.set_exit_code(static_cast<std::int64_t>(v)); }},
    {"container_oom_events_total",
     [](C& c, const Labels&, double v) { c.set_oom_kills(static_cast<std::uint64_t>(v)); }},
    {"container_start_time_seconds",
     [](C& c, const Labels&, double v) { c.set_started_ms(static_cast<std::int64_t>(v * 1000)); }},
    {"irate(container_cpu_usage_seconds_total[1m])",
     [](C& c, const Labels&, double v) { c.set_cpu_cores(v); }},
    {"container_memory_working_set_bytes", [](C& c, const Labels&, double v) { c.set_memory_bytes(v); }},
    {"container_spec_memory_limit_bytes > 0",
     [](C& c, const Labels&, double v) { c.set_memory_limit_bytes(v); }},
    {"sum by (instance, name) (irate(container_network_receive_bytes_total[1m])) + sum by (instance, name) "
     "(irate(container_network_transmit_bytes_total[1m]))",
     [](C& c, const Labels&, double v) { c.set_network_bytes_per_second(v); }},
    {"sum by (instance, name) (irate(container_fs_reads_bytes_total[1m])) + sum by (instance, name) "
     "(irate(container_fs_writes_bytes_total[1m]))",
     [](C& c, const Labels&, double v) { c.set_io_bytes_per_second(v); }},
}};

}  // namespace

Result<void> add_host_figures(const QueryEngine& engine, std::int64_t now_ms, v1::ListHostsResponse& hosts) {
  std::map<std::string, v1::Host*, std::less<>> by_name;
  for (v1::Host& host : *hosts.mutable_hosts()) {
    // A query still finds the last samples of a host that is away: they are no figures of now.
    const bool is_away = host.state() == v1::Host::STATE_DOWN || host.state() == v1::Host::STATE_LEFT;
    if (!is_away) by_name.emplace(host.name(), &host);
  }
  for (const HostFigure& figure : kHostFigures) {
    const auto vector = ask(engine, figure.expression, now_ms);
    if (!vector) return vector.error();
    for (const promql::Sample& sample : *vector) {
      const auto host = by_name.find(sample.labels->get("instance"));
      if (host != by_name.end() && std::isfinite(sample.v)) figure.set(*host->second, sample.v);
    }
  }
  return {};
}

Result<void> list_containers(const QueryEngine& engine, std::int64_t now_ms, const std::string& host,
                             v1::ListContainersResponse& out) {
  const auto states = ask(engine, "container_state == 1", now_ms);
  if (!states) return states.error();
  std::map<ContainerKey, v1::Container> containers;
  for (const promql::Sample& sample : *states) {
    const std::string instance(sample.labels->get("instance"));
    if (!host.empty() && instance != host) continue;
    v1::Container& container = containers[{instance, std::string(sample.labels->get("name"))}];
    container.set_host(instance);
    container.set_name(std::string(sample.labels->get("name")));
    container.set_image(std::string(sample.labels->get("image")));
    container.set_state(std::string(sample.labels->get("state")));
  }
  if (containers.empty()) return {};
  for (const ContainerFigure& figure : kContainerFigures) {
    const auto vector = ask(engine, figure.expression, now_ms);
    if (!vector) return vector.error();
    for (const promql::Sample& sample : *vector) {
      const auto found = containers.find(
          {std::string(sample.labels->get("instance")), std::string(sample.labels->get("name"))});
      if (found != containers.end() && std::isfinite(sample.v))
        figure.set(found->second, *sample.labels, sample.v);
    }
  }
  for (auto& [key, container] : containers) *out.add_containers() = std::move(container);
  return {};
}

}  // namespace vigil::aggregator
