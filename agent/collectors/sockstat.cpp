// Sockets in use per protocol from /proc/net/sockstat and sockstat6 (kernel: net/ipv4/proc.c), "TCP: inuse 1
// orphan 0 tw 0 ...". Trap: `mem` of TCP and UDP counts pages; it is given both as it is and as bytes.
#include "agent/collectors/field_families.h"
#include "agent/collectors/table.h"
#include "agent/files/net_path.h"
#include "agent/files/optional_file.h"
#include "agent/files/scan.h"

#include <unistd.h>

namespace vigil::agent {
namespace {

const Family* declare(std::string_view protocol, std::string_view state) {
  const std::string help = fmt::format("{} of {} in /proc/net/sockstat.", state, protocol);
  return learn_family(fmt::format("node_sockstat_{}_{}", protocol, state), help, SeriesType::gauge);
}

constexpr Family kTcpBytes{"node_sockstat_TCP_mem_bytes", "Bytes of memory TCP sockets hold."};
constexpr Family kUdpBytes{"node_sockstat_UDP_mem_bytes", "Bytes of memory UDP sockets hold."};

class SockstatCollector final : public Collector {
 public:
  explicit SockstatCollector(const CollectorOptions& options)
      : v4_(net_path(options.roots.procfs, "sockstat"), kMaxBytes),
        v6_(net_path(options.roots.procfs, "sockstat6"), kMaxBytes) {}

  std::string_view name() const override { return "sockstat"; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(5); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    families_.rewind();
    bool any = false;
    for (OptionalFile* file : {&v4_, &v6_}) {  // a kernel may lack either family of protocols
      const auto content = file->read();
      if (!content) return content.error();
      any |= !content->empty();
      for (Lines lines(whole_lines(*content)); lines.next();) put_line(lines.line(), sheet);
    }
    if (!any) return fail(Errc::unsupported, "{}: this kernel counts no sockets", v4_.path());
    if (auto whole = v4_.whole(); !whole) return whole;
    return v6_.whole();
  }

 private:
  static constexpr std::size_t kMaxBytes = 64UL * 1024;  // below 1 KB in fact

  void put_line(std::string_view line, Sheet& sheet) {
    const auto [protocol, rest] = split_once(line, ':');
    if (protocol.empty()) return;
    Fields fields(rest);
    for (std::string_view state = fields.next(); !state.empty(); state = fields.next()) {
      const auto value = fields.number();
      if (!value) return;
      if (const Family* family = families_.next(protocol, state)) sheet.put(*family, *value);
      if (state == "mem") put_bytes(protocol, *value, sheet);
    }
  }

  void put_bytes(std::string_view protocol, std::int64_t pages, Sheet& sheet) const {
    std::int64_t bytes = 0;
    if (__builtin_mul_overflow(pages, page_size_, &bytes)) return;
    if (protocol == "TCP") sheet.put(kTcpBytes, bytes);
    if (protocol == "UDP") sheet.put(kUdpBytes, bytes);
  }

  OptionalFile v4_;
  OptionalFile v6_;
  FieldFamilies families_{declare};
  std::int64_t page_size_ = ::sysconf(_SC_PAGESIZE);
};

}  // namespace

std::unique_ptr<Collector> make_sockstat(const CollectorOptions& options) {
  return std::make_unique<SockstatCollector>(options);
}

}  // namespace vigil::agent
