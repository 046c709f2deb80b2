// Traffic per network device from /proc/net/dev (proc_pid_net(5)), of the host's network namespace.
// Traps: the receive side has eight columns, then the transmit side eight; "drop" holds missed packets too
// and "frame" all framing errors, as the kernel adds them up; a large number may touch the colon
// ("eth0:123").
#include "agent/collectors/name_filter.h"
#include "agent/collectors/table.h"
#include "agent/collectors/text.h"
#include "agent/files/net_path.h"
#include "agent/files/proc_file.h"
#include "agent/files/scan.h"
#include "common/text/trim.h"

#include <array>

namespace vigil::agent {
namespace {

constexpr std::size_t kMaxBytes = 256UL * 1024;  // about 2,000 devices; what follows is left out

constexpr Family counter(std::string_view name, std::string_view help) {
  return {name, help, SeriesType::counter, 0, {"device"}};
}

constexpr std::array<Family, 16> kColumns = {
    counter("node_network_receive_bytes_total", "Bytes received."),
    counter("node_network_receive_packets_total", "Packets received."),
    counter("node_network_receive_errs_total", "Packets received with errors."),
    counter("node_network_receive_drop_total", "Received packets dropped or missed."),
    counter("node_network_receive_fifo_total", "Receive FIFO overruns."),
    counter("node_network_receive_frame_total", "Received packets with framing errors."),
    counter("node_network_receive_compressed_total", "Compressed packets received."),
    counter("node_network_receive_multicast_total", "Multicast packets received."),
    counter("node_network_transmit_bytes_total", "Bytes sent."),
    counter("node_network_transmit_packets_total", "Packets sent."),
    counter("node_network_transmit_errs_total", "Packets not sent because of errors."),
    counter("node_network_transmit_drop_total", "Packets dropped instead of sent."),
    counter("node_network_transmit_fifo_total", "Transmit FIFO errors."),
    counter("node_network_transmit_colls_total", "Collisions while sending."),
    counter("node_network_transmit_carrier_total", "Packets not sent because the carrier was lost."),
    counter("node_network_transmit_compressed_total", "Compressed packets sent."),
};

class NetdevCollector final : public Collector {
 public:
  explicit NetdevCollector(const CollectorOptions& options)
      : file_(net_path(options.roots.procfs, "dev"), kMaxBytes), filter_(options.network_device_exclude) {}

  std::string_view name() const override { return "netdev"; }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    if (const auto valid = filter_.valid(); !valid) return valid.error();
    const auto content = file_.read();
    if (!content) return content.error();
    filter_.rewind();
    for (Lines lines(whole_lines(*content)); lines.next();) put_line(lines.line(), sheet);
    return file_.whole();
  }

 private:
  void put_line(std::string_view line, Sheet& sheet) {
    const std::size_t colon = line.rfind(':');    // old aliases have one of their own: "eth0:1: 0 0 ..."
    if (colon == std::string_view::npos) return;  // the two lines of headings
    const std::string_view device = trim(line.substr(0, colon));
    if (device.empty() || filter_.excludes(device)) return;
    Fields fields(line.substr(colon + 1));
    std::array<std::int64_t, kColumns.size()> values{};
    for (std::int64_t& value : values) {
      const auto number = fields.number();
      if (!number) return;
      value = *number;
    }
    const std::string label =
        printable(device);  // at most 15 bytes (IFNAMSIZ), which a string holds without allocating
    for (std::size_t i = 0; i < kColumns.size(); ++i) sheet.put(kColumns[i], {label}, values[i]);
  }

  ProcFile file_;
  NameFilter filter_;
};

}  // namespace

std::unique_ptr<Collector> make_netdev(const CollectorOptions& options) {
  return std::make_unique<NetdevCollector>(options);
}

}  // namespace vigil::agent
