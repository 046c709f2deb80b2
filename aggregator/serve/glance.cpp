#include "aggregator/serve/glance.h"

#include "aggregator/promql/literals.h"

#include <array>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>

namespace vigil::aggregator {
namespace {

struct HostFigure {
  std::string_view expression;
  void (*set)(v1::Host& host, double value);
};

constexpr std::array<HostFigure, 7> kHostFigures = {{
    {R"(1 - avg by (instance) (irate(node_cpu_seconds_total{mode="idle",$}[1m])))",
     [](v1::Host& h, double v) { h.set_cpu_busy_ratio(v); }},
    {"1 - node_memory_MemAvailable_bytes{$} / node_memory_MemTotal_bytes{$}",
     [](v1::Host& h, double v) { h.set_memory_used_ratio(v); }},
    {R"(max by (instance) (1 - node_filesystem_avail_bytes{fstype!~"tmpfs|ramfs",$} / (node_filesystem_size_bytes{$} > 0)))",
     [](v1::Host& h, double v) { h.set_disk_used_ratio(v); }},
    {"node_load1{$}", [](v1::Host& h, double v) { h.set_load1(v); }},
    {"node_time_seconds{$} - node_boot_time_seconds{$}",
     [](v1::Host& h, double v) { h.set_uptime_seconds(v); }},
    {"sum by (instance) (irate(node_network_receive_bytes_total{$}[1m])) + sum by (instance) "
     "(irate(node_network_transmit_bytes_total{$}[1m]))",
     [](v1::Host& h, double v) { h.set_network_bytes_per_second(v); }},
    {R"(count by (instance) (node_cpu_seconds_total{mode="idle",$}))",
     [](v1::Host& h, double v) { h.set_cpus(v); }},
}};

/// The moment figures are of. A host whose clock is far off has its own: its newest samples lie beside what
/// we call now.
struct Moment {
  std::string instance;  // empty: all hosts without a moment of their own
  std::int64_t t_ms = 0;
};

constexpr std::int64_t kOwnMomentMs = 30'000;
constexpr std::size_t kMostOwnMoments =
    50;  // further hosts show what now sees of them: each costs its queries

struct Moments {
  std::vector<Moment> all;  // the fleet's first
  std::set<std::string, std::less<>> own;
  bool concerns(const Moment& moment, std::string_view instance) const {
    return moment.instance.empty() ? !own.contains(instance) : moment.instance == instance;
  }
};

bool is_away(v1::Host::State state) {
  return state == v1::Host::STATE_DOWN || state == v1::Host::STATE_LEFT;
}

void add_moment(Moments& moments, const std::string& instance, std::int64_t newest_ms) {
  const bool is_far = newest_ms != 0 && std::abs(moments.all.front().t_ms - newest_ms) > kOwnMomentMs;
  if (!is_far || moments.own.size() == kMostOwnMoments) return;
  moments.all.push_back({instance, newest_ms});
  moments.own.insert(instance);
}

/// The expression, where `$` stands in each selector, over all hosts or one.
std::string over(std::string_view expression, const std::string& instance) {
  const std::string matcher = instance.empty() ? "" : "instance=" + promql::quote(instance);
  std::string out;
  for (const char c : expression) {
    if (c == '$') {
      out += matcher;
    } else {
      out += c;
    }
  }
  return out;
}

Result<promql::Vector> ask(const QueryEngine& engine, std::string_view expression, const Moment& moment) {
  auto value = engine.instant(over(expression, moment.instance), moment.t_ms, {});
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
    {"container_health_state{$} == 1",
     [](C& c, const Labels& labels, double) { c.set_health(std::string(labels.get("state"))); }},
    {"container_restarts_total{$}",
     [](C& c, const Labels&, double v) { c.set_restarts(static_cast<std::uint64_t>(v)); }},
    {"container_exit_code{$}",
     [](C& c, const Labels&, double v) { c.set_exit_code(static_cast<std::int64_t>(v)); }},
    {"container_oom_events_total{$}",
     [](C& c, const Labels&, double v) { c.set_oom_kills(static_cast<std::uint64_t>(v)); }},
    {"container_start_time_seconds{$}",
     [](C& c, const Labels&, double v) { c.set_started_ms(static_cast<std::int64_t>(v * 1000)); }},
    {"irate(container_cpu_usage_seconds_total{$}[1m])",
     [](C& c, const Labels&, double v) { c.set_cpu_cores(v); }},
    {"container_memory_working_set_bytes{$}", [](C& c, const Labels&, double v) { c.set_memory_bytes(v); }},
    {"container_spec_memory_limit_bytes{$} > 0",
     [](C& c, const Labels&, double v) { c.set_memory_limit_bytes(v); }},
    {"sum by (instance, name) (irate(container_network_receive_bytes_total{$}[1m])) + sum by (instance, "
     "name) "
     "(irate(container_network_transmit_bytes_total{$}[1m]))",
     [](C& c, const Labels&, double v) { c.set_network_bytes_per_second(v); }},
    {"sum by (instance, name) (irate(container_fs_reads_bytes_total{$}[1m])) + sum by (instance, name) "
     "(irate(container_fs_writes_bytes_total{$}[1m]))",
     [](C& c, const Labels&, double v) { c.set_io_bytes_per_second(v); }},
}};

using Containers = std::map<ContainerKey, v1::Container>;

ContainerKey key_of(const promql::Sample& sample) {
  return {std::string(sample.labels->get("instance")), std::string(sample.labels->get("name"))};
}

/// What runs nowhere uses nothing: a rate still sees the samples from before its end.
void drop_usage_of_ended(v1::Container& container) {
  if (container.state() == "running" || container.state() == "paused") return;
  container.clear_cpu_cores();
  container.clear_memory_bytes();
  container.clear_network_bytes_per_second();
  container.clear_io_bytes_per_second();
}

Result<void> add_containers(const QueryEngine& engine, const Moments& moments, const Moment& moment,
                            Containers& containers) {
  const auto states = ask(engine, "container_state{$} == 1", moment);
  if (!states) return states.error();
  if (states->empty()) return {};
  for (const promql::Sample& sample : *states) {
    ContainerKey key = key_of(sample);
    if (!moments.concerns(moment, key.first)) continue;
    v1::Container& container = containers[key];
    container.set_host(std::move(key.first));
    container.set_name(std::move(key.second));
    container.set_image(std::string(sample.labels->get("image")));
    container.set_state(std::string(sample.labels->get("state")));
  }
  for (const ContainerFigure& figure : kContainerFigures) {
    const auto vector = ask(engine, figure.expression, moment);
    if (!vector) return vector.error();
    for (const promql::Sample& sample : *vector) {
      const auto found = containers.find(key_of(sample));
      if (found != containers.end() && moments.concerns(moment, found->first.first) &&
          std::isfinite(sample.v))
        figure.set(found->second, *sample.labels, sample.v);
    }
  }
  return {};
}

}  // namespace

