#include "agent/containers/usage.h"

#include <unistd.h>

#include <algorithm>

namespace vigil::agent {

void Usage::clear() {
  auto kept_devices = std::move(devices);
  auto kept_interfaces = std::move(interfaces);
  kept_devices.clear();
  kept_interfaces.clear();
  *this = Usage{};
  devices = std::move(kept_devices);
  interfaces = std::move(kept_interfaces);
}

void UsageReader::add(File file, const std::string& directory, std::string_view name) {
  if (directory.empty()) return;
  const bool pieces = file == kProcs || file == kNetDev;
  place_[file] = static_cast<std::int8_t>(files_.size());
  files_.emplace_back(directory + "/" + std::string(name),
                      pieces ? KeptFile::Reads::pieces : KeptFile::Reads::whole);
}

UsageReader::UsageReader(const CgroupDirs& dirs, const std::string& net_dev) {
  place_.fill(-1);
  const auto v1 = [&](Controller controller) -> const std::string& {
    return dirs.v1[static_cast<std::size_t>(controller)];
  };
  const std::string none;
  const auto v2_unless = [&](Controller controller) -> const std::string& {
    return v1(controller).empty() ? dirs.unified : none;
  };

  add(kCpuacctUsage, v1(Controller::cpuacct), "cpuacct.usage");
  add(kCpuacctStat, v1(Controller::cpuacct), "cpuacct.stat");
  add(kCpuStat1, v1(Controller::cpu), "cpu.stat");
  add(kCfsQuota, v1(Controller::cpu), "cpu.cfs_quota_us");
  add(kCfsPeriod, v1(Controller::cpu), "cpu.cfs_period_us");
  add(kMemoryUsage, v1(Controller::memory), "memory.usage_in_bytes");
  add(kMemoryStat1, v1(Controller::memory), "memory.stat");
  add(kMemoryLimit, v1(Controller::memory), "memory.limit_in_bytes");
  add(kOomControl, v1(Controller::memory), "memory.oom_control");
  add(kFailcnt, v1(Controller::memory), "memory.failcnt");
  // The recursive form (5.x) counts cgroups below as well; older kernels have the plain one only.
  add(kIoBytes, v1(Controller::blkio), "blkio.throttle.io_service_bytes_recursive");
  add(kIoOperations, v1(Controller::blkio), "blkio.throttle.io_serviced_recursive");
  add(kIoBytesPlain, v1(Controller::blkio), "blkio.throttle.io_service_bytes");
  add(kIoOperationsPlain, v1(Controller::blkio), "blkio.throttle.io_serviced");

  add(kCpuStat2, v2_unless(Controller::cpuacct), "cpu.stat");
  add(kCpuMax, v2_unless(Controller::cpu), "cpu.max");
  add(kMemoryCurrent, v2_unless(Controller::memory), "memory.current");
  add(kMemoryStat2, v2_unless(Controller::memory), "memory.stat");
  add(kSwapCurrent, v2_unless(Controller::memory), "memory.swap.current");
  add(kMemoryMax, v2_unless(Controller::memory), "memory.max");
  add(kMemoryEvents, v2_unless(Controller::memory), "memory.events");
  add(kIoStat, v2_unless(Controller::blkio), "io.stat");

  const std::string& pids = v1(Controller::pids).empty() ? dirs.unified : v1(Controller::pids);
  add(kPidsCurrent, pids, "pids.current");
  add(kPidsMax, pids, "pids.max");
  add(kProcs, pids, "cgroup.procs");
  add(kCpuPressure, dirs.unified, "cpu.pressure");
  add(kMemoryPressure, dirs.unified, "memory.pressure");
  add(kIoPressure, dirs.unified, "io.pressure");
  add(kNetDev, net_dev.empty() ? none : net_dev.substr(0, net_dev.rfind('/')), "dev");
}

std::string_view UsageReader::text(File file, ReadContext& context) {
  if (place_[file] < 0) return {};
  const auto content = files_[static_cast<std::size_t>(place_[file])].read(context);
  if (!content) return {};
  // net/dev outlives the process, since an open one holds its namespace: it proves nothing about the cgroup.
  alive_ |= file != kNetDev;
  return *content;
}

void UsageReader::close(ReadContext& context) {
  for (KeptFile& file : files_) file.close(context);
}

void UsageReader::read_limits(ReadContext& context) {
  threads_max_ = limit_number(text(kPidsMax, context));
  const bool v1_memory = place_[kMemoryLimit] >= 0;
  memory_limit_ = limit_number(text(v1_memory ? kMemoryLimit : kMemoryMax, context));
  cpu_max_ = parse_cpu_max(text(kCpuMax, context));
  if (place_[kCfsQuota] < 0) return;
  const std::int64_t quota = single_number(text(kCfsQuota, context));  // -1: no limit
  cpu_max_.quota_us = quota > 0 ? quota : kAbsent;
  cpu_max_.period_us = single_number(text(kCfsPeriod, context));
}

void UsageReader::read_cpu(Usage& usage, ReadContext& context) {
  std::int64_t throttled_ns = kAbsent;
  take_keyed(text(kCpuStat1, context), std::array{KeyedValue{"nr_periods", &usage.cfs_periods},
                                                  KeyedValue{"nr_throttled", &usage.cfs_throttled_periods},
                                                  KeyedValue{"throttled_time", &throttled_ns}});
  if (throttled_ns != kAbsent) usage.cfs_throttled_us = throttled_ns / 1000;
  take_keyed(text(kCpuStat2, context),
             std::array{KeyedValue{"usage_usec", &usage.cpu_us}, KeyedValue{"user_usec", &usage.cpu_user_us},
                        KeyedValue{"system_usec", &usage.cpu_system_us},
                        KeyedValue{"nr_periods", &usage.cfs_periods},
                        KeyedValue{"nr_throttled", &usage.cfs_throttled_periods},
                        KeyedValue{"throttled_usec", &usage.cfs_throttled_us}});
  const std::int64_t usage_ns = single_number(text(kCpuacctUsage, context));
  if (usage_ns != kAbsent) usage.cpu_us = usage_ns / 1000;
  std::int64_t user_ticks = kAbsent;
  std::int64_t system_ticks = kAbsent;
  take_keyed(text(kCpuacctStat, context),
             std::array{KeyedValue{"user", &user_ticks}, KeyedValue{"system", &system_ticks}});
  static const std::int64_t us_per_tick = 1'000'000 / ::sysconf(_SC_CLK_TCK);
  if (user_ticks != kAbsent) usage.cpu_user_us = user_ticks * us_per_tick;
  if (system_ticks != kAbsent) usage.cpu_system_us = system_ticks * us_per_tick;
  usage.cpu_quota_us = cpu_max_.quota_us;
  usage.cpu_period_us = cpu_max_.period_us;
}

void UsageReader::read_memory(Usage& usage, ReadContext& context) {
  usage.memory_limit = memory_limit_;
  std::int64_t inactive_file = kAbsent;
  if (place_[kMemoryUsage] >= 0) {
    usage.memory_usage = single_number(text(kMemoryUsage, context));
    take_keyed(text(kMemoryStat1, context), std::array{KeyedValue{"total_rss", &usage.memory_rss},
                                                       KeyedValue{"total_cache", &usage.memory_cache},
                                                       KeyedValue{"total_swap", &usage.memory_swap},
                                                       KeyedValue{"total_inactive_file", &inactive_file}});
    usage.memory_failcnt = single_number(text(kFailcnt, context));
    take_keyed(text(kOomControl, context), std::array{KeyedValue{"oom_kill", &usage.oom_kills}});
  } else {
    usage.memory_usage = single_number(text(kMemoryCurrent, context));
    take_keyed(text(kMemoryStat2, context),
               std::array{KeyedValue{"anon", &usage.memory_rss}, KeyedValue{"file", &usage.memory_cache},
                          KeyedValue{"inactive_file", &inactive_file}});
    usage.memory_swap = single_number(text(kSwapCurrent, context));
    take_keyed(text(kMemoryEvents, context), std::array{KeyedValue{"max", &usage.memory_failcnt},
                                                        KeyedValue{"oom_kill", &usage.oom_kills}});
  }
  // The two files are read one after the other, so the difference can be a little below zero.
  if (usage.memory_usage != kAbsent && inactive_file != kAbsent) {
    usage.memory_working_set = std::max<std::int64_t>(usage.memory_usage - inactive_file, 0);
  }
}

void UsageReader::read_blkio(Usage& usage, ReadContext& context) {
  const auto exists = [&](File file) {
    return place_[file] >= 0 && files_[static_cast<std::size_t>(place_[file])].exists();
  };
  parse_blkio(text(kIoBytes, context), BlkioUnit::bytes, usage.devices);
  parse_blkio(text(kIoOperations, context), BlkioUnit::operations, usage.devices);
  if (exists(kIoBytes)) return;
  parse_blkio(text(kIoBytesPlain, context), BlkioUnit::bytes, usage.devices);
  parse_blkio(text(kIoOperationsPlain, context), BlkioUnit::operations, usage.devices);
}

void UsageReader::read_rest(Usage& usage, ReadContext& context) {
  if (place_[kIoStat] >= 0) parse_io_stat(text(kIoStat, context), usage.devices);
  if (place_[kIoBytes] >= 0) read_blkio(usage, context);
  usage.threads = single_number(text(kPidsCurrent, context));
  usage.threads_max = threads_max_;
  const std::string_view procs = text(kProcs, context);
  const auto processes = std::count(procs.begin(), procs.end(), '\n');
  // With cgroups below it (systemd inside) the list can be empty, and past the buffer it is cut: then there
  // is no number.
  if (processes > 0 && procs.size() + 16 < context.buffer.size()) usage.processes = processes;
  usage.cpu_pressure = parse_pressure(text(kCpuPressure, context));
  usage.memory_pressure = parse_pressure(text(kMemoryPressure, context));
  usage.io_pressure = parse_pressure(text(kIoPressure, context));
  if (place_[kNetDev] >= 0) parse_net_dev(text(kNetDev, context), usage.interfaces);
}

bool UsageReader::read(Usage& usage, ReadContext& context) {
  usage.clear();
  if (round_++ % kLimitsEvery == 0) read_limits(context);
  alive_ = false;
  read_cpu(usage, context);
  // Whatever else exists, a container whose CPU or memory files are gone is gone: files of a removed cgroup
  // say ENODEV.
  read_memory(usage, context);
  if (!alive_) return false;
  read_rest(usage, context);
  return true;
}

}  // namespace vigil::agent
