// Requests, bytes and times of block devices from /proc/diskstats (Documentation/admin-guide/iostats.rst).
// Traps: a sector is 512 bytes whatever the device says; the number of fields grew over time (11, then 15
// with discards in 4.18, then 17 with flushes in 5.5), and partitions before 2.6.25 have four of another
// meaning; a device may appear twice.
#include "agent/collectors/name_filter.h"
#include "agent/collectors/table.h"
#include "agent/collectors/udev_info.h"
#include "agent/files/proc_file.h"
#include "agent/files/scan.h"

#include <array>
#include <limits>
#include <vector>

namespace vigil::agent {
namespace {

constexpr auto kCounter = SeriesType::counter;
constexpr auto kGauge = SeriesType::gauge;
constexpr std::int64_t kSectorBytes = 512;

constexpr Family kInfo{"node_disk_info",
                       "A constant 1 with what udev knows of the block device.",
                       kGauge,
                       0,
                       {"device", "major", "minor", "path", "wwn", "model", "serial", "revision"}};
constexpr Family kMapperInfo{"node_disk_device_mapper_info",
                             "A constant 1 with the names of a device mapper device.",
                             kGauge,
                             0,
                             {"device", "name", "uuid", "vg_name", "lv_name", "lv_layer"}};
constexpr Family kReads{"node_disk_reads_completed_total",
                        "The total number of reads completed successfully.",
                        kCounter,
                        0,
                        {"device"}};
constexpr Family kReadsMerged{
    "node_disk_reads_merged_total", "The total number of reads merged.", kCounter, 0, {"device"}};
constexpr Family kReadBytes{
    "node_disk_read_bytes_total", "The total number of bytes read successfully.", kCounter, 0, {"device"}};
constexpr Family kReadTime{"node_disk_read_time_seconds_total",
                           "The total number of seconds spent by all reads.",
                           kCounter,
                           3,
                           {"device"}};
constexpr Family kWrites{"node_disk_writes_completed_total",
                         "The total number of writes completed successfully.",
                         kCounter,
                         0,
                         {"device"}};
constexpr Family kWritesMerged{
    "node_disk_writes_merged_total", "The number of writes merged.", kCounter, 0, {"device"}};
constexpr Family kWrittenBytes{"node_disk_written_bytes_total",
                               "The total number of bytes written successfully.",
                               kCounter,
                               0,
                               {"device"}};
constexpr Family kWriteTime{"node_disk_write_time_seconds_total",
                            "The total number of seconds spent by all writes.",
                            kCounter,
                            3,
                            {"device"}};
constexpr Family kIoNow{
    "node_disk_io_now", "The number of I/Os currently in progress.", kGauge, 0, {"device"}};
constexpr Family kIoTime{
    "node_disk_io_time_seconds_total", "Total seconds spent doing I/Os.", kCounter, 3, {"device"}};
constexpr Family kIoTimeWeighted{"node_disk_io_time_weighted_seconds_total",
                                 "The weighted number of seconds spent doing I/Os.",
                                 kCounter,
                                 3,
                                 {"device"}};
constexpr Family kDiscards{"node_disk_discards_completed_total",
                           "The total number of discards completed successfully.",
                           kCounter,
                           0,
                           {"device"}};
constexpr Family kDiscardsMerged{
    "node_disk_discards_merged_total", "The total number of discards merged.", kCounter, 0, {"device"}};
constexpr Family kDiscardedSectors{"node_disk_discarded_sectors_total",
                                   "The total number of sectors (of 512 bytes) discarded successfully.",
                                   kCounter,
                                   0,
                                   {"device"}};
constexpr Family kDiscardTime{"node_disk_discard_time_seconds_total",
                              "The total number of seconds spent by all discards.",
                              kCounter,
                              3,
                              {"device"}};
constexpr Family kFlushes{"node_disk_flush_requests_total",
                          "The total number of flush requests completed successfully.",
                          kCounter,
                          0,
                          {"device"}};
constexpr Family kFlushTime{"node_disk_flush_requests_time_seconds_total",
                            "The total number of seconds spent by all flush requests.",
                            kCounter,
                            3,
                            {"device"}};

struct Field {
  const Family* family;
  std::int64_t factor = 1;
};

/// In the order of the file, after major, minor and name. Milliseconds are the raw form of seconds with
/// scale 3.
constexpr std::array<Field, 17> kFields = {{{&kReads},
                                            {&kReadsMerged},
                                            {&kReadBytes, kSectorBytes},
                                            {&kReadTime},
                                            {&kWrites},
                                            {&kWritesMerged},
                                            {&kWrittenBytes, kSectorBytes},
                                            {&kWriteTime},
                                            {&kIoNow},
                                            {&kIoTime},
                                            {&kIoTimeWeighted},
                                            {&kDiscards},
                                            {&kDiscardsMerged},
                                            {&kDiscardedSectors},
                                            {&kDiscardTime},
                                            {&kFlushes},
                                            {&kFlushTime}}};
/// Partitions of kernels before 2.6.25.
constexpr std::array<Field, 4> kOldPartitionFields = {
    {{&kReads}, {&kReadBytes, kSectorBytes}, {&kWrites}, {&kWrittenBytes, kSectorBytes}}};

std::int64_t times(std::int64_t value, std::int64_t factor) {
  std::int64_t product = 0;
  return __builtin_mul_overflow(value, factor, &product) ? std::numeric_limits<std::int64_t>::max() : product;
}

class DiskstatsCollector final : public Collector {
 public:
  explicit DiskstatsCollector(const CollectorOptions& options)
      : file_(options.roots.procfs + "/diskstats"),
        filter_(options.diskstats_device_exclude),
        udev_(options.roots.rootfs) {}

  std::string_view name() const override { return "diskstats"; }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    const auto content = file_.read();
    if (!content) return content.error();
    filter_.rewind();
    udev_.rewind();
    for (Lines lines(whole_lines(*content)); lines.next();) put_line(lines.line(), sheet);
    if (auto valid = filter_.valid(); !valid) return valid;
    return file_.whole();
  }

 private:
  void put_line(std::string_view line, Sheet& sheet) {
    Fields fields(line);
    const std::string_view major = fields.next();
    const std::string_view minor = fields.next();
    const std::string_view device = fields.next();
    if (device.empty() || filter_.excludes(device)) return;
    std::array<std::int64_t, kFields.size()> values{};
    std::size_t count = 0;
    while (count < values.size()) {
      const auto value = fields.number();
      if (!value) break;
      values[count++] = *value;
    }
    if (count == 0) return;
    const UdevInfo& info = udev_.next(major, minor);
    sheet.put(kInfo, {device, major, minor, info.path, info.wwn, info.model, info.serial, info.revision}, 1);
    if (!info.mapped_name.empty()) {
      sheet.put(kMapperInfo,
                {device, info.mapped_name, info.mapped_uuid, info.volume_group, info.logical_volume,
                 info.volume_layer},
                1);
    }
    const std::span<const Field> meaning = count == kOldPartitionFields.size()
                                               ? std::span<const Field>(kOldPartitionFields)
                                               : std::span<const Field>(kFields);
    for (std::size_t i = 0; i < count; ++i)
      sheet.put(*meaning[i].family, {device}, times(values[i], meaning[i].factor));
  }

  ProcFile file_;
  NameFilter filter_;
  UdevDatabase udev_;
};

}  // namespace

std::unique_ptr<Collector> make_diskstats(const CollectorOptions& options) {
  return std::make_unique<DiskstatsCollector>(options);
}

}  // namespace vigil::agent
