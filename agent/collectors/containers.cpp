// Containers: identity, state, health, restarts and OOM kills from the runtime's socket (followed on a thread
// of its own, see agent/containers/watcher.h); CPU, memory, I/O, processes and pressure from cgroup files;
// network from /proc/PID/net/dev. Names are cAdvisor's where it has the metric. Labels are `name` and `image`
// only: the id changes with every deployment and stands on container_info, which joins by name.
// docs/containers.md is the user's page.
#include "agent/collectors/table.h"
#include "agent/containers/sources.h"
#include "agent/containers/usage.h"
#include "agent/files/proc_file.h"
#include "agent/files/scan.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <unordered_map>

namespace vigil::agent {
namespace {

constexpr auto kCounter = SeriesType::counter;
constexpr auto kGauge = SeriesType::gauge;

constexpr Family kInfo{"container_info",
                       "Who the container is; always 1. Join by name.",
                       kGauge,
                       0,
                       {"name", "id", "image", "runtime", "compose_project", "compose_service"}};
constexpr Family kState{"container_state",
                        "1 for the state the container is in, 0 for the others.",
                        kGauge,
                        0,
                        {"name", "image", "state"}};
constexpr Family kHealth{"container_health_state",
                         "1 for the result of the container's health check, 0 for the others.",
                         kGauge,
                         0,
                         {"name", "image", "state"}};
constexpr Family kExitCode{
    "container_exit_code", "Exit code of the latest end; only while stopped.", kGauge, 0, {"name", "image"}};
constexpr Family kStartTime{
    "container_start_time_seconds", "Start of the container, in unixtime.", kGauge, 3, {"name", "image"}};
constexpr Family kRestarts{"container_restarts_total",
                           "Restarts of the container, by its restart policy or by hand.",
                           kCounter,
                           0,
                           {"name", "image"}};
constexpr Family kOomEvents{
    "container_oom_events_total", "Out-of-memory kills in the container.", kCounter, 0, {"name", "image"}};
constexpr Family kLastSeen{"container_last_seen",
                           "Last time the container was seen running, in unixtime.",
                           kGauge,
                           0,
                           {"name", "image"}};

constexpr Family kFsReads{"container_fs_reads_total",
                          "Completed reads of block devices.",
                          kCounter,
                          0,
                          {"name", "image", "device"}};
constexpr Family kFsWrites{"container_fs_writes_total",
                           "Completed writes to block devices.",
                           kCounter,
                           0,
                           {"name", "image", "device"}};
constexpr Family kFsReadBytes{"container_fs_reads_bytes_total",
                              "Bytes read from block devices.",
                              kCounter,
                              0,
                              {"name", "image", "device"}};
constexpr Family kFsWriteBytes{"container_fs_writes_bytes_total",
                               "Bytes written to block devices.",
                               kCounter,
                               0,
                               {"name", "image", "device"}};

constexpr Family kRuntimeUp{
    "vigil_container_runtime_up", "Whether the container runtime's socket answers.", kGauge, 0, {"runtime"}};
constexpr Family kRuntimeFailures{"vigil_container_runtime_failures_total",
                                  "Failed connections and requests to the runtime.",
                                  kCounter,
                                  0,
                                  {"runtime"}};
constexpr Family kRuntimeRefused{"vigil_container_runtime_refused",
                                 "Containers left out because there are more than 1000.",
                                 kGauge,
                                 0,
                                 {"runtime"}};
constexpr Family kRuntimeInfo{
    "vigil_container_runtime_info", "Version of the runtime; always 1.", kGauge, 0, {"runtime", "version"}};

/// A number of Usage and the family it goes to.
struct UsageColumn {
  Family family;
  std::int64_t Usage::*value;
};
constexpr Family of_container(std::string_view name, std::string_view help, SeriesType type,
                              std::uint8_t scale = 0) {
  return {name, help, type, scale, {"name", "image"}};
}
constexpr std::array kUsageColumns = {
    UsageColumn{
        of_container("container_cpu_usage_seconds_total", "CPU time consumed, in seconds.", kCounter, 6),
        &Usage::cpu_us},
    UsageColumn{
        of_container("container_cpu_user_seconds_total", "User CPU time consumed, in seconds.", kCounter, 6),
        &Usage::cpu_user_us},
    UsageColumn{of_container("container_cpu_system_seconds_total", "System CPU time consumed, in seconds.",
                             kCounter, 6),
                &Usage::cpu_system_us},
    UsageColumn{of_container("container_cpu_cfs_periods_total",
                             "Elapsed enforcement periods of the CPU limit.", kCounter),
                &Usage::cfs_periods},
    UsageColumn{of_container("container_cpu_cfs_throttled_periods_total",
                             "Periods in which the container was throttled.", kCounter),
                &Usage::cfs_throttled_periods},
    UsageColumn{of_container("container_cpu_cfs_throttled_seconds_total",
                             "Time the container was throttled, in seconds.", kCounter, 6),
                &Usage::cfs_throttled_us},
    UsageColumn{of_container("container_spec_cpu_quota",
                             "CPU limit, in microseconds per period; absent without one.", kGauge),
                &Usage::cpu_quota_us},
    UsageColumn{
        of_container("container_spec_cpu_period", "Period of the CPU limit, in microseconds.", kGauge),
        &Usage::cpu_period_us},
    UsageColumn{
        of_container("container_memory_usage_bytes", "Memory in use, page cache included, in bytes.", kGauge),
        &Usage::memory_usage},
    UsageColumn{of_container("container_memory_working_set_bytes",
                             "Memory in use without inactive file cache, in bytes.", kGauge),
                &Usage::memory_working_set},
    UsageColumn{of_container("container_memory_rss", "Anonymous memory, in bytes.", kGauge),
                &Usage::memory_rss},
    UsageColumn{of_container("container_memory_cache", "Page cache, in bytes.", kGauge),
                &Usage::memory_cache},
    UsageColumn{of_container("container_memory_swap", "Swap in use, in bytes.", kGauge), &Usage::memory_swap},
    UsageColumn{of_container("container_memory_failcnt", "Times memory use hit the limit.", kCounter),
                &Usage::memory_failcnt},
    UsageColumn{
        of_container("container_spec_memory_limit_bytes", "Memory limit, in bytes; 0 without one.", kGauge),
        &Usage::memory_limit},
    UsageColumn{of_container("container_processes", "Processes in the container.", kGauge),
                &Usage::processes},
    UsageColumn{of_container("container_threads", "Threads in the container.", kGauge), &Usage::threads},
    UsageColumn{of_container("container_threads_max", "Most threads allowed; 0 without a limit.", kGauge),
                &Usage::threads_max},
};

/// A pressure file's two totals.
struct PressureColumns {
  Family waiting;
  Family stalled;
  Pressure Usage::*value;
};
constexpr std::array kPressureColumns = {
    PressureColumns{of_container("container_pressure_cpu_waiting_seconds_total",
                                 "Time some task waited for CPU.", kCounter, 6),
                    of_container("container_pressure_cpu_stalled_seconds_total",
                                 "Time all tasks waited for CPU.", kCounter, 6),
                    &Usage::cpu_pressure},
    PressureColumns{of_container("container_pressure_memory_waiting_seconds_total",
                                 "Time some task waited for memory.", kCounter, 6),
                    of_container("container_pressure_memory_stalled_seconds_total",
                                 "Time all tasks waited for memory.", kCounter, 6),
                    &Usage::memory_pressure},
    PressureColumns{of_container("container_pressure_io_waiting_seconds_total",
                                 "Time some task waited for I/O.", kCounter, 6),
                    of_container("container_pressure_io_stalled_seconds_total",
                                 "Time all tasks waited for I/O.", kCounter, 6),
                    &Usage::io_pressure},
};

constexpr Family of_interface(std::string_view name, std::string_view help) {
  return {name, help, kCounter, 0, {"name", "image", "interface"}};
}
struct InterfaceColumn {
  Family family;
  std::int64_t InterfaceCounters::*value;
};
constexpr std::array kInterfaceColumns = {
    InterfaceColumn{of_interface("container_network_receive_bytes_total", "Bytes received."),
                    &InterfaceCounters::received_bytes},
    InterfaceColumn{of_interface("container_network_receive_packets_total", "Packets received."),
                    &InterfaceCounters::received_packets},
    InterfaceColumn{of_interface("container_network_receive_errors_total", "Errors while receiving."),
                    &InterfaceCounters::receive_errors},
    InterfaceColumn{
        of_interface("container_network_receive_packets_dropped_total", "Received packets dropped."),
        &InterfaceCounters::receive_dropped},
    InterfaceColumn{of_interface("container_network_transmit_bytes_total", "Bytes sent."),
                    &InterfaceCounters::sent_bytes},
    InterfaceColumn{of_interface("container_network_transmit_packets_total", "Packets sent."),
                    &InterfaceCounters::sent_packets},
    InterfaceColumn{of_interface("container_network_transmit_errors_total", "Errors while sending."),
                    &InterfaceCounters::send_errors},
    InterfaceColumn{of_interface("container_network_transmit_packets_dropped_total", "Sent packets dropped."),
                    &InterfaceCounters::send_dropped},
};

/// cAdvisor's label `device`, "/dev/sda", from the kernel's name of a device number; "8:0" when it has none.
class DeviceNames {
 public:
  explicit DeviceNames(std::string sysfs) : sysfs_(std::move(sysfs)) {}

