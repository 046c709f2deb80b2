// Any bytes in place of what the collectors of disks, mounts, processes and hardware read. The first byte
// chooses: below kParsers.size() a parser that takes the bytes as they are, above it a collector all of whose
// files hold them.
#include "agent/collectors/filesystem.h"
#include "agent/collectors/mdstat.h"
#include "agent/collectors/os_release.h"
#include "agent/collectors/process_scan.h"
#include "agent/collectors/table.h"
#include "agent/collectors/text.h"
#include "agent/collectors/udev_info.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace {

namespace fs = std::filesystem;
using namespace vigil::agent;

void check(bool fine) {
  if (!fine) std::abort();
}

void fuzz_text(std::string_view bytes) {
  const std::string once = vigil::printable(bytes);
  check(vigil::printable(once) == once);
  check(unescape_octal(bytes).size() <= bytes.size());
}
void fuzz_mountinfo(std::string_view bytes) {
  for (const Mount& mount : parse_mountinfo(bytes))
    check(!mount.device.empty() && mount.mountpoint.starts_with('/'));
}
void fuzz_stat(std::string_view bytes) {
  if (const auto stat = parse_process_stat(bytes)) check(stat->rss_pages >= 0);
}
void fuzz_io(std::string_view bytes) {
  parse_process_io(bytes);
}
void fuzz_cgroup(std::string_view bytes) {
  const auto size = container_of_cgroup(bytes).size();
  check(size == 0 || size == 12);
}
void fuzz_mdstat(std::string_view bytes) {
  for (const MdArray& array : parse_mdstat(bytes)) check(!array.name.empty());
}
void fuzz_udev(std::string_view bytes) {
  parse_udev_info(bytes);
}
void fuzz_os_release(std::string_view bytes) {
  parse_os_release(bytes).get("ID");
}

constexpr std::array kParsers = {fuzz_text,   fuzz_mountinfo, fuzz_stat, fuzz_io,
                                 fuzz_cgroup, fuzz_mdstat,    fuzz_udev, fuzz_os_release};

struct Target {
  const char* collector;
  std::array<const char*, 6> files;
};
constexpr std::array<Target, 11> kTargets = {{
    {"diskstats", {"proc/diskstats", "run/udev/data/b8:0"}},
    {"processes",
     {"proc/1/stat", "proc/1/io", "proc/1/cgroup", "proc/1/task/1/stat", "proc/sys/kernel/pid_max"}},
    {"mdadm", {"proc/mdstat", "sys/block/md0/md/raid_disks", "sys/block/md0/md/degraded"}},
    {"hwmon",
     {"sys/class/hwmon/hwmon0/name", "sys/class/hwmon/hwmon0/temp1_input",
      "sys/class/hwmon/hwmon0/temp1_label", "sys/class/hwmon/hwmon0/power1_average_interval",
      "sys/class/hwmon/hwmon0/pwm1", "sys/class/hwmon/hwmon0/vrm"}},
    {"thermal_zone",
     {"sys/class/thermal/thermal_zone0/temp", "sys/class/thermal/thermal_zone0/type",
      "sys/class/thermal/cooling_device0/cur_state"}},
    {"edac", {"sys/devices/system/edac/mc/mc0/ce_count", "sys/devices/system/edac/mc/mc0/csrow0/ue_count"}},
    {"dmi", {"sys/class/dmi/id/bios_date", "sys/class/dmi/id/sys_vendor"}},
    {"os", {"etc/os-release"}},
    {"arp", {"proc/net/arp"}},
    {"udp_queues", {"proc/net/udp", "proc/net/udp6"}},
    {"zfs", {"proc/spl/kstat/zfs/arcstats", "proc/spl/kstat/zfs/tank/state"}},
}};

/// A folder whose files are all links to one, which holds the input.
class Tree {
 public:
  Tree() {
    std::string name = (fs::temp_directory_path() / "vigil-fuzz-XXXXXX").string();
    check(::mkdtemp(name.data()) != nullptr);
    root_ = name;
    input_ = ::open((root_ / "input").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    check(input_ >= 0);
    for (const Target& target : kTargets) {
      for (const char* file : target.files) {
        if (file == nullptr) continue;
        const fs::path path = root_ / target.collector / file;
        fs::create_directories(path.parent_path());
        fs::create_symlink(root_ / "input", path);
      }
    }
  }
  ~Tree() {
    ::close(input_);
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  void collect(const Target& target, std::string_view bytes) const {
    check(::ftruncate(input_, 0) == 0);
    check(::pwrite(input_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    CollectorOptions options;
    const std::string root = (root_ / target.collector).string();
    options.roots = {root + "/proc", root + "/sys", root};
    for (const CollectorEntry& entry : collector_table()) {
      if (entry.name != target.collector) continue;
      const auto collector = entry.make(options);
      Sheet sheet;
      for (int second = 0; second < 2; ++second) {
        sheet.begin();
        const auto result = collector->collect({1000 * second, {}}, sheet);
        check(result || !result.error().message.empty());
        sheet.end();
      }
    }
  }

 private:
  fs::path root_;
  int input_ = -1;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Tree tree;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t choice = data[0] % (kParsers.size() + kTargets.size());
  if (choice < kParsers.size()) {
    kParsers[choice](bytes);
  } else {
    tree.collect(kTargets[choice - kParsers.size()], bytes);
  }
  return 0;
}
