// CPU time per core and mode, and what else /proc/stat counts (proc_stat(5)).
// Traps: times are in USER_HZ ticks; guest time is already inside user; iowait and idle may go backwards
// (proc_stat(5)), which the kernel documents and readers treat as a new epoch; the "intr" line is long, so
// only its first number is read.
#include "agent/collectors/table.h"
#include "agent/files/proc_file.h"
#include "agent/files/scan.h"

#include <unistd.h>

#include <array>

namespace vigil::agent {
namespace {

constexpr auto kCounter = SeriesType::counter;
constexpr Family kCpuSeconds{
    "node_cpu_seconds_total", "Seconds the CPUs spent in each mode.", kCounter, 2, {"cpu", "mode"}};
constexpr Family kGuestSeconds{"node_cpu_guest_seconds_total",
                               "Seconds the CPUs spent in guests (VMs) for each mode.",
                               kCounter,
                               2,
                               {"cpu", "mode"}};
constexpr Family kSwitches{"node_context_switches_total", "Total number of context switches.", kCounter};
constexpr Family kInterrupts{"node_intr_total", "Total number of interrupts serviced.", kCounter};
constexpr Family kForks{"node_forks_total", "Total number of forks.", kCounter};
constexpr Family kBootTime{"node_boot_time_seconds", "Node boot time, in unixtime."};
constexpr Family kRunning{"node_procs_running", "Number of processes in runnable state."};
constexpr Family kBlocked{"node_procs_blocked", "Number of processes blocked waiting for I/O to complete."};

constexpr std::array<std::string_view, 8> kModes = {"user",   "nice", "system",  "idle",
                                                    "iowait", "irq",  "softirq", "steal"};
constexpr std::array<std::string_view, 2> kGuestModes = {"user", "nice"};

class CpuCollector final : public Collector {
 public:
  explicit CpuCollector(const CollectorOptions& options) : stat_(options.roots.procfs + "/stat") {}

  std::string_view name() const override { return "cpu"; }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    const auto content = stat_.read();
    if (!content) return content.error();
    for (Lines lines(whole_lines(*content)); lines.next();) put_line(lines.line(), sheet);
    return {};
  }

 private:
  void put_line(std::string_view line, Sheet& sheet) const {
    Fields fields(line);
    const std::string_view key = fields.next();
    if (key.size() > 3 && key.starts_with("cpu") && key[3] >= '0' && key[3] <= '9') {
      put_core(key.substr(3), fields, sheet);
      return;
    }
    for (const auto& [name, family] : kSingles) {
      if (key != name) continue;
      if (const auto value = fields.number()) sheet.put(*family, *value);
      return;
    }
  }

  void put_core(std::string_view core, Fields& fields, Sheet& sheet) const {
    for (const std::string_view mode : kModes) {
      const auto ticks = fields.number();
      if (!ticks) return;  // kernels before 2.6.11 have no steal
      sheet.put(kCpuSeconds, {core, mode}, hundredths(*ticks));
    }
    for (const std::string_view mode : kGuestModes) {
      if (const auto ticks = fields.number()) sheet.put(kGuestSeconds, {core, mode}, hundredths(*ticks));
    }
  }

  std::int64_t hundredths(std::int64_t ticks) const {
    return ticks_per_second_ == 100 ? ticks : ticks * 100 / ticks_per_second_;
  }

  static constexpr std::array<std::pair<std::string_view, const Family*>, 6> kSingles = {{
      {"intr", &kInterrupts},
      {"ctxt", &kSwitches},
      {"btime", &kBootTime},
      {"processes", &kForks},
      {"procs_running", &kRunning},
      {"procs_blocked", &kBlocked},
  }};

  ProcFile stat_;
  long ticks_per_second_ = ::sysconf(_SC_CLK_TCK);
};

}  // namespace

std::unique_ptr<Collector> make_cpu(const CollectorOptions& options) {
  return std::make_unique<CpuCollector>(options);
}

}  // namespace vigil::agent