  std::string_view of(const DeviceIo& device) {
    const std::uint64_t number = std::uint64_t{device.major} << 32 | device.minor;
    if (const auto found = names_.find(number); found != names_.end()) return found->second;
    if (names_.size() >= 4096) names_.clear();
    return names_.emplace(number, look_up(device)).first->second;
  }

 private:
  std::string look_up(const DeviceIo& device) const {
    const std::string number = fmt::format("{}:{}", device.major, device.minor);
    const auto uevent = read_small_file(fmt::format("{}/dev/block/{}/uevent", sysfs_, number));
    if (!uevent) return number;
    for (Lines lines(*uevent); lines.next();) {
      if (lines.line().starts_with("DEVNAME=")) return "/dev/" + std::string(lines.line().substr(8));
    }
    return number;
  }

  std::string sysfs_;
  std::unordered_map<std::uint64_t, std::string> names_;
};

/// A container with what the collector keeps for it from tick to tick.
struct Item {
  KnownContainer known;
  std::string short_id;
  std::optional<UsageReader> reader;
  Usage usage;
  bool alive = false;               // its cgroup could be read at this tick
  std::int64_t next_attach_ms = 0;  // do not look for the cgroup before
  std::int64_t last_seen_s = 0;
  std::int64_t oom_events = 0;  // never goes back
};

class ContainersCollector final : public Collector {
 public:
  explicit ContainersCollector(const CollectorOptions& options)
      : roots_(options.roots),
        mounts_(find_cgroup_mounts(options.roots)),
        devices_(options.roots.sysfs),
        sources_(sockets_to_watch(options.docker_socket, options.roots), mounts_) {
    // Half of the descriptors the process may have; the rest of the files is opened for each read.
    rlimit limit{};
    const bool known = ::getrlimit(RLIMIT_NOFILE, &limit) == 0;
    context_.descriptors_left = static_cast<int>(std::min<rlim_t>(known ? limit.rlim_cur / 2 : 512, 32768));
    // So that the first tick, and --once, have names. Before the first beat: a daemon that hangs delays the
    // start by this, once.
    sources_.wait_for_first(std::chrono::milliseconds(400));
  }

