// Open files of the whole host from /proc/sys/fs/file-nr (proc_sys_fs(5)): allocated, unused (0 since
// Linux 2.6), maximum.
#include "agent/collectors/table.h"
#include "agent/files/optional_file.h"
#include "agent/files/scan.h"
#include "common/text/trim.h"

namespace vigil::agent {
namespace {

constexpr Family kAllocated{"node_filefd_allocated", "File handles in use on the host."};
constexpr Family kMaximum{"node_filefd_maximum", "File handles the host may use."};

class FilefdCollector final : public Collector {
 public:
  explicit FilefdCollector(const CollectorOptions& options)
      : file_(options.roots.procfs + "/sys/fs/file-nr") {}

  std::string_view name() const override { return "filefd"; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(5); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    const auto content = file_.read();
    if (!content) return content.error();
    if (content->empty()) return fail(Errc::unsupported, "{}: not there", file_.path());
    Fields fields(trim(whole_lines(*content)));
    const auto allocated = fields.number();
    const auto unused = fields.number();
    const auto maximum = fields.number();
    if (!allocated || !unused || !maximum)
      return fail(Errc::parse, "{}: expected three numbers", file_.path());
    sheet.put(kAllocated, *allocated);
    sheet.put(kMaximum, *maximum);
    return {};
  }

 private:
  OptionalFile file_;
};

}  // namespace

std::unique_ptr<Collector> make_filefd(const CollectorOptions& options) {
  return std::make_unique<FilefdCollector>(options);
}

}  // namespace vigil::agent
