// What evaluating the shipped production rules costs a shard: a host of some 400 series at 1 Hz, 15 minutes
// of it in memory, ticked on; then thirty rules of each of 10,000 hosts. Prints `key=value`:
// nanoseconds per rule evaluation and per host and second, and the dearest rules.
#include "aggregator/head/host_head.h"
#include "aggregator/promql/evaluator.h"
#include "aggregator/rules/fleet_rules.h"
#include "aggregator/rules/host_rules.h"

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace vigil {
namespace {

double cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

struct Column {
  SeriesSpec spec;
  std::int64_t start = 0;
  std::int64_t step = 0;
};

std::vector<Column> host_columns() {
  std::vector<Column> out;
  const auto add = [&out](std::string name, Labels labels, std::int64_t start, std::int64_t step) {
    const SeriesType type = step == 0 ? SeriesType::gauge : SeriesType::counter;
    out.push_back({{std::move(name), std::move(labels), type, Encoding::decimal, 2}, start, step});
  };
  for (int cpu = 0; cpu < 8; ++cpu) {
    for (const char* mode : {"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"}) {
      add("node_cpu_seconds_total", {{"cpu", std::to_string(cpu)}, {"mode", mode}}, 0,
          mode[1] == 'd' ? 70 : 3);
    }
  }
  for (const char* name :
       {"node_load5", "node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes",
        "node_memory_SwapFree_bytes", "node_memory_SwapTotal_bytes", "node_nf_conntrack_entries",
        "node_filefd_allocated", "node_processes_pids", "node_timex_sync_status",
        "node_timex_maxerror_seconds", "node_timex_offset_seconds"}) {
    add(name, {}, 100, 0);
  }
  for (const char* name :
       {"node_nf_conntrack_entries_limit", "node_filefd_maximum", "node_processes_max_processes"})
    add(name, {}, 100'000, 0);
  for (const char* name :
       {"node_pressure_cpu_waiting_seconds_total", "node_pressure_memory_stalled_seconds_total",
        "node_pressure_io_stalled_seconds_total", "node_vmstat_pswpin", "node_vmstat_pswpout"}) {
    add(name, {}, 0, 1);
  }
  add("node_vmstat_oom_kill", {}, 3, 0);
  for (const char* mount : {"/", "/var", "/home", "/boot"}) {
    const Labels labels{{"mountpoint", mount}, {"fstype", "ext4"}, {"device", "/dev/sda1"}};
    for (const char* name : {"size_bytes", "files"})
      add(std::string("node_filesystem_") + name, labels, 1'000'000, 0);
    for (const char* name : {"free_bytes", "avail_bytes", "files_free"})
      add(std::string("node_filesystem_") + name, labels, 600'000, 0);
    for (const char* name : {"readonly", "device_error"})
      add(std::string("node_filesystem_") + name, labels, 0, 0);
  }
  for (const char* device : {"eth0", "eth1"}) {
    for (const char* name :
         {"receive_errs_total", "receive_packets_total", "transmit_errs_total", "transmit_packets_total"}) {
      add(std::string("node_network_") + name, {{"device", device}}, 5,
          name[8] == 'p' || name[9] == 'p' ? 900 : 0);
    }
  }
  for (int unit = 0; unit < 40; ++unit) {
    add("node_systemd_unit_state", {{"name", fmt::format("unit-{}.service", unit)}, {"state", "failed"}}, 0,
        0);
  }
  for (int collector = 0; collector < 30; ++collector) {
    add("node_scrape_collector_success", {{"collector", std::to_string(collector)}}, 100, 0);
  }
  for (int container = 0; container < 10; ++container) {
    const Labels labels{{"name", fmt::format("app-{}", container)}, {"image", "app:1"}};
    for (const char* state :
         {"running", "exited", "restarting", "paused", "created", "removing", "dead", "missing"}) {
      Labels with = labels;
      with.set("state", state);
      add("container_state", with, state[1] == 'u' ? 100 : 0, 0);
    }
    for (const char* state : {"healthy", "unhealthy", "starting"}) {
      Labels with = labels;
      with.set("state", state);
      add("container_health_state", with, state[0] == 'h' ? 100 : 0, 0);
    }
    for (const char* name : {"container_restarts_total", "container_oom_events_total"})
      add(name, labels, 0, 0);
    add("container_memory_working_set_bytes", labels, 100, 0);
    add("container_spec_memory_limit_bytes", labels, 1000, 0);
    add("container_cpu_cfs_throttled_periods_total", labels, 0, 1);
    add("container_cpu_cfs_periods_total", labels, 0, 10);
  }
  return out;
}

class BenchHost {
 public:
  explicit BenchHost(std::vector<Column> columns = host_columns())
      : columns_(std::move(columns)), head_(1, aggregator::SeriesRegistry("web", {}), {}) {
    std::vector<aggregator::SeriesId> ids;
    for (const Column& column : columns_) {
      const auto id = static_cast<aggregator::SeriesId>(ids.size());
      head_.registry().add(id, head_.registry().full_labels("node", column.spec),
                           {column.spec.type, column.spec.encoding, column.spec.scale});
      ids.push_back(id);
    }
    head_.set_columns(1, {"node", 1000}, std::move(ids));
  }
  void tick(std::int64_t t_ms) {
    std::vector<std::int64_t> row;
    const std::int64_t n = t_ms / 1000;
    for (const Column& column : columns_)
      row.push_back(column.start + column.step * n + (column.step > 1 ? n % 3 : 0));
    head_.append(1, t_ms, row);
    if (head_.seal_due(t_ms)) static_cast<void>(head_.seal(t_ms));
    head_.evict(t_ms);
  }
  std::size_t series() const { return columns_.size(); }
  aggregator::HostHead& head() { return head_; }

 private:
  std::vector<Column> columns_;
  aggregator::HostHead head_;
};

constexpr const char* kRecording = R"yaml(
groups:
  - name: record
    rules:
      - {record: "name:memory:bytes", expr: container_memory_working_set_bytes}
      - {record: "cpu:busy:ratio", expr: 'avg without (mode) (rate(node_cpu_seconds_total{mode!="idle"}[5m]))'}
      - {record: "instance:busy:max", expr: "max by (instance) (cpu:busy:ratio)"}
)yaml";

/// What a group of recording rules costs, evaluated once a second; without the store.
void bench_recording(BenchHost& host, std::int64_t begin_ms) {
  const auto set = rules::RuleSet::load_texts({{"record.yml", kRecording}}, {}, {}, "");
  if (!set) return static_cast<void>(std::fprintf(stderr, "%s\n", set.error().message.c_str()));
  const rules::CurrentRules current(*set);
  std::uint64_t samples = 0;
  rules::FleetRules fleet(current, nullptr,
                          [&] { return std::make_unique<aggregator::HostStorage>(host.head()); },
                          {[](rules::Evaluation) {},
                           [&](const rules::RecordedBatch& batch) { samples += batch.samples.size(); }});
  constexpr int kRounds = 60;
  double spent = 0;
  for (int i = 0; i < kRounds; ++i) {
    host.tick(begin_ms + i * 5000);
    const double begun = cpu_ns();
    fleet.tick(begin_ms + i * 5000);
    spent += cpu_ns() - begun;
  }
  const double evaluations = kRounds * 3;
  std::printf("bench=recording rules=3 samples=%lu ns_per_evaluation=%.0f ns_per_sample=%.0f\n", samples,
              spent / evaluations, spent / static_cast<double>(samples));
}

/// Thirty rules as people write them for hosts: thresholds, rates, ratios, predictions, each with `for`.
constexpr const char* kThirty = R"yaml(
groups:
  - name: thirty
    rules:
      - {alert: Load1, expr: node_load1 > 50, for: 1m}
      - {alert: Load5, expr: node_load5 > 200, for: 5m}
      - {alert: CpuBusy, expr: '1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[1m])) > 0.95', for: 2m}
      - {alert: CpuSteal, expr: 'avg by (instance) (rate(node_cpu_seconds_total{mode="steal"}[1m])) > 0.5', for: 2m}
      - {alert: CpuIowait, expr: 'avg by (instance) (rate(node_cpu_seconds_total{mode="iowait"}[1m])) > 0.5', for: 2m}
      - {alert: MemoryFull, expr: 'node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes < 0.05', for: 1m}
      - {alert: MemoryWarning, expr: 'node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes < 0.1', for: 5m}
      - {alert: SwapFull, expr: 'node_memory_SwapFree_bytes / node_memory_SwapTotal_bytes < 0.05', for: 1m}
      - {alert: Swapping, expr: 'rate(node_vmstat_pswpin[1m]) > 1000', for: 2m}
      - {alert: OomKill, expr: 'increase(node_vmstat_oom_kill[1m]) > 0'}
      - {alert: DiskFull, expr: 'node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.05', for: 1m}
      - {alert: DiskWarning, expr: 'node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.1', for: 5m}
      - {alert: InodesFull, expr: 'node_filesystem_files_free / node_filesystem_files < 0.05', for: 1m}
      - {alert: DiskReadOnly, expr: 'node_filesystem_readonly == 1', for: 1m}
      - {alert: DiskError, expr: 'node_filesystem_device_error == 1', for: 1m}
      - {alert: DiskBusy, expr: 'rate(node_disk_io_time_seconds_total[1m]) > 0.98', for: 5m}
      - {alert: NetworkErrors, expr: 'rate(node_network_receive_errs_total[1m]) > 10', for: 5m}
      - {alert: NetworkDrops, expr: 'rate(node_network_receive_drop_total[1m]) > 10', for: 5m}
      - {alert: NetworkBusy, expr: 'rate(node_network_receive_bytes_total[1m]) > 1e9', for: 5m}
      - {alert: Conntrack, expr: 'node_nf_conntrack_entries / node_nf_conntrack_entries_limit > 0.9', for: 1m}
      - {alert: Descriptors, expr: 'node_filefd_allocated / node_filefd_maximum > 0.9', for: 1m}
      - {alert: Processes, expr: 'node_processes_pids / node_processes_max_processes > 0.9', for: 1m}
      - {alert: ClockOff, expr: 'abs(node_timex_offset_seconds) > 100', for: 5m}
      - {alert: ClockUnsynchronised, expr: 'node_timex_sync_status == 0', for: 10m}
      - {alert: PressureCpu, expr: 'rate(node_pressure_cpu_waiting_seconds_total[1m]) > 5', for: 5m}
      - {alert: PressureMemory, expr: 'rate(node_pressure_memory_stalled_seconds_total[1m]) > 5', for: 5m}
      - {alert: PressureIo, expr: 'rate(node_pressure_io_stalled_seconds_total[1m]) > 5', for: 5m}
      - {alert: UnitFailed, expr: 'node_systemd_unit_state{state="failed"} == 1', for: 1m}
      - {alert: Rebooted, expr: 'node_boot_time_seconds > 1e12'}
      - {alert: DiskFillsUp, expr: 'predict_linear(node_filesystem_avail_bytes[1m], 3600) < 0', for: 5m}
)yaml";

/// About a hundred series of a small host: one core, two file systems, two devices, two disks.
std::vector<Column> small_host_columns() {
  std::vector<Column> out;
  const auto add = [&out](std::string name, Labels labels, std::int64_t start, std::int64_t step) {
    const SeriesType type = step == 0 ? SeriesType::gauge : SeriesType::counter;
    out.push_back({{std::move(name), std::move(labels), type, Encoding::decimal, 2}, start, step});
  };
  for (const char* cpu : {"0", "1"}) {
    for (const char* mode : {"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"})
      add("node_cpu_seconds_total", {{"cpu", cpu}, {"mode", mode}}, 0, mode[1] == 'd' ? 70 : 3);
  }
  for (const char* name :
       {"node_load1", "node_load5", "node_load15", "node_memory_MemAvailable_bytes",
        "node_memory_MemTotal_bytes", "node_memory_SwapFree_bytes", "node_memory_SwapTotal_bytes",
        "node_nf_conntrack_entries", "node_filefd_allocated", "node_processes_pids", "node_timex_sync_status",
        "node_timex_offset_seconds", "node_boot_time_seconds", "node_vmstat_oom_kill"})
    add(name, {}, 100, 0);
  for (const char* name :
       {"node_nf_conntrack_entries_limit", "node_filefd_maximum", "node_processes_max_processes"})
    add(name, {}, 100'000, 0);
  for (const char* name :
       {"node_pressure_cpu_waiting_seconds_total", "node_pressure_memory_stalled_seconds_total",
        "node_pressure_io_stalled_seconds_total", "node_vmstat_pswpin", "node_vmstat_pswpout"})
    add(name, {}, 0, 1);
  for (const char* mount : {"/", "/var"}) {
    const Labels labels{{"mountpoint", mount}, {"fstype", "ext4"}, {"device", "/dev/sda1"}};
    for (const char* name : {"size_bytes", "files"})
      add(std::string("node_filesystem_") + name, labels, 1'000'000, 0);
    for (const char* name : {"free_bytes", "avail_bytes", "files_free"})
      add(std::string("node_filesystem_") + name, labels, 600'000, 0);
    for (const char* name : {"readonly", "device_error"})
      add(std::string("node_filesystem_") + name, labels, 0, 0);
  }
  for (const char* device : {"eth0", "lo"}) {
    for (const char* name : {"bytes", "packets", "errs", "drop"}) {
      for (const char* way : {"receive", "transmit"})
        add(fmt::format("node_network_{}_{}_total", way, name), {{"device", device}}, 5,
            name[0] == 'b' || name[0] == 'p' ? 900 : 0);
    }
  }
  for (const char* device : {"sda", "sdb"}) {
    for (const char* name :
         {"io_time_seconds_total", "read_bytes_total", "written_bytes_total", "reads_completed_total"})
      add(std::string("node_disk_") + name, {{"device", device}}, 0, 1);
  }
  for (int unit = 0; unit < 14; ++unit)
    add("node_systemd_unit_state", {{"name", fmt::format("unit-{}.service", unit)}, {"state", "failed"}}, 0,
        0);
  return out;
}

/// A fleet, every host ticking once a second in turn, as it does on a shard: what 30 rules of each cost.
int bench_fleet(std::size_t hosts) {
  const auto set = rules::RuleSet::load_texts({{"thirty.yml", kThirty}}, {}, {}, "");
  if (!set) return std::fprintf(stderr, "%s\n", set.error().message.c_str()), 1;
  const rules::CurrentRules current(*set);
  std::uint64_t active = 0;
  rules::HostRules rules(current, nullptr, [&](rules::Evaluation) { ++active; });
  std::vector<std::unique_ptr<BenchHost>> fleet;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < hosts; ++i) {
    fleet.push_back(std::make_unique<BenchHost>(small_host_columns()));
    names.push_back(fmt::format("host-{}", i));
  }
  constexpr std::int64_t kStart = 1'700'000'000'000;
  constexpr int kWarmSeconds = 90;
  constexpr int kSeconds = 30;  // all intervals there are, several times
  double spent = 0;
  for (int second = 0; second < kWarmSeconds + kSeconds; ++second) {
    const std::int64_t now = kStart + second * 1000;
    for (std::size_t i = 0; i < hosts; ++i) {
      fleet[i]->tick(now);
      aggregator::HostStorage storage(fleet[i]->head());
      const double begun = cpu_ns();
      rules.on_host_tick(static_cast<aggregator::HostId>(i + 1), names[i], now, storage);
      if (second >= kWarmSeconds) spent += cpu_ns() - begun;
    }
  }
  std::uint64_t evaluations = 0;
  std::uint64_t failures = 0;
  for (const rules::RulePtr& rule : (*set)->rules()) {
    evaluations += rule->stats->evaluations;
    failures += rule->stats->failures;
  }
  const double measured = static_cast<double>(evaluations) * kSeconds / (kWarmSeconds + kSeconds);
  std::printf(
      "bench=fleet_rules hosts=%zu series=%zu rules=%zu interval_s=%lld failures=%lu active=%lu "
      "ns_per_evaluation=%.0f cores=%.3f\n",
      hosts, fleet.front()->series(), (*set)->rules().size(),
      static_cast<long long>((*set)->rules().front()->interval.count() / 1000), failures, active,
      spent / measured, spent / kSeconds / 1e9);
  return failures == 0 ? 0 : 1;
}

int run() {
  rules::RulesConfig config;
  auto set = rules::RuleSet::load(config, {}, "");
  if (!set) return std::fprintf(stderr, "%s\n", set.error().message.c_str()), 1;
  const rules::CurrentRules current(*set);
  std::uint64_t active = 0;
  rules::HostRules rules(current, nullptr, [&](rules::Evaluation) { ++active; });

  BenchHost host;
  constexpr std::int64_t kStart = 1'700'000'000'000;
  constexpr int kWarmSeconds = 900;
  constexpr int kSeconds = 60;
  for (int i = 0; i < kWarmSeconds; ++i) host.tick(kStart + i * 1000);
  double spent = 0;
  for (int i = kWarmSeconds; i < kWarmSeconds + kSeconds; ++i) {
    host.tick(kStart + i * 1000);
    aggregator::HostStorage storage(host.head());
    const double begun = cpu_ns();
    rules.on_host_tick(1, "web", kStart + i * 1000, storage);
    spent += cpu_ns() - begun;
  }
  std::uint64_t evaluations = 0;
  std::uint64_t failures = 0;
  for (const rules::RulePtr& rule : (*set)->rules()) {
    evaluations += rule->stats->evaluations;
    failures += rule->stats->failures;
  }
  std::printf(
      "bench=rules series=%zu evaluations=%lu failures=%lu active=%lu ns_per_evaluation=%.0f "
      "us_per_host_second=%.1f\n",
      host.series(), evaluations, failures, active, spent / static_cast<double>(evaluations),
      spent / kSeconds / 1000);

  std::vector<std::pair<double, std::string>> dear;
  const std::int64_t now = kStart + (kWarmSeconds + kSeconds - 1) * 1000;
  for (const rules::RulePtr& rule : (*set)->rules()) {
    if (rule->scope != rules::Scope::host) continue;
    aggregator::HostStorage storage(host.head());
    const double begun = cpu_ns();
    for (int i = 0; i < 50; ++i) static_cast<void>(promql::evaluate_instant(*rule->expr, storage, now, {}));
    dear.emplace_back((cpu_ns() - begun) / 50, rule->key);
  }
  std::sort(dear.rbegin(), dear.rend());
  for (std::size_t i = 0; i < std::min<std::size_t>(10, dear.size()); ++i) {
    std::printf("bench=rule key=%s ns=%.0f\n", dear[i].second.c_str(), dear[i].first);
  }
  if (!dear.empty())
    std::printf("bench=rule key=cheapest:%s ns=%.0f\n", dear.back().second.c_str(), dear.back().first);
  bench_recording(host, (now / 5000 + 1) * 5000);
  return 0;
}

}  // namespace
}  // namespace vigil

int main() {
  constexpr std::size_t kHosts = 10'000;
  const int alone = vigil::run();
  return vigil::bench_fleet(kHosts) | alone;
}
