// What the firmware says of the machine: SYSFS/class/dmi/id (Documentation/ABI/testing/sysfs-class-dmi).
// Serial numbers and the UUID can be read by root only; without that privilege their labels are just not
// there. Virtual machines may have none of it.
#include "agent/collectors/table.h"
#include "agent/collectors/text.h"
#include "agent/files/proc_file.h"

#include <array>
#include <string>

namespace vigil::agent {
namespace {

constexpr std::size_t kCount = 20;
constexpr Family kInfo{
    "node_dmi_info",
    "A constant 1 with what the firmware (DMI) tells of the machine.",
    SeriesType::gauge,
    0,
    {"bios_date",      "bios_release",   "bios_vendor",     "bios_version",    "board_asset_tag",
     "board_name",     "board_serial",   "board_vendor",    "board_version",   "chassis_asset_tag",
     "chassis_serial", "chassis_vendor", "chassis_version", "product_family",  "product_name",
     "product_serial", "product_sku",    "product_uuid",    "product_version", "system_vendor"}};
static_assert(kMaxFamilyLabels >= kCount);

class DmiCollector final : public Collector {
 public:
  explicit DmiCollector(const CollectorOptions& options) : folder_(options.roots.sysfs + "/class/dmi/id") {}

  std::string_view name() const override { return "dmi"; }
  std::chrono::milliseconds interval() const override { return std::chrono::minutes(1); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    const auto present = list_directory(folder_);
    if (!present) return fail(Errc::unsupported, "{}", present.error().message);
    std::array<std::string, kCount> v;
    for (std::size_t i = 0; i < kCount; ++i) {
      const std::string_view label = kInfo.labels[i];
      const auto value =
          read_small_file(folder_ + "/" + std::string(label == "system_vendor" ? "sys_vendor" : label));
      if (value) v[i] = printable(*value);
    }
    sheet.put(kInfo, {v[0],  v[1],  v[2],  v[3],  v[4],  v[5],  v[6],  v[7],  v[8],  v[9],
                      v[10], v[11], v[12], v[13], v[14], v[15], v[16], v[17], v[18], v[19]},
              1);
    return {};
  }

 private:
  std::string folder_;
};

}  // namespace

std::unique_ptr<Collector> make_dmi(const CollectorOptions& options) {
  return std::make_unique<DmiCollector>(options);
}

}  // namespace vigil::agent
