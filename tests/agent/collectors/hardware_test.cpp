#include "agent/collectors/mdstat.h"
#include "tests/agent/collectors/support.h"
#include "tests/support/catch.h"

namespace vigil::agent {

using namespace vigil::test;

TEST_CASE("sensors of every kind read like node_exporter's") {
  check_golden("hardware", "hwmon");
}
TEST_CASE("thermal zones and cooling devices read like node_exporter's") {
  check_golden("hardware", "thermal_zone");
}
TEST_CASE("memory errors read like node_exporter's") {
  check_golden("hardware", "edac");
}

TEST_CASE("RAID arrays in every state read like node_exporter's") {
  check_golden("mixed", "mdadm");
}
TEST_CASE("a thermal device that cannot be read costs only itself") {
  check_golden("mixed", "thermal_zone");
}

TEST_CASE("ZFS tells the size of its cache and the state of each pool") {
  TempDir host;
  CHECK(collect_text("zfs", rooted(host.path())) == "# error unsupported\n");
  host.write("proc/spl/kstat/zfs/arcstats",
             "6 1 0x01 91 4368 5266997922 97951858082072\n"
             "name                            type data\n"
             "hits                            4    8772612\n"
             "misses                          4    604635\n"
             "arc_prune                       4    11\n"
             "size                            4    1603939792\n"
             "c_max                           4    4037");
  host.write("proc/spl/kstat/zfs/tank/state", "DEGRADED\n");
  host.write("proc/spl/kstat/zfs/new/state", "SOMETHING\n");
  const std::string text = collect_text("zfs", rooted(host.path()));
  CHECK(text.find("node_zfs_arc_hits 8772612\n") != std::string::npos);
  CHECK(text.find("node_zfs_arc_size 1603939792\n") != std::string::npos);
  CHECK(text.find("arc_prune") == std::string::npos);
  CHECK(text.find("c_max") == std::string::npos);  // its line was cut
  CHECK(text.find("node_zfs_zpool_state{state=\"degraded\", zpool=\"tank\"} 1\n") != std::string::npos);
  CHECK(text.find("node_zfs_zpool_state{state=\"online\", zpool=\"tank\"} 0\n") != std::string::npos);
  CHECK(text.find("\"new\"") == std::string::npos);
}

TEST_CASE("a host without such hardware just does not have it") {
  TempDir host;
  std::filesystem::create_directories(host.path() / "sys/class/thermal");
  for (const std::string_view collector : {"hwmon", "thermal_zone", "edac", "mdadm"}) {
    INFO(collector);
    CHECK(collect_text(collector, rooted(host.path())) == "# error unsupported\n");
  }
}

TEST_CASE("hardware files cut anywhere give a result") {
  check_every_prefix("mixed", "mdadm", "proc/mdstat", Cut::may_cut_labels);
  check_every_prefix("mixed", "mdadm", "sys/block/md6/md/raid_disks");
  check_every_prefix("hardware", "hwmon", "sys/devices/platform/coretemp.0/hwmon/hwmon0/temp1_input");
  check_every_prefix("hardware", "hwmon", "sys/devices/platform/coretemp.0/hwmon/hwmon0/temp1_label",
                     Cut::may_cut_labels);
  check_every_prefix("hardware", "edac", "sys/devices/system/edac/mc/mc0/ce_count");
  check_every_prefix("hardware", "thermal_zone", "sys/devices/virtual/thermal/thermal_zone0/temp");
}

TEST_CASE("a sensor with no place in the device tree and no name is called by its number") {
  TempDir host;
  host.write("sys/class/hwmon/hwmon7/temp1_input", "1500\n");
  CHECK(collect_text("hwmon", rooted(host.path())) ==
        "node_hwmon_temp_celsius{chip=\"hwmon7\", sensor=\"temp1\"} 1.5\n");
}

TEST_CASE("a driver that invents attributes without end is held to a bound") {
  TempDir host;
  for (int i = 0; i < 600; ++i) host.write(fmt::format("sys/class/hwmon/hwmon0/temp1_invented{}", i), "1\n");
  host.write("sys/class/hwmon/hwmon0/name", "odd\n");
  const std::string text = collect_text("hwmon", rooted(host.path()));
  CHECK(std::count(text.begin(), text.end(), '\n') <= 501);
  CHECK_THAT(text, Catch::Contains("node_hwmon_chip_names"));
}

TEST_CASE(
    "an array that waits for its resync has synced nothing, one without its status line is passed over") {
  const auto arrays = parse_mdstat(
      "Personalities : [raid1]\nmd0 : active raid1 sdb1[1] sda1[0]\n      1000 blocks [2/2] [UU]\n      "
      "bitmap: 0/1 pages\n"
      "      resync=DELAYED\n\nmd1 : active raid5 sda[0]\n\nmd2 : inactive sdc[2](S)\n      50 "
      "blocks\n\nunused devices: <none>\n");
  REQUIRE(arrays.size() == 2);
  CHECK(arrays[0].activity == MdArray::Activity::resync);
  CHECK(arrays[0].blocks_synced == 0);
  CHECK(arrays[0].disks_active == 2);
  CHECK(arrays[1].name == "md2");
  CHECK(arrays[1].disks_required == 0);
}

}  // namespace vigil::agent
