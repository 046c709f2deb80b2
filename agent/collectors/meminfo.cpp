// Every line of /proc/meminfo (proc_meminfo(5)): which ones there are depends on kernel and architecture.
// Traps: "kB" means 1024 bytes; lines without a unit are counts (HugePages_Total); "Active(anon)" is written
// Active_anon.
#include "agent/collectors/field_families.h"
#include "agent/collectors/table.h"
#include "agent/files/proc_file.h"
#include "agent/files/scan.h"

namespace vigil::agent {
namespace {

std::string family_name(std::string_view field) {
  std::string name = "node_memory_";
  for (const char c : field) {
    if (c == '(') name += '_';
    if (c != '(' && c != ')') name += c;
  }
  return name;
}

/// `unit` is "_bytes" or "".
const Family* declare(std::string_view unit, std::string_view field) {
  const std::string help = fmt::format("{} of /proc/meminfo{}.", field, unit.empty() ? "" : ", in bytes");
  return learn_family(family_name(field).append(unit), help, SeriesType::gauge);
}

class MeminfoCollector final : public Collector {
 public:
  explicit MeminfoCollector(const CollectorOptions& options) : file_(options.roots.procfs + "/meminfo") {}

  std::string_view name() const override { return "meminfo"; }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    const auto content = file_.read();
    if (!content) return content.error();
    families_.rewind();
    for (Lines lines(whole_lines(*content)); lines.next();) put_line(lines.line(), sheet);
    return {};
  }

 private:
  void put_line(std::string_view line, Sheet& sheet) {
    const auto [field, rest] = split_once(line, ':');
    if (field.empty()) return;
    Fields fields(rest);
    const auto value = fields.number();
    if (!value) return;
    const bool kilobytes = fields.next() == "kB";
    std::int64_t raw = 0;
    if (__builtin_mul_overflow(*value, kilobytes ? 1024 : 1, &raw)) return;
    if (const Family* family = families_.next(kilobytes ? "_bytes" : "", field)) sheet.put(*family, raw);
  }

  ProcFile file_;
  FieldFamilies families_{declare};
};

}  // namespace

std::unique_ptr<Collector> make_meminfo(const CollectorOptions& options) {
  return std::make_unique<MeminfoCollector>(options);
}

}  // namespace vigil::agent
