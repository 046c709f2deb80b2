// What slows CPUs down: frequencies, governors, thermal throttling, and which CPUs are isolated from the
// scheduler (Documentation/admin-guide/pm/cpufreq.rst, /sys/devices/system/cpu). Traps: frequencies are in
// kHz; reading the current one may wait for the CPU, hence the lane apart; an offline CPU has no cpufreq
// folder; throttle counts are per core and per package, so threads of one core repeat them.
#include "agent/collectors/table.h"
#include "agent/collectors/text.h"
#include "agent/files/proc_file.h"
#include "agent/files/scan.h"
#include "common/text/trim.h"

#include <set>

namespace vigil::agent {
namespace {

struct Frequency {
  std::string_view file;
  Family family;
};
constexpr std::array<Frequency, 6> kFrequencies = {{
    {"cpuinfo_cur_freq",
     {"node_cpu_frequency_hertz",
      "Frequency of the CPU as the hardware says.",
      SeriesType::gauge,
      0,
      {"cpu"}}},
    {"cpuinfo_min_freq",
     {"node_cpu_frequency_min_hertz", "Lowest frequency the CPU can run at.", SeriesType::gauge, 0, {"cpu"}}},
    {"cpuinfo_max_freq",
     {"node_cpu_frequency_max_hertz",
      "Highest frequency the CPU can run at.",
      SeriesType::gauge,
      0,
      {"cpu"}}},
    {"scaling_cur_freq",
     {"node_cpu_scaling_frequency_hertz", "Frequency the kernel chose.", SeriesType::gauge, 0, {"cpu"}}},
    {"scaling_min_freq",
     {"node_cpu_scaling_frequency_min_hertz", "Lowest frequency allowed.", SeriesType::gauge, 0, {"cpu"}}},
    {"scaling_max_freq",
     {"node_cpu_scaling_frequency_max_hertz", "Highest frequency allowed.", SeriesType::gauge, 0, {"cpu"}}},
}};
constexpr Family kGovernor{"node_cpu_scaling_governor",
                           "1 for the governor in use, 0 for the others.",
                           SeriesType::gauge,
                           0,
                           {"cpu", "governor"}};
constexpr Family kCoreThrottles{"node_cpu_core_throttles_total",
                                "Times heat slowed the core down.",
                                SeriesType::counter,
                                0,
                                {"package", "core"}};
constexpr Family kPackageThrottles{"node_cpu_package_throttles_total",
                                   "Times heat slowed the package down.",
                                   SeriesType::counter,
                                   0,
                                   {"package"}};
constexpr Family kIsolated{
    "node_cpu_isolated", "1 for each CPU kept from the scheduler (isolcpus).", SeriesType::gauge, 0, {"cpu"}};

std::optional<std::int64_t> read_number(const std::string& path) {
  const auto content = read_small_file(path);
  return content ? parse_integer(trim(*content)) : std::nullopt;
}

class CpufreqCollector final : public Collector {
 public:
  explicit CpufreqCollector(const CollectorOptions& options)
      : folder_(options.roots.sysfs + "/devices/system/cpu") {}

  std::string_view name() const override { return "cpufreq"; }
  Lane lane() const override { return Lane::apart; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(10); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    const auto names = list_directory(folder_);
    if (!names && names.error().code != Errc::not_found) return names.error();
    any_ = false;
    throttled_.clear();
    if (names) {
      for (const std::string& cpu : *names) {
        const bool is_cpu =
            cpu.starts_with("cpu") && parse_integer(std::string_view(cpu).substr(3)).has_value();
        if (is_cpu) put_cpu(cpu, sheet);
      }
      put_isolated(sheet);
    }
    if (!any_)
      return fail(Errc::unsupported, "{}: this machine shows neither frequencies nor throttling", folder_);
    return {};
  }

 private:
  void put(const Family& family, std::initializer_list<std::string_view> labels, std::int64_t raw,
           Sheet& sheet) {
    sheet.put(family, labels, raw);
    any_ = true;
  }

  void put_cpu(const std::string& name, Sheet& sheet) {
    const std::string path = folder_ + "/" + name;
    const std::string_view cpu = std::string_view(name).substr(3);
    for (const Frequency& frequency : kFrequencies) {
      const auto kilohertz = read_number(fmt::format("{}/cpufreq/{}", path, frequency.file));
      std::int64_t hertz = 0;
      if (kilohertz && !__builtin_mul_overflow(*kilohertz, 1000, &hertz))
        put(frequency.family, {cpu}, hertz, sheet);
    }
    put_governors(path, cpu, sheet);
    put_throttles(path, sheet);
  }

  void put_governors(const std::string& path, std::string_view cpu, Sheet& sheet) {
    const auto current = read_small_file(path + "/cpufreq/scaling_governor");
    const auto available = read_small_file(path + "/cpufreq/scaling_available_governors");
    if (!current || !available) return;
    Fields fields(trim(*available));
    for (std::string_view governor = fields.next(); !governor.empty(); governor = fields.next()) {
      put(kGovernor, {cpu, printable(governor)}, governor == trim(*current) ? 1 : 0, sheet);
    }
  }

  void put_throttles(const std::string& path, Sheet& sheet) {
    const auto package = read_number(path + "/topology/physical_package_id");
    const auto core = read_number(path + "/topology/core_id");
    if (!package || !core) return;
    const std::string package_label = std::to_string(*package);
    const auto once = [&](const Family& family, const char* file, std::int64_t which,
                          std::initializer_list<std::string_view> labels) {
      const auto count = read_number(fmt::format("{}/thermal_throttle/{}", path, file));
      if (count && throttled_.emplace(*package, which).second) put(family, labels, *count, sheet);
    };
    once(kCoreThrottles, "core_throttle_count", *core, {package_label, std::to_string(*core)});
    once(kPackageThrottles, "package_throttle_count", kWholePackage, {package_label});
  }

  /// "2-3,6"
  void put_isolated(Sheet& sheet) {
    const auto content = read_small_file(folder_ + "/isolated");
    if (!content) return;
    std::string_view rest = trim(*content);
    while (!rest.empty()) {
      const auto [range, tail] = split_once(rest, ',');
      rest = tail;
      const auto [first_text, last_text] = split_once(range, '-');
      const auto first = parse_integer(first_text);
      const auto last = last_text.empty() ? first : parse_integer(last_text);
      if (!first || !last || *first < 0 || *last >= kMaxCpus) return;
      for (std::int64_t cpu = *first; cpu <= *last; ++cpu) put(kIsolated, {std::to_string(cpu)}, 1, sheet);
    }
  }

  static constexpr std::int64_t kMaxCpus = 8192;     // the most a kernel can be built for
  static constexpr std::int64_t kWholePackage = -1;  // in place of a core

  std::string folder_;
  bool any_ = false;                                           // something was put in this tick
  std::set<std::pair<std::int64_t, std::int64_t>> throttled_;  // package and core already told in this tick
};

}  // namespace

std::unique_ptr<Collector> make_cpufreq(const CollectorOptions& options) {
  return std::make_unique<CpufreqCollector>(options);
}

}  // namespace vigil::agent