  std::string_view name() const override { return "containers"; }
  std::string_view job() const override { return "container"; }

  Result<void> collect(const Tick& tick, Sheet& sheet) override {
    SourcesSnapshot now = sources_.snapshot();
    if (now != snapshot_) {
      snapshot_ = std::move(now);
      rebuild();
    }
    bool anything = mounts_.any();
    for (const auto& view : snapshot_.runtimes) anything |= view != nullptr && view->known;
    if (!anything) return fail(Errc::unsupported, "no cgroups and no container runtime");
    for (Item& item : items_) read(tick, item);
    put_runtimes(sheet);
    // What alerts look at comes first: if there are more containers than columns, numbers are refused before
    // states.
    for (Item& item : items_) put_identity(tick, item, sheet);
    for (Item& item : items_) {
      if (item.alive) put_usage(item, sheet);
    }
    return {};
  }

 private:
  /// The new list, with what the old one had already opened and counted.
  void rebuild() {
    std::unordered_map<std::string, Item> old;
    for (Item& item : items_) old.emplace(item.known.container.name, std::move(item));
    items_.clear();
    for (KnownContainer& known : merge_containers(snapshot_)) {
      Item item;
      if (const auto before = old.find(known.container.name); before != old.end()) {
        item = std::move(before->second);
        if (!same_process(item.known.container, known.container)) detach(item);
        old.erase(before);
      }
      item.known = std::move(known);
      item.short_id = item.known.container.id.substr(0, 12);
      items_.push_back(std::move(item));
    }
    for (auto& [name, item] : old) detach(item);
  }

