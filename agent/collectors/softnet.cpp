// Work of the network soft interrupt per CPU from /proc/net/softnet_stat (kernel: net/core/net-procfs.c),
// hexadecimal columns: processed, dropped, times out of budget, five that are always 0, collisions, wake-ups
// by receive packet steering, flow limit, and since Linux 5.10 the backlog's length and the CPU. Trap:
// offline CPUs have no line, so before 5.10 the line's number is only a guess at the CPU's.
#include "agent/collectors/table.h"
#include "agent/files/net_path.h"
#include "agent/files/optional_file.h"
#include "agent/files/scan.h"

#include <array>
#include <charconv>

namespace vigil::agent {
namespace {

constexpr std::size_t kMaxBytes = 256UL * 1024;  // about 1,900 CPUs

struct Column {
  std::size_t place;
  Family family;
};
constexpr Family counter(std::string_view name, std::string_view help) {
  return {name, help, SeriesType::counter, 0, {"cpu"}};
}
constexpr std::array<Column, 7> kColumns = {{
    {0, counter("node_softnet_processed_total", "Packets the CPU took from network devices.")},
    {1, counter("node_softnet_dropped_total", "Packets dropped because the CPU's backlog was full.")},
    {2, counter("node_softnet_times_squeezed_total", "Times the CPU ran out of budget with packets left.")},
    {8, counter("node_softnet_cpu_collision_total", "Times the CPU met another one's lock while sending.")},
    {9, counter("node_softnet_received_rps_total", "Times another CPU woke this one to take packets.")},
    {10, counter("node_softnet_flow_limit_count_total", "Packets dropped by the limit of one flow.")},
    {11, {"node_softnet_backlog_len", "Packets in the CPU's backlog.", SeriesType::gauge, 0, {"cpu"}}},
}};
constexpr std::size_t kFewest = 3;  // columns of any kernel
constexpr std::size_t kCpu = 12;

class SoftnetCollector final : public Collector {
 public:
  explicit SoftnetCollector(const CollectorOptions& options)
      : file_(net_path(options.roots.procfs, "softnet_stat"), kMaxBytes) {}

  std::string_view name() const override { return "softnet"; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(5); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    const auto content = file_.read();
    if (!content) return content.error();
    if (content->empty()) return fail(Errc::unsupported, "{}: not there", file_.path());
    std::int64_t row = 0;
    for (Lines lines(whole_lines(*content)); lines.next(); ++row) put_line(lines.line(), row, sheet);
    return file_.whole();
  }

 private:
  static void put_line(std::string_view line, std::int64_t row, Sheet& sheet) {
    Fields fields(line);
    std::array<std::int64_t, kCpu + 1> values{};
    std::size_t count = 0;
    for (; count < values.size(); ++count) {
      const auto number = parse_hex(fields.next());
      if (!number) break;
      values[count] = *number;
    }
    if (count < kFewest) return;
    const std::int64_t cpu = count > kCpu ? values[kCpu] : row;
    char text[24];
    const std::string_view label(
        text, static_cast<std::size_t>(std::to_chars(text, text + sizeof text, cpu).ptr - text));
    for (const Column& column : kColumns) {
      if (column.place < count) sheet.put(column.family, {label}, values[column.place]);
    }
  }

  OptionalFile file_;
};

}  // namespace

std::unique_ptr<Collector> make_softnet(const CollectorOptions& options) {
  return std::make_unique<SoftnetCollector>(options);
}

}  // namespace vigil::agent
