// Which clock source the kernel uses (Documentation/timers/timekeeping.rst): a fall back from tsc to hpet or
// acpi_pm makes every reading of the clock many times dearer.
#include "agent/collectors/table.h"
#include "agent/collectors/text.h"
#include "agent/files/proc_file.h"
#include "agent/files/scan.h"
#include "common/text/trim.h"

namespace vigil::agent {
namespace {

constexpr Family kAvailable{"node_time_clocksource_available_info",
                            "A clock source that could be used; always 1.",
                            SeriesType::gauge,
                            0,
                            {"device", "clocksource"}};
constexpr Family kCurrent{"node_time_clocksource_current_info",
                          "The clock source in use; always 1.",
                          SeriesType::gauge,
                          0,
                          {"device", "clocksource"}};

class ClocksourceCollector final : public Collector {
 public:
  explicit ClocksourceCollector(const CollectorOptions& options)
      : folder_(options.roots.sysfs + "/devices/system/clocksource") {}

  std::string_view name() const override { return "clocksource"; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(60); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    constexpr std::string_view kPrefix = "clocksource";
    const auto devices = list_directory(folder_);
    if (!devices && devices.error().code == Errc::not_found)
      return fail(Errc::unsupported, "{}: not there", folder_);
    if (!devices) return devices.error();
    for (const std::string& device : *devices) {
      if (!device.starts_with(kPrefix)) continue;
      const std::string number = printable(std::string_view(device).substr(kPrefix.size()));
      put_names(kAvailable, number, fmt::format("{}/{}/available_clocksource", folder_, device), sheet);
      put_names(kCurrent, number, fmt::format("{}/{}/current_clocksource", folder_, device), sheet);
    }
    return {};
  }

 private:
  static void put_names(const Family& family, const std::string& device, const std::string& path,
                        Sheet& sheet) {
    const auto content = read_small_file(path);
    if (!content) return;
    Fields fields(trim(*content));
    for (std::string_view name = fields.next(); !name.empty(); name = fields.next())
      sheet.put(family, {device, printable(name)}, 1);
  }

  std::string folder_;
};

}  // namespace

std::unique_ptr<Collector> make_clocksource(const CollectorOptions& options) {
  return std::make_unique<ClocksourceCollector>(options);
}

}  // namespace vigil::agent