Result<void> add_host_figures(const QueryEngine& engine, std::int64_t now_ms, v1::ListHostsResponse& hosts) {
  std::map<std::string, v1::Host*, std::less<>> by_name;
  Moments moments{{{"", now_ms}}, {}};
  for (v1::Host& host : *hosts.mutable_hosts()) {
    // A query still finds the last samples of a host that is away: they are no figures of now.
    if (is_away(host.state()) || kind_of(host.name()) != HostKind::agent) continue;
    by_name.emplace(host.name(), &host);
    add_moment(moments, host.name(), host.last_sample_ms());
  }
  for (const Moment& moment : moments.all) {
    for (const HostFigure& figure : kHostFigures) {
      const auto vector = ask(engine, figure.expression, moment);
      if (!vector) return vector.error();
      for (const promql::Sample& sample : *vector) {
        const auto host = by_name.find(sample.labels->get("instance"));
        if (host != by_name.end() && moments.concerns(moment, host->first) && std::isfinite(sample.v))
          figure.set(*host->second, sample.v);
      }
    }
  }
  return {};
}

Result<void> list_containers(const QueryEngine& engine, std::int64_t now_ms, const std::string& host,
                             v1::ListContainersResponse& out) {
  const auto hosts = engine.view().hosts();
  if (!hosts) return hosts.error();
  Moments moments{{{"", now_ms}}, {}};
  for (const HostInfo& info : *hosts) {
    const bool is_agent = kind_of(info.name) == HostKind::agent;
    if (is_agent && (info.state == HostState::up || info.state == HostState::late))
      add_moment(moments, info.name, info.last_sample_ms);
  }
  Containers containers;
  for (const Moment& moment : moments.all) {
    if (auto added = add_containers(engine, moments, moment, containers); !added) return added;
  }
  for (auto& [key, container] : containers) {
    if (!host.empty() && key.first != host) continue;
    drop_usage_of_ended(container);
    *out.add_containers() = std::move(container);
  }
  return {};
}

}  // namespace vigil::aggregator
