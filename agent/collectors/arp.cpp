// Entries of the ARP table per device from /proc/net/arp (proc_pid_net(5)): a heading, then a line per
// address that ends with the device. A table that overflows (net.ipv4.neigh.default.gc_thresh3, 1024 unless
// set) drops connections without a word.
#include "agent/collectors/name_filter.h"
#include "agent/collectors/table.h"
#include "agent/collectors/text.h"
#include "agent/files/net_path.h"
#include "agent/files/optional_file.h"
#include "agent/files/scan.h"
#include "common/text/trim.h"

#include <map>

namespace vigil::agent {
namespace {

constexpr std::size_t kMaxBytes = 512UL * 1024;  // about 6,500 entries
constexpr Family kEntries{"node_arp_entries", "Entries of the ARP table.", SeriesType::gauge, 0, {"device"}};

class ArpCollector final : public Collector {
 public:
  explicit ArpCollector(const CollectorOptions& options)
      : file_(net_path(options.roots.procfs, "arp"), kMaxBytes), filter_(options.network_device_exclude) {}

  std::string_view name() const override { return "arp"; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(30); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    const auto content = file_.read();
    if (!content) return content.error();
    if (content->empty() && file_.whole()) return fail(Errc::unsupported, "{}: not there", file_.path());
    if (auto whole = file_.whole(); !whole) return whole;  // the count of a part would be wrong
    std::map<std::string_view, std::int64_t> entries;
    Lines lines(whole_lines(*content));
    lines.next();  // headings
    while (lines.next()) {
      const std::string_view line = trim(lines.line());
      if (!line.empty()) ++entries[line.substr(line.find_last_of(" \t") + 1)];
    }
    filter_.rewind();
    for (const auto& [device, count] : entries) {
      if (!filter_.excludes(device)) sheet.put(kEntries, {printable(device)}, count);
    }
    return filter_.valid();
  }

 private:
  OptionalFile file_;
  NameFilter filter_;
};

}  // namespace

std::unique_ptr<Collector> make_arp(const CollectorOptions& options) {
  return std::make_unique<ArpCollector>(options);
}

}  // namespace vigil::agent
