#include "agent/collectors/container_series.h"

#include "agent/files/proc_file.h"
#include "agent/files/scan.h"

#include <array>

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

/// While its runtime is silent a container's state is what it was only as long as the cgroup agrees; health
/// nobody can tell.
void put_state(const SeenContainer& seen, Sheet& sheet) {
  const Container& c = seen.known->container;
  if (!seen.known->current && has_processes(c.state) != seen.alive) return;
  for (std::size_t i = 0; i < kContainerStates; ++i) {
    sheet.put(kState, {c.name, c.image, kContainerStateNames[i]},
              static_cast<std::size_t>(c.state) == i ? 1 : 0);
  }
  const bool ended = c.state == ContainerState::exited || c.state == ContainerState::dead ||
                     c.state == ContainerState::restarting;
  if (ended && !seen.known->discovered) sheet.put(kExitCode, {c.name, c.image}, c.exit_code);
  if (!seen.known->current || c.health == ContainerHealth::none || !has_processes(c.state)) return;
  for (std::size_t i = 0; i < kContainerHealthNames.size(); ++i) {
    sheet.put(kHealth, {c.name, c.image, kContainerHealthNames[i]},
              static_cast<std::size_t>(c.health) == i ? 1 : 0);
  }
}

}  // namespace

std::string_view DeviceNames::of(const DeviceIo& device) {
  const std::uint64_t number = std::uint64_t{device.major} << 32 | device.minor;
  if (const auto found = names_.find(number); found != names_.end()) return found->second;
  if (names_.size() >= 4096) names_.clear();
  return names_.emplace(number, look_up(device)).first->second;
}

std::string DeviceNames::look_up(const DeviceIo& device) const {
  std::string number = fmt::format("{}:{}", device.major, device.minor);
  const auto uevent = read_small_file(fmt::format("{}/dev/block/{}/uevent", sysfs_, number));
  if (!uevent) return number;
  for (Lines lines(*uevent); lines.next();) {
    if (lines.line().starts_with("DEVNAME=")) return "/dev/" + std::string(lines.line().substr(8));
  }
  return number;
}

void put_runtime(const RuntimeView& view, Sheet& sheet) {
  sheet.put(kRuntimeUp, {view.runtime}, view.up ? 1 : 0);
  sheet.put(kRuntimeFailures, {view.runtime}, view.failures);
  sheet.put(kRuntimeRefused, {view.runtime}, view.refused);
  if (!view.version.empty()) sheet.put(kRuntimeInfo, {view.runtime, view.version}, 1);
}

void put_identity(const SeenContainer& seen, Sheet& sheet) {
  const Container& c = seen.known->container;
  sheet.put(kInfo, {c.name, seen.short_id, c.image, c.runtime, c.compose_project, c.compose_service}, 1);
  if (seen.last_seen_s > 0) sheet.put(kLastSeen, {c.name, c.image}, seen.last_seen_s);
  put_state(seen, sheet);
  if (c.started_ms > 0) sheet.put(kStartTime, {c.name, c.image}, c.started_ms);
  if (!seen.known->discovered) sheet.put(kRestarts, {c.name, c.image}, c.restarts);
  sheet.put(kOomEvents, {c.name, c.image}, seen.oom_events);
}

void put_usage(const Container& c, const Usage& usage, DeviceNames& devices, Sheet& sheet) {
  const auto put = [&](const Family& family, std::int64_t value) {
    if (value != kAbsent) sheet.put(family, {c.name, c.image}, value);
  };
  for (const UsageColumn& column : kUsageColumns) put(column.family, usage.*column.value);
  for (const PressureColumns& column : kPressureColumns) {
    put(column.waiting, (usage.*column.value).some_us);
    put(column.stalled, (usage.*column.value).full_us);
  }
  for (const DeviceIo& device : usage.devices) {
    const std::string_view label = devices.of(device);
    sheet.put(kFsReadBytes, {c.name, c.image, label}, device.read_bytes);
    sheet.put(kFsWriteBytes, {c.name, c.image, label}, device.written_bytes);
    sheet.put(kFsReads, {c.name, c.image, label}, device.reads);
    sheet.put(kFsWrites, {c.name, c.image, label}, device.writes);
  }
  for (const InterfaceCounters& interface : usage.interfaces) {
    for (const InterfaceColumn& column : kInterfaceColumns) {
      sheet.put(column.family, {c.name, c.image, interface.name()}, interface.*column.value);
    }
  }
}

}  // namespace vigil::agent
