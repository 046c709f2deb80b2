// Temperatures, fans, voltages and power from SYSFS/class/hwmon (Documentation/hwmon/sysfs-interface.rst).
// Names are node_exporter's: the file temp1_crit of a chip becomes node_hwmon_temp_crit_celsius{chip,
// sensor="temp1"}. Drivers have attributes of their own, so families are made as they are met, up to a bound.
// A read may go over I2C or ask firmware and take long: lane apart.
#include "agent/collectors/sysfs.h"
#include "agent/collectors/table.h"
#include "agent/collectors/text.h"
#include "agent/files/proc_file.h"
#include "agent/files/scan.h"
#include "common/text/trim.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>

namespace vigil::agent {
namespace {

constexpr auto kGauge = SeriesType::gauge;
constexpr Family kChipName{"node_hwmon_chip_names",
                           "A constant 1 with the name a chip's driver gives it.",
                           kGauge,
                           0,
                           {"chip", "chip_name"}};
constexpr Family kSensorLabel{"node_hwmon_sensor_label",
                              "A constant 1 with the label of a sensor.",
                              kGauge,
                              0,
                              {"chip", "sensor", "label"}};

constexpr std::array<std::string_view, 13> kTypes = {
    "vrm",  "beep_enable", "update_interval", "in",     "cpu",      "fan",      "pwm",
    "temp", "curr",        "power",           "energy", "humidity", "intrusion"};

/// Attributes of one sensor: "input" -> "45000"; the attribute without a name is "".
using Attributes = std::map<std::string, std::string, std::less<>>;

struct Sensor {
  std::string_view type;  // of kTypes
  Attributes attributes;
};
using Sensors = std::map<std::string, Sensor, std::less<>>;  // "temp1" -> ...

/// What a metric is called and how its raw integer counts.
struct Meaning {
  std::string name;
  std::uint8_t scale = 0;
  SeriesType type = kGauge;
};

/// Lower case, everything but letters, digits, ':' and '_' replaced, no '_' at either end.
std::string clean(std::string_view text) {
  std::string name;
  for (char c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == ':' || c == '_';
    name += fine ? c : '_';
  }
  const std::size_t begin = name.find_first_not_of('_');
  if (begin == std::string::npos) return {};
  return name.substr(begin, name.find_last_not_of('_') - begin + 1);
}

/// The unit of an attribute in the kernel's ABI and in Prometheus. Millivolts, millidegrees and milliamperes
/// are the raw form of the base unit with scale 3, microwatts and microjoules with scale 6. (node_exporter
/// shows humidity, in 1/100000, as 1/1000000; so do we, since the name promises its values.)
Meaning unit_of(std::string_view type, std::string_view element, std::string name) {
  if (element == "fault" || element == "alarm") return {std::move(name)};
  if (element == "beep") return {name + "_enabled"};
  if (type == "in" || type == "cpu") return {name + "_volts", 3};
  if (type == "temp" && element != "type") return {name + "_celsius", 3};
  if (type == "curr") return {name + "_amps", 3};
  if (type == "energy") return {name + "_joule_total", 6, SeriesType::counter};
  if (type == "power" && element == "accuracy") return {std::move(name), 6};
  if (type == "power" && element.starts_with("average_interval")) return {name + "_seconds", 3};
  if (type == "power") return {name + "_watt", 6};
  if (type == "humidity") return {std::move(name), 6};
  const bool turns = element == "input" || element == "min" || element == "max" || element == "target";
  if (type == "fan" && turns) return {name + "_rpm"};
  return {std::move(name)};
}

Meaning meaning_of(const Sensor& sensor, std::string_view element) {
  if (sensor.type == "beep_enable") return {"node_hwmon_beep_enabled"};
  if (sensor.type == "vrm") return {"node_hwmon_voltage_regulator_version"};
  if (sensor.type == "update_interval") return {"node_hwmon_update_interval_seconds", 3};
  std::string name = "node_hwmon_" + std::string(sensor.type);
  // The reading itself has no suffix, unless the driver also has an attribute that is just "temp1".
  if (!element.empty() && (element != "input" || sensor.attributes.contains("")))
    name += "_" + clean(element);
  return unit_of(sensor.type, element, std::move(name));
}

/// Families by name. They live as long as the program, as sheets require. Null after kMost different ones: no
/// hardware has so many.
class FamilyPool {
 public:
  const Family* get(const Meaning& meaning) {
    constexpr std::size_t kMost = 500;
    const std::lock_guard lock(mutex_);
    const auto found = families_.find(meaning.name);
    if (found != families_.end()) return &found->second.family;
    if (families_.size() >= kMost) return nullptr;
    const auto [place, fresh] = families_.try_emplace(meaning.name);
    place->second.help = "Hardware monitor attribute " + meaning.name.substr(sizeof "node_hwmon_" - 1) + ".";
    place->second.family = {
        place->first, place->second.help, meaning.type, meaning.scale, {"chip", "sensor"}};
    return &place->second.family;
  }
  static FamilyPool& instance() {
    static auto* const pool = new FamilyPool;
    return *pool;
  }

