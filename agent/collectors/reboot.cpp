// Whether an update waits for a restart: packages of Debian and Ubuntu leave ROOTFS/run/reboot-required. 0
// where there is no such file.
#include "agent/collectors/table.h"

#include <unistd.h>

#include <cerrno>
#include <string>

namespace vigil::agent {
namespace {

constexpr Family kRequired{"node_reboot_required",
                           "Whether the host must be restarted to complete an update (1) or not (0)."};

class RebootCollector final : public Collector {
 public:
  explicit RebootCollector(const CollectorOptions& options)
      : path_(options.roots.rootfs + "/run/reboot-required") {}

  std::string_view name() const override { return "reboot"; }
  std::chrono::milliseconds interval() const override { return std::chrono::minutes(1); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    const bool there = ::access(path_.c_str(), F_OK) == 0;
    if (!there && errno != ENOENT && errno != ENOTDIR) return fail_errno(errno, "look for " + path_);
    sheet.put(kRequired, there ? 1 : 0);
    return {};
  }

 private:
  std::string path_;
};

}  // namespace

std::unique_ptr<Collector> make_reboot(const CollectorOptions& options) {
  return std::make_unique<RebootCollector>(options);
}

}  // namespace vigil::agent
