// Work of the network soft interrupt per CPU from /proc/net/softnet_stat (kernel: net/core/net-procfs.c),
// hexadecimal columns: processed, dropped, times out of budget, ..., and the CPU in the 13th column since
// Linux 5.10. Trap: offline CPUs have no line, so before 5.10 the line's number is only a guess at the CPU's.
#include "agent/collectors/table.h"
#include "agent/files/net_path.h"
#include "agent/files/optional_file.h"
#include "agent/files/scan.h"

#include <array>
#include <charconv>

namespace vigil::agent {
namespace {

constexpr std::array<Family, 3> kColumns = {{
    {"node_softnet_processed_total",
     "Packets the CPU took from network devices.",
     SeriesType::counter,
     0,
     {"cpu"}},
    {"node_softnet_dropped_total",
     "Packets dropped because the CPU's backlog was full.",
     SeriesType::counter,
     0,
     {"cpu"}},
    {"node_softnet_times_squeezed_total",
     "Times the CPU ran out of budget with packets left.",
     SeriesType::counter,
     0,
     {"cpu"}},
}};
constexpr int kUnusedColumns = 9;  // between the three above and the CPU's number

class SoftnetCollector final : public Collector {
 public:
  explicit SoftnetCollector(const CollectorOptions& options)
      : file_(net_path(options.roots.procfs, "softnet_stat")) {}

  std::string_view name() const override { return "softnet"; }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    const auto content = file_.read();
    if (!content) return content.error();
    if (content->empty()) return fail(Errc::unsupported, "{}: not there", file_.path());
    std::int64_t row = 0;
    for (Lines lines(whole_lines(*content)); lines.next(); ++row) put_line(lines.line(), row, sheet);
    return {};
  }

 private:
  static void put_line(std::string_view line, std::int64_t row, Sheet& sheet) {
    Fields fields(line);
    std::array<std::int64_t, kColumns.size()> values{};
    for (std::int64_t& value : values) {
      const auto number = parse_hex(fields.next());
      if (!number) return;
      value = *number;
    }
    fields.skip(kUnusedColumns);
    const std::int64_t cpu = parse_hex(fields.next()).value_or(row);
    char text[24];
    const std::string_view label(
        text, static_cast<std::size_t>(std::to_chars(text, text + sizeof text, cpu).ptr - text));
    for (std::size_t i = 0; i < kColumns.size(); ++i) sheet.put(kColumns[i], {label}, values[i]);
  }

  OptionalFile file_;
};

}  // namespace

std::unique_ptr<Collector> make_softnet(const CollectorOptions& options) {
  return std::make_unique<SoftnetCollector>(options);
}

}  // namespace vigil::agent
