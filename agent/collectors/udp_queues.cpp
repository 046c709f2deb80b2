// Bytes that wait in the queues of UDP sockets, from /proc/net/udp and udp6 (proc_pid_net(5)): the fifth
// field of a socket's line is "TX:RX" in hexadecimal. Traps: the kernel walks its whole table of sockets for
// each read and the file is as long as there are sockets, hence seldom, on the lane apart, and with a buffer
// that is given back.
#include "agent/collectors/table.h"
#include "agent/files/net_path.h"
#include "agent/files/proc_file.h"
#include "agent/files/scan.h"

namespace vigil::agent {
namespace {

constexpr std::size_t kMaxBytes = 4UL << 20;  // about 30,000 sockets
constexpr int kFieldsBefore = 4;              // number, local and remote address, state
constexpr Family kQueues{
    "node_udp_queues", "Bytes waiting in the queues of UDP sockets.", SeriesType::gauge, 0, {"queue", "ip"}};

struct Queued {
  std::int64_t send = 0;
  std::int64_t receive = 0;
};

std::int64_t plus(std::int64_t sum, std::int64_t more) {
  std::int64_t result = 0;
  return __builtin_add_overflow(sum, more, &result) ? sum : result;
}

Queued add_up(std::string_view content) {
  Queued all;
  Lines lines(whole_lines(content));
  lines.next();  // headings
  while (lines.next()) {
    Fields fields(lines.line());
    fields.skip(kFieldsBefore);
    const auto [send, receive] = split_once(fields.next(), ':');
    all.send = plus(all.send, parse_hex(send).value_or(0));
    all.receive = plus(all.receive, parse_hex(receive).value_or(0));
  }
  return all;
}

class UdpQueuesCollector final : public Collector {
 public:
  explicit UdpQueuesCollector(const CollectorOptions& options)
      : v4_(net_path(options.roots.procfs, "udp")), v6_(net_path(options.roots.procfs, "udp6")) {}

  std::string_view name() const override { return "udp_queues"; }
  Lane lane() const override { return Lane::apart; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(30); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    auto v4 = put(v4_, "v4", sheet);
    auto v6 = put(v6_, "v6", sheet);
    const auto absent = [](const Result<void>& result) {
      return !result && result.error().code == Errc::not_found;
    };
    if (absent(v4) && absent(v6)) return fail(Errc::unsupported, "{}: not there", v4_);
    if (!v4 && !absent(v4)) return v4;
    return absent(v6) ? Result<void>() : v6;  // a kernel may lack either family of protocols
  }

 private:
  static Result<void> put(const std::string& path, std::string_view ip, Sheet& sheet) {
    ProcFile file(path, kMaxBytes);
    const auto content = file.read();
    if (!content) return content.error();
    if (auto whole = file.whole(); !whole) return whole;  // the sum of a part would be wrong
    const Queued queued = add_up(*content);
    sheet.put(kQueues, {"tx", ip}, queued.send);
    sheet.put(kQueues, {"rx", ip}, queued.receive);
    return {};
  }

  std::string v4_;
  std::string v6_;
};

}  // namespace

std::unique_ptr<Collector> make_udp_queues(const CollectorOptions& options) {
  return std::make_unique<UdpQueuesCollector>(options);
}

}  // namespace vigil::agent
