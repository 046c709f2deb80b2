// What cgroup files say: pure parsers of Documentation/admin-guide/cgroup-v2.rst and
// cgroup-v1/{cpuacct,memory,blkio-controller}. Any bytes give a result; values that are not there stay
// kAbsent. No allocation once the vectors have grown.
#pragma once

#include "common/series.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace vigil::agent {

/// A key of a "flat keyed" file (cpu.stat, memory.stat, memory.events, memory.oom_control) and where its
/// value goes.
struct KeyedValue {
  std::string_view key;
  std::int64_t* value;
};
/// Stores the values of the keys that occur; others stay as they are.
void take_keyed(std::string_view text, std::span<const KeyedValue> wanted);

/// The only number of a file, or kAbsent.
std::int64_t single_number(std::string_view text);
/// As single_number(), where "max" (version 2) and numbers near 2^63 (version 1) mean "no limit", which is 0
/// as in cAdvisor.
std::int64_t limit_number(std::string_view text);

/// cpu.max: "max 100000" or "50000 100000", in microseconds. Without a limit the quota is kAbsent.
struct CpuMax {
  std::int64_t quota_us = kAbsent;
  std::int64_t period_us = kAbsent;
};
CpuMax parse_cpu_max(std::string_view text);

/// The `total` fields, in microseconds, of a pressure file (Documentation/accounting/psi.rst).
struct Pressure {
  std::int64_t some_us = kAbsent;
  std::int64_t full_us = kAbsent;
};
Pressure parse_pressure(std::string_view text);

/// I/O of one block device.
struct DeviceIo {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::int64_t read_bytes = 0;
  std::int64_t written_bytes = 0;
  std::int64_t reads = 0;
  std::int64_t writes = 0;
};
inline constexpr std::size_t kMaxDevices = 32;
/// io.stat. Some kernels print a device without values and go on with the next one on the same line.
void parse_io_stat(std::string_view text, std::vector<DeviceIo>& devices);
/// blkio.throttle.io_service_bytes and io_serviced: "8:0 Read 4096", one operation a line; totals are passed
/// over.
enum class BlkioUnit : std::uint8_t { bytes, operations };
void parse_blkio(std::string_view text, BlkioUnit unit, std::vector<DeviceIo>& devices);

/// Counters of one interface of /proc/PID/net/dev (proc_pid_net(5)).
struct InterfaceCounters {
  std::array<char, 16> name_bytes{};  // IFNAMSIZ
  std::uint8_t name_size = 0;
  std::int64_t received_bytes = 0;
  std::int64_t received_packets = 0;
  std::int64_t receive_errors = 0;
  std::int64_t receive_dropped = 0;
  std::int64_t sent_bytes = 0;
  std::int64_t sent_packets = 0;
  std::int64_t send_errors = 0;
  std::int64_t send_dropped = 0;
  std::string_view name() const { return {name_bytes.data(), name_size}; }
};
inline constexpr std::size_t kMaxInterfaces = 32;
/// Without the loopback and the host ends of other containers (lo, veth*, docker*), as cAdvisor does.
void parse_net_dev(std::string_view text, std::vector<InterfaceCounters>& interfaces);

}  // namespace vigil::agent
