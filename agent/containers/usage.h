// A container's resource numbers of one moment, in the units of its series, and the reader that takes them
// from cgroup files.
#pragma once

#include "agent/containers/cgroup_paths.h"
#include "agent/containers/cgroup_text.h"
#include "agent/containers/kept_file.h"
#include "common/series.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace vigil::agent {

/// kAbsent where this kernel or cgroup version has no such number.
struct Usage {
  std::int64_t cpu_us = kAbsent;  // microseconds
  std::int64_t cpu_user_us = kAbsent;
  std::int64_t cpu_system_us = kAbsent;
  std::int64_t cfs_periods = kAbsent;
  std::int64_t cfs_throttled_periods = kAbsent;
  std::int64_t cfs_throttled_us = kAbsent;
  std::int64_t cpu_quota_us = kAbsent;  // kAbsent without a limit
  std::int64_t cpu_period_us = kAbsent;
  std::int64_t memory_usage = kAbsent;  // bytes
  std::int64_t memory_working_set = kAbsent;
  std::int64_t memory_rss = kAbsent;
  std::int64_t memory_cache = kAbsent;
  std::int64_t memory_swap = kAbsent;
  std::int64_t memory_limit = kAbsent;  // 0: none
  std::int64_t memory_failcnt = kAbsent;
  std::int64_t oom_kills = kAbsent;  // since the cgroup was made
  std::int64_t threads = kAbsent;
  std::int64_t threads_max = kAbsent;  // 0: none
  std::int64_t processes = kAbsent;
  Pressure cpu_pressure;
  Pressure memory_pressure;
  Pressure io_pressure;
  std::vector<DeviceIo> devices;              // reused
  std::vector<InterfaceCounters> interfaces;  // reused

  void clear();
};

class UsageReader {
 public:
  /// `net_dev` is "<procfs>/PID/net/dev", or "" when the network is the host's own or the process is not
  /// known.
  UsageReader(const CgroupDirs& dirs, const std::string& net_dev);
  UsageReader(UsageReader&&) noexcept = default;
  UsageReader& operator=(UsageReader&&) noexcept = default;

  /// Whether the cgroup is still there. When not, close() and forget the reader.
  bool read(Usage& usage, ReadContext& context);
  void close(ReadContext& context);

 private:
  // Which files there are is decided per controller: a hybrid host has some in version 1 and some in
  // version 2.
  enum File : std::uint8_t {
    kCpuStat2,
    kCpuMax,
    kMemoryCurrent,
    kMemoryStat2,
    kSwapCurrent,
    kMemoryMax,
    kMemoryEvents,
    kIoStat,
    kPidsCurrent,
    kPidsMax,
    kProcs,
    kCpuPressure,
    kMemoryPressure,
    kIoPressure,
    kNetDev,
    kCpuacctUsage,
    kCpuacctStat,
    kCpuStat1,
    kCfsQuota,
    kCfsPeriod,
    kMemoryUsage,
    kMemoryStat1,
    kMemoryLimit,
    kOomControl,
    kFailcnt,
    kIoBytes,
    kIoOperations,
    kIoBytesPlain,
    kIoOperationsPlain,
    kFiles
  };
  void add(File file, const std::string& directory, std::string_view name);
  std::string_view text(File file, ReadContext& context);
  void read_limits(ReadContext& context);
  void read_cpu(Usage& usage, ReadContext& context);
  void read_memory(Usage& usage, ReadContext& context);
  void read_rest(Usage& usage, ReadContext& context);
  void read_blkio(Usage& usage, ReadContext& context);

  std::vector<KeptFile> files_;            // only those that this container has
  std::array<std::int8_t, kFiles> place_;  // in files_, -1 where there is none
  // Limits are settings, not measurements: they are looked at every kLimitsEvery rounds, which saves a fifth
  // of the reads.
  static constexpr int kLimitsEvery = 10;
  int round_ = 0;
  CpuMax cpu_max_;
  std::int64_t memory_limit_ = kAbsent;
  std::int64_t threads_max_ = kAbsent;
  bool alive_ = false;  // something could be read in this round
};

}  // namespace vigil::agent
