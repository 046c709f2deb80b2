// Bonded network devices from /sys/class/net/bonding_masters (Documentation/networking/bonding.rst): how many
// links each has and how many of them work.
#include "agent/collectors/table.h"
#include "agent/collectors/text.h"
#include "agent/files/proc_file.h"
#include "agent/files/scan.h"
#include "common/text/trim.h"

namespace vigil::agent {
namespace {

constexpr Family kSlaves{
    "node_bonding_slaves", "Links the bond is made of.", SeriesType::gauge, 0, {"master"}};
constexpr Family kActive{
    "node_bonding_active", "Links of the bond that are up.", SeriesType::gauge, 0, {"master"}};

class BondingCollector final : public Collector {
 public:
  explicit BondingCollector(const CollectorOptions& options) : folder_(options.roots.sysfs + "/class/net") {}

  std::string_view name() const override { return "bonding"; }
  Lane lane() const override { return Lane::apart; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(10); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    const auto masters = read_small_file(folder_ + "/bonding_masters");
    if (!masters && masters.error().code == Errc::not_found)
      return fail(Errc::unsupported, "{}: no bonds here", folder_);
    if (!masters) return masters.error();
    Fields fields(trim(*masters));
    for (std::string_view master = fields.next(); !master.empty(); master = fields.next()) {
      if (auto put = put_master(master, sheet); !put) return put;
    }
    return {};
  }

 private:
  Result<void> put_master(std::string_view master, Sheet& sheet) const {
    const auto slaves = read_small_file(fmt::format("{}/{}/bonding/slaves", folder_, master));
    if (!slaves && slaves.error().code == Errc::not_found) return {};  // removed while we look
    if (!slaves) return slaves.error();
    std::int64_t count = 0;
    std::int64_t active = 0;
    Fields fields(trim(*slaves));
    for (std::string_view slave = fields.next(); !slave.empty(); slave = fields.next()) {
      ++count;
      active += is_up(master, slave) ? 1 : 0;
    }
    const std::string label = printable(master);
    sheet.put(kSlaves, {label}, count);
    sheet.put(kActive, {label}, active);
    return {};
  }

  bool is_up(std::string_view master, std::string_view slave) const {
    for (const char* prefix : {"lower", "slave"}) {  // the link was called slave_NAME before Linux 3.13
      const auto status = read_small_file(
          fmt::format("{}/{}/{}_{}/bonding_slave/mii_status", folder_, master, prefix, slave));
      if (status) return trim(*status) == "up";
    }
    return false;
  }

  std::string folder_;
};

}  // namespace

std::unique_ptr<Collector> make_bonding(const CollectorOptions& options) {
  return std::make_unique<BondingCollector>(options);
}

}  // namespace vigil::agent
