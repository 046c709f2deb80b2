// Software RAID: /proc/mdstat, and SYSFS/block/mdN/md for what it does not say
// (Documentation/admin-guide/md.rst). mdstat takes the lock of each array, which a failing disk may hold for
// long: lane apart.
#include "agent/collectors/mdstat.h"
#include "agent/collectors/sysfs.h"
#include "agent/collectors/table.h"
#include "agent/files/proc_file.h"
#include "agent/files/scan.h"

#include <array>
#include <string>

namespace vigil::agent {
namespace {

constexpr auto kGauge = SeriesType::gauge;
constexpr Family kState{"node_md_state", "Indicates the state of md-device.", kGauge, 0, {"device", "state"}};
constexpr Family kDisks{
    "node_md_disks", "Number of active/failed/spare disks of device.", kGauge, 0, {"device", "state"}};
constexpr Family kRequired{
    "node_md_disks_required", "Total number of disks the device needs.", kGauge, 0, {"device"}};
constexpr Family kBlocks{
    "node_md_blocks", "Total number of blocks (of 1 KiB) on device.", kGauge, 0, {"device"}};
constexpr Family kSynced{
    "node_md_blocks_synced", "Number of blocks (of 1 KiB) synced on device.", kGauge, 0, {"device"}};
constexpr Family kDegraded{"node_md_degraded", "Number of disks the device lacks.", kGauge, 0, {"device"}};
constexpr Family kRaidDisks{
    "node_md_raid_disks", "Number of disks in a fully working device.", kGauge, 0, {"device"}};

using Activity = MdArray::Activity;
constexpr std::array<std::pair<std::string_view, Activity>, 5> kStates = {
    {{"active", Activity::active},
     {"inactive", Activity::inactive},
     {"recovering", Activity::recovering},
     {"resync", Activity::resync},
     {"check", Activity::check}}};

class MdadmCollector final : public Collector {
 public:
  explicit MdadmCollector(const CollectorOptions& options)
      : mdstat_(options.roots.procfs + "/mdstat"), block_(options.roots.sysfs + "/block") {}

  std::string_view name() const override { return "mdadm"; }
  Lane lane() const override { return Lane::apart; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(10); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    const auto content = mdstat_.read();
    if (!content && content.error().code == Errc::not_found)
      return fail(Errc::unsupported, "{}", content.error().message);
    if (!content) return content.error();
    for (const MdArray& array : parse_mdstat(*content)) put_array(array, sheet);
    for (const auto& device : numbered_entries(block_, "md")) put_sysfs(device, sheet);
    return {};
  }

 private:
  static void put_array(const MdArray& array, Sheet& sheet) {
    for (const auto& [state, activity] : kStates)
      sheet.put(kState, {array.name, state}, array.activity == activity ? 1 : 0);
    sheet.put(kDisks, {array.name, "active"}, array.disks_active);
    sheet.put(kDisks, {array.name, "failed"}, array.disks_failed);
    sheet.put(kDisks, {array.name, "spare"}, array.disks_spare);
    sheet.put(kRequired, {array.name}, array.disks_required);
    sheet.put(kBlocks, {array.name}, array.blocks);
    sheet.put(kSynced, {array.name}, array.blocks_synced);
  }

  static void put_sysfs(const NumberedEntry& device, Sheet& sheet) {
    const std::string name = "md" + device.number;
    if (const auto lacking = read_number(device.path + "/md/degraded"))
      sheet.put(kDegraded, {name}, *lacking);
    const auto disks = read_small_file(device.path + "/md/raid_disks", 256);
    if (!disks) return;
    if (const auto number = Fields(*disks).number())
      sheet.put(kRaidDisks, {name}, *number);  // "4 (3)" while it is reshaped
  }

  ProcFile mdstat_;
  std::string block_;
};

}  // namespace

std::unique_ptr<Collector> make_mdadm(const CollectorOptions& options) {
  return std::make_unique<MdadmCollector>(options);
}

}  // namespace vigil::agent
