#include "tests/agent/collectors/support.h"
#include "tests/support/catch.h"

namespace vigil::test {
namespace {

const std::string kDevHeading = "Inter-| Receive | Transmit\n face |bytes\n";

std::string dev_line(std::string_view device, int bytes) {
  return fmt::format("{}: {} 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n", device, bytes);
}

}  // namespace

TEST_CASE("network: recorded hosts give their golden text") {
  for (const char* host : {"vm2", "cgroup2-host", "lxc", "hostile", "mixed"}) {
    for (const char* collector :
         {"netdev", "sockstat", "netstat", "softnet", "conntrack", "netclass", "bonding"}) {
      check_golden(host, collector);
    }
  }
}

TEST_CASE("network: every prefix of each file gives a result") {
  const auto check = [](const char* collector, const char* file) {
    check_every_prefix("cgroup2-host", collector, file, Cut::keeps_values);
  };
  check("netdev", "proc/1/net/dev");
  check("sockstat", "proc/1/net/sockstat");
  check("sockstat", "proc/1/net/sockstat6");
  check("netstat", "proc/1/net/snmp");
  check("netstat", "proc/1/net/netstat");
  check("netstat", "proc/1/net/snmp6");
  check("conntrack", "proc/sys/net/netfilter/nf_conntrack_count");
  check_every_prefix("cgroup2-host", "softnet", "proc/1/net/softnet_stat", Cut::keeps_values);
  // The sum over the CPUs is smaller when the last of them is cut off.
  check_every_prefix("cgroup2-host", "conntrack", "proc/1/net/stat/nf_conntrack", Cut::invents_nothing);
}

TEST_CASE("network: every prefix of a sysfs attribute gives a result") {
  for (const char* file : {"speed", "flags", "mtu"}) {
    check_every_prefix("cgroup2-host", "netclass", std::string("sys/class/net/enp1s0/") + file,
                       Cut::invents_nothing);
  }
  for (const char* file : {"operstate", "ifalias", "address"}) {
    check_every_prefix("cgroup2-host", "netclass", std::string("sys/class/net/enp1s0/") + file,
                       Cut::may_cut_labels);
  }
  check_every_prefix("cgroup2-host", "bonding", "sys/class/net/bond0/bonding/slaves", Cut::invents_nothing);
  check_every_prefix("cgroup2-host", "bonding", "sys/class/net/bonding_masters", Cut::may_cut_labels);
}

TEST_CASE("without excludes the container side of the host shows, with node_exporter's only lo does not") {
  agent::CollectorOptions options;
  options.network_device_exclude = "lo";
  const std::string text = collect_text("netdev", rooted(host_path("cgroup2-host"), options));
  for (const char* device : {"veth0a1b2c3", "docker0", "br-0a1b2c3d4e5f", "wg0"})
    CHECK(text.find(device) != std::string::npos);
  CHECK(text.find("\"lo\"") == std::string::npos);
  const std::string by_default = collect_text("netdev", rooted(host_path("cgroup2-host")));
  for (const char* device : {"veth0a1b2c3", "docker0", "br-0a1b2c3d4e5f", "\"lo\""})
    CHECK(by_default.find(device) == std::string::npos);
}

TEST_CASE("an expression that does not compile is an error of the configuration") {
  agent::CollectorOptions options;
  options.network_device_exclude = "(";
  for (const char* collector : {"netdev", "netclass"}) {
    CHECK(collect_text(collector, rooted(host_path("vm2"), options)) == "# error invalid_argument\n");
  }
}

TEST_CASE("the network of process 1 is read, not the reader's own") {
  TempDir host;
  host.write("proc/net/dev", kDevHeading + dev_line("container0", 1));
  CHECK(collect_text("netdev", rooted(host.path())).find("container0") != std::string::npos);
  host.write("proc/1/net/dev", kDevHeading + dev_line("host0", 1));
  const std::string text = collect_text("netdev", rooted(host.path()));
  CHECK(text.find("host0") != std::string::npos);
  CHECK(text.find("container0") == std::string::npos);
}

TEST_CASE("a device that comes and one that goes leave the others right") {
  TempDir host;
  host.write("proc/net/dev", kDevHeading + dev_line("eth0", 1) + dev_line("veth1", 2) + dev_line("eth2", 3));
  agent::Sheet sheet;
  const auto collector = make_collector("netdev", rooted(host.path()));
  REQUIRE(tick(*collector, sheet));
  host.write("proc/net/dev", kDevHeading + dev_line("wg0", 9) + dev_line("veth7", 8) + dev_line("eth2", 30));
  REQUIRE(tick(*collector, sheet));
  const std::string text = to_text(sheet);
  CHECK(text.find("receive_bytes_total{device=\"wg0\"} 9\n") != std::string::npos);
  CHECK(text.find("receive_bytes_total{device=\"eth2\"} 30\n") != std::string::npos);
  CHECK(text.find("eth0") == std::string::npos);
  CHECK(text.find("veth") == std::string::npos);
}

TEST_CASE("a million lines of devices cost a bounded read") {
  TempDir host;
  std::string content = kDevHeading;
  for (int i = 0; i < 100'000; ++i) content += dev_line("e" + std::to_string(i), i);
  host.write("proc/net/dev", content);
  agent::Sheet sheet;
  REQUIRE(tick(*make_collector("netdev", rooted(host.path())), sheet));
  CHECK(sheet.width() == 2000);
  CHECK(sheet.refused() > 0);
  CHECK(sheet.refused() < 200'000);  // the file would make 1,600,000
}

}  // namespace vigil::test
