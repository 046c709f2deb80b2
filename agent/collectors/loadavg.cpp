// Load averages from /proc/loadavg (proc_loadavg(5)). In an LXC guest with lxcfs they are the guest's own.
#include "agent/collectors/table.h"
#include "agent/files/proc_file.h"
#include "agent/files/scan.h"

#include <array>

namespace vigil::agent {
namespace {

constexpr std::array<Family, 3> kLoads = {{
    {"node_load1", "Load average over 1 minute.", SeriesType::gauge, 2},
    {"node_load5", "Load average over 5 minutes.", SeriesType::gauge, 2},
    {"node_load15", "Load average over 15 minutes.", SeriesType::gauge, 2},
}};

class LoadavgCollector final : public Collector {
 public:
  explicit LoadavgCollector(const CollectorOptions& options) : file_(options.roots.procfs + "/loadavg") {}

  std::string_view name() const override { return "loadavg"; }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    const auto content = file_.read();
    if (!content) return content.error();
    Fields fields(whole_lines(*content));
    std::array<std::int64_t, kLoads.size()> loads{};
    for (std::int64_t& load : loads) {
      const auto value = parse_decimal(fields.next(), 2);
      if (!value) return fail(Errc::parse, "{}: expected three load averages such as 0.52", file_.path());
      load = *value;
    }
    for (std::size_t i = 0; i < kLoads.size(); ++i) sheet.put(kLoads[i], loads[i]);
    return {};
  }

 private:
  ProcFile file_;
};

}  // namespace

std::unique_ptr<Collector> make_loadavg(const CollectorOptions& options) {
  return std::make_unique<LoadavgCollector>(options);
}

}  // namespace vigil::agent