  static bool same_process(const Container& a, const Container& b) {
    return a.id == b.id && a.pid == b.pid && a.started_ms == b.started_ms &&
           a.shares_network == b.shares_network && has_processes(a.state) == has_processes(b.state);
  }

  void detach(Item& item) {
    if (item.reader) item.reader->close(context_);
    item.reader.reset();
    item.next_attach_ms = 0;
  }

  void read(const Tick& tick, Item& item) {
    item.alive = false;
    if (!has_processes(item.known.container.state)) return;
    if (!item.reader && tick.wall_ms >= item.next_attach_ms) {
      attach(item);
      item.next_attach_ms = tick.wall_ms + 5000;
    }
    if (!item.reader) return;
    item.alive = item.reader->read(item.usage, context_);
    if (!item.alive) {
      item.reader->close(context_);
      item.reader.reset();  // the runtime will say what became of it; until then it is looked for again
    }
  }

  void attach(Item& item) const {
    const Container& container = item.known.container;
    std::optional<CgroupDirs> dirs;
    int pid = container.pid;
    if (item.known.discovered) dirs = dirs_of(item.known.relative_cgroup, mounts_);
    if (!dirs && pid > 0) {
      const auto text = read_small_file(fmt::format("{}/{}/cgroup", roots_.procfs, pid));
      if (text) dirs = dirs_from_proc(*text, container.id, mounts_);
    }
    if (!dirs) {
      pid = 0;
      dirs = dirs_by_pattern(container.id, mounts_);
    }
    if (!dirs) return;
    if (pid == 0) pid = first_process(*dirs);
    const bool own_network =
        pid > 0 && !container.shares_network && (!item.known.discovered || has_own_network(pid));
    item.reader.emplace(*dirs, own_network ? fmt::format("{}/{}/net/dev", roots_.procfs, pid) : "");
  }

  static int first_process(const CgroupDirs& dirs) {
    for (const std::string& directory : dirs.v1) {
      if (!directory.empty()) return first_process_in(directory);
    }
    return first_process_in(dirs.unified);
  }

  static int first_process_in(const std::string& directory) {
    const auto text = read_small_file(directory + "/cgroup.procs");
    if (!text) return 0;
    return static_cast<int>(parse_integer(split_once(*text, '\n').first).value_or(0));
  }

  /// Nobody told us how a discovered container is connected. Namespaces are compared where we may (ptrace(2)
  /// rights, so as root); counting the host's traffic a second time would be worse than not counting.
  bool has_own_network(int pid) const {
    std::array<char, 64> theirs{};
    std::array<char, 64> hosts{};
    const std::string path = fmt::format("{}/{}/ns/net", roots_.procfs, pid);
    if (::readlink(path.c_str(), theirs.data(), theirs.size() - 1) <= 0) return false;
    if (::readlink((roots_.procfs + "/1/ns/net").c_str(), hosts.data(), hosts.size() - 1) <= 0) return false;
    return theirs != hosts;
  }

  void put_runtimes(Sheet& sheet) const {
    for (const auto& view : snapshot_.runtimes) {
      if (view == nullptr || !view->known) continue;
      sheet.put(kRuntimeUp, {view->runtime}, view->up ? 1 : 0);
      sheet.put(kRuntimeFailures, {view->runtime}, view->failures);
      sheet.put(kRuntimeRefused, {view->runtime}, view->refused);
      if (!view->version.empty()) sheet.put(kRuntimeInfo, {view->runtime, view->version}, 1);
    }
  }

