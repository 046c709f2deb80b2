// Tasks the kernel found stuck in an uninterruptible wait, from /proc/sys/kernel/hung_task_detect_count
// (Linux 6.13 and later).
#include "agent/collectors/table.h"
#include "agent/files/optional_file.h"
#include "agent/files/scan.h"
#include "common/text/trim.h"

namespace vigil::agent {
namespace {

constexpr Family kHung{"node_kernel_hung_tasks_total", "Tasks found hung since boot.", SeriesType::counter};

class KernelHungCollector final : public Collector {
 public:
  explicit KernelHungCollector(const CollectorOptions& options)
      : file_(options.roots.procfs + "/sys/kernel/hung_task_detect_count") {}

  std::string_view name() const override { return "kernel_hung"; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(10); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    const auto content = file_.read();
    if (!content) return content.error();
    if (content->empty())
      return fail(Errc::unsupported, "{}: this kernel does not count hung tasks", file_.path());
    const auto count = parse_integer(trim(whole_lines(*content)));
    if (!count) return fail(Errc::parse, "{}: expected a number", file_.path());
    sheet.put(kHung, *count);
    return {};
  }

 private:
  OptionalFile file_;
};

}  // namespace

std::unique_ptr<Collector> make_kernel_hung(const CollectorOptions& options) {
  return std::make_unique<KernelHungCollector>(options);
}

}  // namespace vigil::agent
