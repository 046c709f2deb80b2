// Paging, swapping, faults and OOM kills from /proc/vmstat (proc_vmstat(5)): node_exporter's selection of its
// 150 to 200 lines.
#include "agent/collectors/field_families.h"
#include "agent/collectors/table.h"
#include "agent/files/optional_file.h"
#include "agent/files/scan.h"

namespace vigil::agent {
namespace {

/// node_exporter's default filter, ^(oom_kill|pgpg|pswp|pg.*fault).*
bool wanted(std::string_view field) {
  if (field.starts_with("pg"))
    return field.starts_with("pgpg") || field.find("fault") != std::string_view::npos;
  return field.starts_with("pswp") || field.starts_with("oom_kill");
}

const Family* declare(std::string_view, std::string_view field) {
  return learn_family(fmt::format("node_vmstat_{}", field), fmt::format("{} of /proc/vmstat.", field),
                      SeriesType::unknown);
}

class VmstatCollector final : public Collector {
 public:
  explicit VmstatCollector(const CollectorOptions& options) : file_(options.roots.procfs + "/vmstat") {}

  std::string_view name() const override { return "vmstat"; }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    const auto content = file_.read();
    if (!content) return content.error();
    if (content->empty()) return fail(Errc::unsupported, "{}: this kernel has none", file_.path());
    families_.rewind();
    for (Lines lines(whole_lines(*content)); lines.next();) {
      if (!wanted(lines.line())) continue;
      Fields fields(lines.line());
      const std::string_view field = fields.next();
      const Family* family = families_.next("", field);
      const auto value = fields.number();
      if (family != nullptr && value) sheet.put(*family, *value);
    }
    return {};
  }

 private:
  OptionalFile file_;
  FieldFamilies families_{declare};
};

}  // namespace

std::unique_ptr<Collector> make_vmstat(const CollectorOptions& options) {
  return std::make_unique<VmstatCollector>(options);
}

}  // namespace vigil::agent
