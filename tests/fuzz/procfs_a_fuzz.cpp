// Any bytes in place of the files of /proc and /sys that the host's own collectors read. The first byte
// chooses the collector (and from 128 up gives it a second tick with what it learned), the rest is the
// content of every file it opens.
#include "agent/collectors/table.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace {

namespace fs = std::filesystem;
using namespace vigil;

struct Target {
  const char* collector;
  std::array<const char*, 7> files;
};
constexpr std::array<Target, 16> kTargets = {{
    {"cpu", {"proc/stat"}},
    {"meminfo", {"proc/meminfo"}},
    {"vmstat", {"proc/vmstat"}},
    {"loadavg", {"proc/loadavg"}},
    {"pressure", {"proc/pressure/cpu", "proc/pressure/memory", "proc/pressure/io", "proc/pressure/irq"}},
    {"netdev", {"proc/net/dev"}},
    {"sockstat", {"proc/net/sockstat", "proc/net/sockstat6"}},
    {"netstat", {"proc/net/netstat"}},
    {"netstat", {"proc/net/snmp6"}},
    {"softnet", {"proc/net/softnet_stat"}},
    {"conntrack", {"proc/sys/net/netfilter/nf_conntrack_count", "proc/sys/net/netfilter/nf_conntrack_max"}},
    {"conntrack", {"proc/net/stat/nf_conntrack"}},
    {"filefd", {"proc/sys/fs/file-nr"}},
    {"cpufreq",
     {"sys/devices/system/cpu/isolated", "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq",
      "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
      "sys/devices/system/cpu/cpu0/cpufreq/scaling_available_governors",
      "sys/devices/system/cpu/cpu0/topology/core_id",
      "sys/devices/system/cpu/cpu0/topology/physical_package_id",
      "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count"}},
    {"netclass",
     {"sys/class/net/e/operstate", "sys/class/net/e/speed", "sys/class/net/e/flags",
      "sys/class/net/e/ifalias"}},
    {"clocksource", {"sys/devices/system/clocksource/clocksource0/available_clocksource"}},
}};

/// One file in memory holds the input; the trees of all targets are links to it.
class Trees {
 public:
  Trees() {
    std::string name = (fs::temp_directory_path() / "vigil-fuzz-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    root_ = name;
    input_ = ::memfd_create("input", MFD_CLOEXEC);
    if (input_ < 0) std::abort();
    for (std::size_t i = 0; i < kTargets.size(); ++i) {
      for (const char* file : kTargets[i].files) {
        if (file == nullptr) continue;
        const fs::path link = tree(i) / file;
        fs::create_directories(link.parent_path());
        fs::create_symlink("/proc/self/fd/" + std::to_string(input_), link);
      }
    }
    // What conntrack asks for before its statistics.
    const fs::path netfilter = tree(11) / "proc/sys/net/netfilter";
    fs::create_directories(netfilter);
    for (const char* file : {"nf_conntrack_count", "nf_conntrack_max"}) {
      const int number = ::open((netfilter / file).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
      if (number < 0 || ::write(number, "1\n", 2) != 2) std::abort();
      ::close(number);
    }
  }
  ~Trees() {
    ::close(input_);
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }
  Trees(const Trees&) = delete;
  Trees& operator=(const Trees&) = delete;

  fs::path tree(std::size_t target) const { return root_ / std::to_string(target); }
  void write(const std::uint8_t* data, std::size_t size) const {
    if (::ftruncate(input_, 0) != 0 || ::pwrite(input_, data, size, 0) != static_cast<ssize_t>(size))
      std::abort();
  }

 private:
  fs::path root_;
  int input_ = -1;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Trees trees;
  if (size == 0) return 0;
  const std::size_t target = (data[0] & 0x7F) % kTargets.size();
  trees.write(data + 1, size - 1);
  const fs::path root = trees.tree(target);
  agent::CollectorOptions options;
  options.roots = {(root / "proc").string(), (root / "sys").string(), root.string()};
  for (const auto& entry : agent::collector_table()) {
    if (entry.name != kTargets[target].collector) continue;
    const auto collector = entry.make(options);
    agent::Sheet sheet;
    for (int tick = 0; tick < (data[0] >= 128 ? 2 : 1); ++tick) {
      sheet.begin();
      const auto result = collector->collect({}, sheet);
      if (!result && result.error().message.empty()) std::abort();
      sheet.end();
      trees.write(data + 1, (size - 1) / 2);  // the second tick meets a file that changed
    }
    for (std::size_t i = 0; i < sheet.width(); ++i) (void)sheet.spec(i);
    return 0;
  }
  std::abort();  // a target without a collector
}