  void put_identity(const Tick& tick, Item& item, Sheet& sheet) const {
    const Container& c = item.known.container;
    sheet.put(kInfo, {c.name, item.short_id, c.image, c.runtime, c.compose_project, c.compose_service}, 1);
    if (item.alive) item.last_seen_s = tick.wall_ms / 1000;
    if (item.last_seen_s == 0) item.last_seen_s = c.finished_ms / 1000;
    if (item.last_seen_s > 0) sheet.put(kLastSeen, {c.name, c.image}, item.last_seen_s);
    put_state(item, sheet);
    if (c.started_ms > 0) sheet.put(kStartTime, {c.name, c.image}, c.started_ms);
    if (!item.known.discovered) sheet.put(kRestarts, {c.name, c.image}, c.restarts);
    // The cgroup counts this life, the runtime all of them; the cgroup is there even when the runtime is not.
    item.oom_events = std::max(item.oom_events, c.oom_events);
    if (item.alive && item.usage.oom_kills != kAbsent) {
      item.oom_events = std::max(item.oom_events, c.oom_events_before_life + item.usage.oom_kills);
    }
    sheet.put(kOomEvents, {c.name, c.image}, item.oom_events);
  }

  /// While its runtime is silent a container's state is what it was only as long as the cgroup agrees; health
  /// nobody can tell.
  static void put_state(const Item& item, Sheet& sheet) {
    const Container& c = item.known.container;
    if (!item.known.current && has_processes(c.state) != item.alive) return;
    for (std::size_t i = 0; i < kContainerStates; ++i) {
      sheet.put(kState, {c.name, c.image, kContainerStateNames[i]},
                static_cast<std::size_t>(c.state) == i ? 1 : 0);
    }
    const bool ended = c.state == ContainerState::exited || c.state == ContainerState::dead ||
                       c.state == ContainerState::restarting;
    if (ended) sheet.put(kExitCode, {c.name, c.image}, c.exit_code);
    if (!item.known.current || c.health == ContainerHealth::none || !has_processes(c.state)) return;
    for (std::size_t i = 0; i < kContainerHealthNames.size(); ++i) {
      sheet.put(kHealth, {c.name, c.image, kContainerHealthNames[i]},
                static_cast<std::size_t>(c.health) == i ? 1 : 0);
    }
  }

  void put_usage(const Item& item, Sheet& sheet) {
    const Container& c = item.known.container;
    const auto put = [&](const Family& family, std::int64_t value) {
      if (value != kAbsent) sheet.put(family, {c.name, c.image}, value);
    };
    for (const UsageColumn& column : kUsageColumns) put(column.family, item.usage.*column.value);
    for (const PressureColumns& column : kPressureColumns) {
      put(column.waiting, (item.usage.*column.value).some_us);
      put(column.stalled, (item.usage.*column.value).full_us);
    }
    for (const DeviceIo& device : item.usage.devices) {
      const std::string_view label = devices_.of(device);
      sheet.put(kFsReadBytes, {c.name, c.image, label}, device.read_bytes);
      sheet.put(kFsWriteBytes, {c.name, c.image, label}, device.written_bytes);
      sheet.put(kFsReads, {c.name, c.image, label}, device.reads);
      sheet.put(kFsWrites, {c.name, c.image, label}, device.writes);
    }
    for (const InterfaceCounters& interface : item.usage.interfaces) {
      for (const InterfaceColumn& column : kInterfaceColumns) {
        sheet.put(column.family, {c.name, c.image, interface.name()}, interface.*column.value);
      }
    }
  }

  const Roots roots_;
  const CgroupMounts mounts_;
  DeviceNames devices_;
  ReadContext context_;
  ContainerSources sources_;
  SourcesSnapshot snapshot_;
  std::vector<Item> items_;
};

}  // namespace

std::unique_ptr<Collector> make_containers(const CollectorOptions& options) {
  return std::make_unique<ContainersCollector>(options);
}

}  // namespace vigil::agent
