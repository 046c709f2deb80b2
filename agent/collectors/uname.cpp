// The kernel's name, version and machine, and the host's name: uname(2).
#include "agent/collectors/table.h"
#include "agent/collectors/text.h"

#include <sys/utsname.h>

#include <cerrno>

namespace vigil::agent {
namespace {

constexpr Family kInfo{"node_uname_info",
                       "A constant 1 with what the uname system call tells.",
                       SeriesType::gauge,
                       0,
                       {"sysname", "release", "version", "machine", "nodename", "domainname"}};

class UnameCollector final : public Collector {
 public:
  std::string_view name() const override { return "uname"; }
  std::chrono::milliseconds interval() const override { return std::chrono::minutes(1); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    struct utsname names {};
    if (::uname(&names) != 0) return fail_errno(errno, "uname");
    sheet.put(kInfo,
              {printable(names.sysname), printable(names.release), printable(names.version),
               printable(names.machine), printable(names.nodename), printable(names.domainname)},
              1);
    return {};
  }
};

}  // namespace

std::unique_ptr<Collector> make_uname(const CollectorOptions&) {
  return std::make_unique<UnameCollector>();
}

}  // namespace vigil::agent
