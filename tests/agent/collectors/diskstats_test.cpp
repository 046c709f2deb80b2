#include "agent/collectors/name_filter.h"
#include "agent/collectors/text.h"
#include "agent/collectors/udev_info.h"
#include "tests/agent/collectors/support.h"
#include "tests/support/catch.h"

namespace vigil::agent {

using namespace vigil::test;

TEST_CASE("disks of old and new kernels read like node_exporter's") {
  check_golden("mixed", "diskstats");
}

TEST_CASE("a diskstats file cut anywhere gives a result") {
  check_every_prefix("mixed", "diskstats", "proc/diskstats", Cut::keeps_values);
}

TEST_CASE("the number of fields tells what a line of diskstats means") {
  TempDir host;
  host.write("proc/diskstats",
             "   8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n"                        // 2.6
             "   8 16 sdb 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n"           // 4.18
             " 259 0 nvme0n1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n"  // 5.5
             "   9 0 md0 1 2 3 4\n"                                        // a partition of 2.6.20
             "   8 1 sda1 1 2 3 4 5 6 7 8 9 10 11\n"
             "   8 32 sdc\n"
             "   8 48 sdd 18446744073709551615 0 18446744073709551615\n"
             "garbage\n");
  const std::string text = collect_text("diskstats", rooted(host.path()));
  const auto has = [&](std::string_view line) { return text.find(line) != std::string::npos; };
  CHECK(has("node_disk_io_time_weighted_seconds_total{device=\"sda\"} 0.011\n"));
  CHECK_FALSE(has("node_disk_discards_completed_total{device=\"sda\"}"));
  CHECK(has("node_disk_discarded_sectors_total{device=\"sdb\"} 14\n"));
  CHECK_FALSE(has("node_disk_flush_requests_total{device=\"sdb\"}"));
  CHECK(has("node_disk_flush_requests_time_seconds_total{device=\"nvme0n1\"} 0.017\n"));
  CHECK(has("node_disk_read_bytes_total{device=\"md0\"} 1024\n"));
  CHECK(has("node_disk_writes_completed_total{device=\"md0\"} 3\n"));
  CHECK(has("node_disk_written_bytes_total{device=\"md0\"} 2048\n"));
  CHECK_FALSE(has("sda1"));
  CHECK_FALSE(has("\"sdc\""));
  CHECK(has("node_disk_read_bytes_total{device=\"sdd\"} 9223372036854775807\n"));
}

TEST_CASE("a disk is described by what udev knows of it") {
  TempDir host;
  host.write("proc/diskstats", "254 0 vda 1 2 3 4 5 6 7 8 9 10 11\n");
  host.write("run/udev/data/b254:0",
             "N:vda\nE:ID_SERIAL=whole-1234\nE:ID_SERIAL_SHORT=1234\nE:ID_MODEL=Fast\xFF"
             "disk\nE:ID_PATH=pci-0000:00:04.0\n"
             "E:ID_REVISION=A1\nE:ID_WWN=0x5000\nG:systemd\n");
  const std::string text = collect_text("diskstats", rooted(host.path()));
  CHECK_THAT(text, Catch::Contains("node_disk_info{device=\"vda\", major=\"254\", minor=\"0\", "
                                   "model=\"Fast?disk\", path=\"pci-0000:00:04.0\", "
                                   "revision=\"A1\", serial=\"1234\", wwn=\"0x5000\"} 1"));
  CHECK(parse_udev_info("E:ID_SERIAL=a\nE:SCSI_IDENT_SERIAL=b").serial == "b");
}

TEST_CASE("a device mapper device is described by the names of its volume") {
  TempDir host;
  host.write("proc/diskstats", "253 0 dm-0 1 2 3 4 5 6 7 8 9 10 11\n254 0 vda 1 2 3 4 5 6 7 8 9 10 11\n");
  host.write("run/udev/data/b253:0",
             "E:DM_NAME=main-root\nE:DM_UUID=LVM-1\nE:DM_VG_NAME=main\nE:DM_LV_NAME=root\n");
  const std::string text = collect_text("diskstats", rooted(host.path()));
  CHECK_THAT(text, Catch::Contains("node_disk_device_mapper_info{device=\"dm-0\", lv_name=\"root\", "
                                   "name=\"main-root\", uuid=\"LVM-1\", vg_name=\"main\"} 1"));
  CHECK_THAT(text, !Catch::Contains("node_disk_device_mapper_info{device=\"vda\""));
}

TEST_CASE("a device filter that is no regular expression is reported, not silently ignored") {
  TempDir host;
  host.write("proc/diskstats", "254 0 vda 1 2 3 4 5 6 7 8 9 10 11\n");
  auto options = rooted(host.path());
  options.diskstats_device_exclude = "(";
  CHECK_THAT(collect_text("diskstats", options),
             Catch::StartsWith("# error invalid_argument\nnode_disk_info"));
}

TEST_CASE("a filter gives the same verdicts when the list changes") {
  NameFilter filter("^sd[a-z]\\d+$");
  for (int round = 0; round < 3; ++round) {
    filter.rewind();
    CHECK_FALSE(filter.excludes("sda"));
    CHECK(filter.excludes("sda1"));
    if (round == 1) CHECK_FALSE(filter.excludes("nvme0n1"));
    CHECK(filter.excludes("sdb1"));
    CHECK_FALSE(filter.excludes("sdb"));
  }
}

TEST_CASE("octal escapes are undone and other backslashes kept") {
  CHECK(unescape_octal("/mnt/my\\040disk\\134") == "/mnt/my disk\\");
  CHECK(unescape_octal("\\04 \\999 \\") == "\\04 \\999 \\");
}

}  // namespace vigil::agent
