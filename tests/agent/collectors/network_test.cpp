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
    for (const char* collector : {"netdev", "sockstat", "netstat", "softnet", "conntrack", "netclass",
                                  "bonding", "arp", "udp_queues"}) {
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

TEST_CASE("the ARP table is counted per device, without the devices of containers") {
  TempDir host;
  CHECK(collect_text("arp", rooted(host.path())) == "# error unsupported\n");
  host.write("proc/1/net/arp",
             "IP address       HW type     Flags       HW address            Mask     Device\n"
             "192.0.2.1        0x1         0x2         02:fc:00:00:00:05     *        eth0\n"
             "192.0.2.2        0x1         0x0         00:00:00:00:00:00     *        eth0\n"
             "172.17.0.2       0x1         0x2         02:42:ac:11:00:02     *        docker0\n"
             "192.0.2.9        0x1         0x2         02:fc:00:00:00:09     *        bond0.7\n"
             "192.0.2.10       0x1         0x2         02:fc:00");  // cut
  CHECK(collect_text("arp", rooted(host.path())) ==
        "node_arp_entries{device=\"bond0.7\"} 1\nnode_arp_entries{device=\"eth0\"} 2\n");
}

TEST_CASE("queues of UDP sockets are summed, and either family may be missing") {
  TempDir host;
  CHECK(collect_text("udp_queues", rooted(host.path())) == "# error unsupported\n");
  const std::string heading =
      "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
  host.write("proc/1/net/udp",
             heading +
                 "  7: 00000000:0035 00000000:0000 07 00000010:0000000A 00:00000000 0 0 0 1\n"
                 "  8: 00000000:0036 00000000:0000 07 00000000:000000FF 00:00000000 0 0 0 2\n"
                 "  9: nonsense\n"
                 " 10: 00000000:0037 00000000:0000 07 00000001:00000001");
  CHECK(collect_text("udp_queues", rooted(host.path())) ==
        "node_udp_queues{ip=\"v4\", queue=\"rx\"} 265\nnode_udp_queues{ip=\"v4\", queue=\"tx\"} 16\n");
  host.write("proc/1/net/udp6", heading);
  CHECK(collect_text("udp_queues", rooted(host.path())).find("{ip=\"v6\", queue=\"rx\"} 0\n") !=
        std::string::npos);
}

TEST_CASE("a bond that is removed while we look costs the others nothing") {
  TempDir host;
  host.write("sys/class/net/bonding_masters", "bond0 bond1\n");
  host.write("sys/class/net/bond1/bonding/slaves", "eth0\n");
  CHECK(collect_text("bonding", rooted(host.path())) ==
        "node_bonding_active{master=\"bond1\"} 0\nnode_bonding_slaves{master=\"bond1\"} 1\n");
}

TEST_CASE("packets nobody took are read from sysfs") {
  TempDir host;
  host.write("sys/class/net/eth0/operstate", "up\n");
  host.write("sys/class/net/eth0/statistics/rx_nohandler", "17\n");
  CHECK(collect_text("netclass", rooted(host.path()))
            .find("node_network_receive_nohandler_total{device=\"eth0\"} 17\n") != std::string::npos);
}

}  // namespace vigil::test
