// Temperatures and cooling devices of the kernel's thermal framework: SYSFS/class/thermal
// (Documentation/driver-api/thermal). Reading a zone may ask firmware, which may take its time; a zone that
// is switched off fails to be read and costs only itself.
#include "agent/collectors/sysfs.h"
#include "agent/collectors/table.h"
#include "agent/collectors/text.h"
#include "agent/files/proc_file.h"

#include <string>

namespace vigil::agent {
namespace {

constexpr auto kGauge = SeriesType::gauge;
constexpr Family kTemperature{
    "node_thermal_zone_temp", "Zone temperature in Celsius.", kGauge, 3, {"zone", "type"}};
constexpr Family kCoolingNow{"node_cooling_device_cur_state",
                             "Current throttle state of the cooling device.",
                             kGauge,
                             0,
                             {"name", "type"}};
constexpr Family kCoolingMost{"node_cooling_device_max_state",
                              "Maximum throttle state of the cooling device.",
                              kGauge,
                              0,
                              {"name", "type"}};

class ThermalZoneCollector final : public Collector {
 public:
  explicit ThermalZoneCollector(const CollectorOptions& options)
      : folder_(options.roots.sysfs + "/class/thermal") {}

  std::string_view name() const override { return "thermal_zone"; }
  Lane lane() const override { return Lane::apart; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(10); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    const auto zones = numbered_entries(folder_, "thermal_zone");
    const auto coolers = numbered_entries(folder_, "cooling_device");
    if (zones.empty() && coolers.empty()) return fail(Errc::unsupported, "{}: no thermal zones", folder_);
    for (const auto& zone : zones) {
      const auto millidegrees = read_number(zone.path + "/temp");
      if (millidegrees) sheet.put(kTemperature, {zone.number, type_of(zone)}, *millidegrees);
    }
    for (const auto& cooler : coolers) {
      const std::string type = type_of(cooler);
      if (const auto now = read_number(cooler.path + "/cur_state"))
        sheet.put(kCoolingNow, {cooler.number, type}, *now);
      if (const auto most = read_number(cooler.path + "/max_state"))
        sheet.put(kCoolingMost, {cooler.number, type}, *most);
    }
    return {};
  }

 private:
  static std::string type_of(const NumberedEntry& device) {
    const auto type = read_small_file(device.path + "/type", 256);
    return type ? printable(*type) : std::string();
  }

  std::string folder_;
};

}  // namespace

std::unique_ptr<Collector> make_thermal_zone(const CollectorOptions& options) {
  return std::make_unique<ThermalZoneCollector>(options);
}

}  // namespace vigil::agent
