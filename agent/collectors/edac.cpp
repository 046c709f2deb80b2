// Memory errors found by the memory controllers: SYSFS/devices/system/edac/mc
// (Documentation/admin-guide/ras.rst). The csrow folders are there only with CONFIG_EDAC_LEGACY_SYSFS; errors
// that no row can be named for are counted under csrow "unknown".
#include "agent/collectors/sysfs.h"
#include "agent/collectors/table.h"

#include <string>

namespace vigil::agent {
namespace {

constexpr auto kCounter = SeriesType::counter;
constexpr Family kCorrectable{
    "node_edac_correctable_errors_total", "Total correctable memory errors.", kCounter, 0, {"controller"}};
constexpr Family kUncorrectable{"node_edac_uncorrectable_errors_total",
                                "Total uncorrectable memory errors.",
                                kCounter,
                                0,
                                {"controller"}};
constexpr Family kRowCorrectable{"node_edac_csrow_correctable_errors_total",
                                 "Total correctable memory errors for this csrow.",
                                 kCounter,
                                 0,
                                 {"controller", "csrow"}};
constexpr Family kRowUncorrectable{"node_edac_csrow_uncorrectable_errors_total",
                                   "Total uncorrectable memory errors for this csrow.",
                                   kCounter,
                                   0,
                                   {"controller", "csrow"}};

class EdacCollector final : public Collector {
 public:
  explicit EdacCollector(const CollectorOptions& options)
      : folder_(options.roots.sysfs + "/devices/system/edac/mc") {}

  std::string_view name() const override { return "edac"; }
  Lane lane() const override { return Lane::apart; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(30); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    const auto controllers = numbered_entries(folder_, "mc");
    if (controllers.empty()) return fail(Errc::unsupported, "{}: no memory controllers", folder_);
    for (const auto& mc : controllers) {
      put(kCorrectable, mc.path + "/ce_count", {mc.number}, sheet);
      put(kUncorrectable, mc.path + "/ue_count", {mc.number}, sheet);
      put(kRowCorrectable, mc.path + "/ce_noinfo_count", {mc.number, "unknown"}, sheet);
      put(kRowUncorrectable, mc.path + "/ue_noinfo_count", {mc.number, "unknown"}, sheet);
      for (const auto& row : numbered_entries(mc.path, "csrow")) {
        put(kRowCorrectable, row.path + "/ce_count", {mc.number, row.number}, sheet);
        put(kRowUncorrectable, row.path + "/ue_count", {mc.number, row.number}, sheet);
      }
    }
    return {};
  }

 private:
  static void put(const Family& family, const std::string& path,
                  std::initializer_list<std::string_view> labels, Sheet& sheet) {
    if (const auto count = read_number(path)) sheet.put(family, labels, *count);
  }

  std::string folder_;
};

}  // namespace

std::unique_ptr<Collector> make_edac(const CollectorOptions& options) {
  return std::make_unique<EdacCollector>(options);
}

}  // namespace vigil::agent