 private:
  struct Stored {
    std::string help;
    Family family;
  };
  std::mutex mutex_;
  std::map<std::string, Stored, std::less<>> families_;  // nodes stay where they are
};

bool digit(char c) {
  return c >= '0' && c <= '9';
}

/// Files named TYPE[NUMBER][_ELEMENT] of a folder, added to `sensors`. What cannot be read is left out.
void read_sensors(const std::string& folder, Sensors& sensors) {
  const auto names = list_directory(folder);
  if (!names) return;
  for (const std::string& file : *names) {
    const std::string_view name = file;
    const auto number_at =
        static_cast<std::size_t>(std::find_if(name.begin(), name.end(), digit) - name.begin());
    const auto rest_at = static_cast<std::size_t>(
        std::find_if_not(name.begin() + number_at, name.end(), digit) - name.begin());
    const auto type = std::find(kTypes.begin(), kTypes.end(), name.substr(0, number_at));
    const std::string_view rest = name.substr(rest_at);
    if (type == kTypes.end() || (!rest.empty() && (rest.front() != '_' || rest.size() == 1))) continue;
    auto value = read_small_file(fmt::format("{}/{}", folder, file), 256);
    if (!value) continue;
    const std::string number(name.substr(number_at, rest_at - number_at));
    Sensor& sensor = sensors[std::string(*type) + (number.empty() ? "0" : number)];
    sensor.type = *type;
    sensor.attributes[std::string(rest.empty() ? rest : rest.substr(1))] = std::move(*value);
  }
}

/// hwmon numbers depend on the order in which modules load, so a chip is named for its place in the device
/// tree; where it has none (virtual devices), for its driver.
std::string chip_of(const std::string& folder, const std::string& driver_name) {
  std::error_code error;
  const auto device = std::filesystem::canonical(folder + "/device", error);
  if (!error) {
    const std::string name = clean(device.filename().string());
    const std::string bus = clean(device.parent_path().filename().string());
    if (!name.empty()) return bus.empty() ? name : bus + "_" + name;
  }
  if (!driver_name.empty()) return driver_name;
  const auto real = std::filesystem::canonical(folder, error);
  return clean(error ? folder.substr(folder.rfind('/') + 1) : real.filename().string());
}

class HwmonCollector final : public Collector {
 public:
  explicit HwmonCollector(const CollectorOptions& options) : folder_(options.roots.sysfs + "/class/hwmon") {}

  std::string_view name() const override { return "hwmon"; }
  Lane lane() const override { return Lane::apart; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(10); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    const auto chips = numbered_entries(folder_, "hwmon");
    if (chips.empty()) return fail(Errc::unsupported, "{}: no sensors", folder_);
    for (const auto& chip : chips) put_chip(chip.path, sheet);
    return {};
  }

 private:
  static void put_chip(const std::string& folder, Sheet& sheet) {
    const auto name_file = read_small_file(folder + "/name", 256);
    const std::string driver_name = name_file ? clean(*name_file) : std::string();
    const std::string chip = chip_of(folder, driver_name);
    Sensors sensors;
    read_sensors(folder, sensors);
    read_sensors(folder + "/device", sensors);  // drivers from before 3.14 have them there
    if (!driver_name.empty()) sheet.put(kChipName, {chip, driver_name}, 1);
    for (const auto& [name, sensor] : sensors) put_sensor(chip, name, sensor, sheet);
  }

  static void put_sensor(const std::string& chip, const std::string& name, const Sensor& sensor,
                         Sheet& sheet) {
    for (const auto& [element, text] : sensor.attributes) {
      if (element == "label") {
        sheet.put(kSensorLabel, {chip, name, printable(text)}, 1);
        continue;
      }
      const auto value = parse_integer(trim(text));
      if (!value) continue;
      if (const Family* family = FamilyPool::instance().get(meaning_of(sensor, element)))
        sheet.put(*family, {chip, name}, *value);
    }
  }

  std::string folder_;
};

}  // namespace

std::unique_ptr<Collector> make_hwmon(const CollectorOptions& options) {
  return std::make_unique<HwmonCollector>(options);
}

}  // namespace vigil::agent
