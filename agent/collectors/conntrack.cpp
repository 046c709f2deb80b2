// Connection tracking: entries and their limit from /proc/sys/net/netfilter, what went wrong from
// /proc/net/stat/nf_conntrack (kernel: Documentation/networking/nf_conntrack-sysctl.rst). The latter has a
// line per CPU in hexadecimal, summed here. Trap: sysctls show the reader's own network namespace; an agent
// that runs in another one than the host sees its own table.
#include "agent/collectors/table.h"
#include "agent/files/net_path.h"
#include "agent/files/optional_file.h"
#include "agent/files/scan.h"
#include "common/text/trim.h"

#include <array>

namespace vigil::agent {
namespace {

constexpr Family kEntries{"node_nf_conntrack_entries", "Connections being tracked."};
constexpr Family kLimit{"node_nf_conntrack_entries_limit", "Connections that can be tracked."};

struct Stat {
  std::string_view heading;
  Family family;
};
constexpr std::array<Stat, 8> kStats = {{
    {"found", {"node_nf_conntrack_stat_found", "Lookups that found an entry."}},
    {"invalid", {"node_nf_conntrack_stat_invalid", "Packets that cannot be tracked."}},
    {"ignore", {"node_nf_conntrack_stat_ignore", "Packets of connections that are tracked already."}},
    {"insert", {"node_nf_conntrack_stat_insert", "Entries inserted."}},
    {"insert_failed", {"node_nf_conntrack_stat_insert_failed", "Entries that could not be inserted."}},
    {"drop", {"node_nf_conntrack_stat_drop", "Packets dropped because no entry could be made."}},
    {"early_drop", {"node_nf_conntrack_stat_early_drop", "Entries dropped to make room in a full table."}},
    {"search_restart",
     {"node_nf_conntrack_stat_search_restart", "Lookups restarted because the table was resized."}},
}};

class ConntrackCollector final : public Collector {
 public:
  explicit ConntrackCollector(const CollectorOptions& options)
      : count_(options.roots.procfs + "/sys/net/netfilter/nf_conntrack_count"),
        limit_(options.roots.procfs + "/sys/net/netfilter/nf_conntrack_max"),
        stat_(net_path(options.roots.procfs, "stat/nf_conntrack"), kMaxStatBytes) {}

  std::string_view name() const override { return "conntrack"; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(5); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    for (const auto& [file, family] : {std::pair{&count_, &kEntries}, std::pair{&limit_, &kLimit}}) {
      const auto content = file->read();
      if (!content) return content.error();
      if (content->empty())
        return fail(Errc::unsupported, "{}: connections are not tracked here", file->path());
      const auto value = parse_integer(trim(whole_lines(*content)));
      if (!value) return fail(Errc::parse, "{}: expected a number", file->path());
      sheet.put(*family, *value);
    }
    const auto content = stat_.read();
    if (!content) return content.error();
    if (auto whole = stat_.whole(); !whole) return whole;  // the sum of a part would be wrong
    put_stats(*content, sheet);
    return {};
  }

 private:
  static constexpr std::size_t kMaxStatBytes = 256UL * 1024;  // about 1,600 CPUs

  static void put_stats(std::string_view content, Sheet& sheet) {
    Lines lines(whole_lines(content));
    if (!lines.next()) return;
    const std::string_view headings = lines.line();
    std::array<std::optional<std::int64_t>, kStats.size()> sums;
    while (lines.next()) add_cpu(headings, lines.line(), sums);
    for (std::size_t i = 0; i < kStats.size(); ++i) {
      if (sums[i]) sheet.put(kStats[i].family, *sums[i]);
    }
  }

  static void add_cpu(std::string_view headings, std::string_view line,
                      std::array<std::optional<std::int64_t>, kStats.size()>& sums) {
    Fields names(headings);
    Fields values(line);
    for (std::string_view name = names.next(); !name.empty(); name = names.next()) {
      const auto value = parse_hex(values.next());
      if (!value) return;
      for (std::size_t i = 0; i < kStats.size(); ++i) {
        std::int64_t sum = 0;
        if (kStats[i].heading == name && !__builtin_add_overflow(sums[i].value_or(0), *value, &sum))
          sums[i] = sum;
      }
    }
  }

  OptionalFile count_;
  OptionalFile limit_;
  OptionalFile stat_;
};

}  // namespace

std::unique_ptr<Collector> make_conntrack(const CollectorOptions& options) {
  return std::make_unique<ConntrackCollector>(options);
}

}  // namespace vigil::agent
