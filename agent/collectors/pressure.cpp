// Pressure stall information (Documentation/accounting/psi.rst): the field `total`, microseconds since boot,
// which unlike avg10 loses nothing between two readings. Kernels 4.20 and later; irq 6.1 and later; the files
// may exist and still say EOPNOTSUPP (psi=0).
#include "agent/collectors/table.h"
#include "agent/files/optional_file.h"
#include "agent/files/scan.h"

#include <array>

namespace vigil::agent {
namespace {

constexpr Family stall(std::string_view name, std::string_view help) {
  return {name, help, SeriesType::counter, 6};
}

constexpr Family kCpu =
    stall("node_pressure_cpu_waiting_seconds_total", "Seconds in which some task waited for a CPU.");
constexpr Family kMemory =
    stall("node_pressure_memory_waiting_seconds_total", "Seconds in which some task waited for memory.");
constexpr Family kMemoryFull =
    stall("node_pressure_memory_stalled_seconds_total", "Seconds in which every task waited for memory.");
constexpr Family kIo =
    stall("node_pressure_io_waiting_seconds_total", "Seconds in which some task waited for I/O.");
constexpr Family kIoFull =
    stall("node_pressure_io_stalled_seconds_total", "Seconds in which every task waited for I/O.");
constexpr Family kIrqFull =
    stall("node_pressure_irq_stalled_seconds_total", "Seconds in which interrupts kept a CPU from its task.");

/// "some avg10=0.00 avg60=0.18 avg300=1.61 total=20347870"
std::optional<std::int64_t> total_of(Fields& fields) {
  for (std::string_view field = fields.next(); !field.empty(); field = fields.next()) {
    if (field.starts_with("total=")) return parse_integer(field.substr(6));
  }
  return std::nullopt;
}

class PressureCollector final : public Collector {
 public:
  explicit PressureCollector(const CollectorOptions& options)
      : resources_{{{OptionalFile(options.roots.procfs + "/pressure/cpu"), &kCpu,
                     nullptr},  // "full" is 0 for the whole machine
                    {OptionalFile(options.roots.procfs + "/pressure/memory"), &kMemory, &kMemoryFull},
                    {OptionalFile(options.roots.procfs + "/pressure/io"), &kIo, &kIoFull},
                    {OptionalFile(options.roots.procfs + "/pressure/irq"), nullptr, &kIrqFull}}} {}

  std::string_view name() const override { return "pressure"; }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    bool any = false;
    for (Resource& resource : resources_) {
      const auto content = resource.file.read();
      if (!content) return content.error();
      any |= !content->empty();
      for (Lines lines(whole_lines(*content)); lines.next();) resource.put_line(lines.line(), sheet);
    }
    if (!any)
      return fail(Errc::unsupported, "{}: this kernel measures no pressure (psi=1 switches it on)",
                  resources_[0].file.path());
    return {};
  }

 private:
  struct Resource {
    OptionalFile file;
    const Family* some;
    const Family* full;

    void put_line(std::string_view line, Sheet& sheet) const {
      Fields fields(line);
      const std::string_view kind = fields.next();
      const Family* family = kind == "some" ? some : kind == "full" ? full : nullptr;
      if (family == nullptr) return;
      if (const auto total = total_of(fields)) sheet.put(*family, *total);
    }
  };
  std::array<Resource, 4> resources_;
};

}  // namespace

std::unique_ptr<Collector> make_pressure(const CollectorOptions& options) {
  return std::make_unique<PressureCollector>(options);
}

}  // namespace vigil::agent
