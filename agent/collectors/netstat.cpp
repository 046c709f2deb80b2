// Protocol counters from /proc/net/netstat, snmp and snmp6 (proc_pid_net(5), RFC 2011-2013 names):
// node_exporter's selection. netstat and snmp come in pairs of lines, headings then values; snmp6 is a list
// of "Ip6InOctets 352". The headings of netstat alone are 3 KB, so a heading that did not change is
// recognised as a whole and only the wanted columns are read as numbers. Trap: Tcp MaxConn is -1, and values
// run over the columns' names in no other place than their order.
#include "agent/collectors/field_families.h"
#include "agent/collectors/table.h"
#include "agent/files/net_path.h"
#include "agent/files/optional_file.h"
#include "agent/files/scan.h"

#include <re2/re2.h>

#include <array>

namespace vigil::agent {
namespace {

/// node_exporter's default for --collector.netstat.fields.
constexpr const char* kWanted =
    "(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|"
    "TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts)|"
    "Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|"
    "Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))";

const Family* declare(std::string_view protocol, std::string_view field) {
  static const re2::RE2 wanted(kWanted);
  const std::string key = fmt::format("{}_{}", protocol, field);
  if (!re2::RE2::FullMatch(key, wanted)) return nullptr;
  return learn_family("node_netstat_" + key, fmt::format("{} {} of /proc/net.", protocol, field),
                      SeriesType::unknown);
}

/// "Ip6InOctets" is field InOctets of protocol Ip6: the name up to and with the 6.
const Family* declare_v6(std::string_view, std::string_view name) {
  const std::size_t six = name.find('6');
  if (six == std::string_view::npos) return nullptr;
  return declare(name.substr(0, six + 1), name.substr(six + 1));
}

/// A heading line and what its columns mean.
struct Heading {
  std::string line;
  std::vector<const Family*> columns;  // null: not wanted

  void learn(std::string_view from) {
    if (line == from) return;
    line = from;
    columns.clear();
    const auto [protocol, names] = split_once(from, ':');
    Fields fields(names);
    for (std::string_view field = fields.next(); !field.empty(); field = fields.next())
      columns.push_back(declare(protocol, field));
  }
};

class NetstatCollector final : public Collector {
 public:
  explicit NetstatCollector(const CollectorOptions& options)
      : tables_{{{OptionalFile(net_path(options.roots.procfs, "netstat"), kMaxBytes), {}},
                 {OptionalFile(net_path(options.roots.procfs, "snmp"), kMaxBytes), {}}}},
        v6_(net_path(options.roots.procfs, "snmp6"), kMaxBytes) {}

  std::string_view name() const override { return "netstat"; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(5); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    bool any = false;
    for (Table& table : tables_) {
      const auto content = table.file.read();
      if (!content) return content.error();
      any |= !content->empty();
      if (auto put = put_table(table, *content, sheet); !put) return put;
      if (auto whole = table.file.whole(); !whole) return whole;
    }
    const auto content = v6_.read();
    if (!content) return content.error();
    put_v6(*content, sheet);
    if (!any && content->empty()) return fail(Errc::unsupported, "{}: not there", tables_[0].file.path());
    return v6_.whole();
  }

 private:
  static constexpr std::size_t kMaxBytes = 64UL * 1024;  // 8 KB in fact

  struct Table {
    OptionalFile file;
    std::vector<Heading> headings;
  };

  static Result<void> put_table(Table& table, std::string_view content, Sheet& sheet) {
    std::size_t row = 0;
    for (Lines lines(whole_lines(content)); lines.next(); ++row) {
      const std::string_view names = lines.line();
      if (!lines.next()) break;
      const std::string_view values = lines.line();
      if (row >= table.headings.size()) table.headings.emplace_back();
      Heading& heading = table.headings[row];
      heading.learn(names);
      const std::string_view protocol = split_once(names, ':').first;
      if (split_once(values, ':').first != protocol) {
        return fail(Errc::parse, "{}: expected a line of values after the headings of '{}'",
                    table.file.path(), protocol.substr(0, 40));
      }
      put_values(heading, values.substr(std::min(values.size(), protocol.size() + 1)), sheet);
    }
    return {};
  }

  static void put_values(const Heading& heading, std::string_view values, Sheet& sheet) {
    Fields fields(values);
    for (const Family* family : heading.columns) {
      const std::string_view text = fields.next();
      if (family == nullptr) continue;
      if (const auto value = parse_integer(text)) sheet.put(*family, *value);
    }
  }

  void put_v6(std::string_view content, Sheet& sheet) {
    families_v6_.rewind();
    for (Lines lines(whole_lines(content)); lines.next();) {
      Fields fields(lines.line());
      const Family* family = families_v6_.next("", fields.next());
      if (family == nullptr) continue;
      if (const auto value = fields.number()) sheet.put(*family, *value);
    }
  }

  std::array<Table, 2> tables_;
  OptionalFile v6_;
  FieldFamilies families_v6_{declare_v6};
};

}  // namespace

std::unique_ptr<Collector> make_netstat(const CollectorOptions& options) {
  return std::make_unique<NetstatCollector>(options);
}

}  // namespace vigil::agent
