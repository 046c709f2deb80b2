// Properties of network devices from /sys/class/net (Documentation/ABI/testing/sysfs-class-net).
// Traps: reading speed or duplex takes the kernel's RTNL lock and can wait for a slow driver, hence the lane
// apart; carrier and others fail with EINVAL while a device is down; a speed of -1 means unknown and is left
// out (node_exporter 1.x prints -125000). Packets without a handler are not in /proc/net/dev, hence here.
#include "agent/collectors/name_filter.h"
#include "agent/collectors/table.h"
#include "agent/collectors/text.h"
#include "agent/files/proc_file.h"
#include "agent/files/scan.h"
#include "common/text/trim.h"

namespace vigil::agent {
namespace {

struct Property {
  std::string_view file;
  Family family;
};
constexpr Family gauge(std::string_view name, std::string_view help) {
  return {name, help, SeriesType::gauge, 0, {"device"}};
}
constexpr Family counter(std::string_view name, std::string_view help) {
  return {name, help, SeriesType::counter, 0, {"device"}};
}

constexpr std::array<Property, 17> kProperties = {{
    {"addr_assign_type", gauge("node_network_address_assign_type",
                               "How the address came: 0 permanent, 1 random, 2 stolen, 3 set.")},
    {"carrier", gauge("node_network_carrier", "1 while the link is there.")},
    {"carrier_changes", counter("node_network_carrier_changes_total", "Times the link came or went.")},
    {"carrier_up_count", counter("node_network_carrier_up_changes_total", "Times the link came.")},
    {"carrier_down_count", counter("node_network_carrier_down_changes_total", "Times the link went.")},
    {"dev_id", gauge("node_network_device_id", "Number that tells devices of one address apart.")},
    {"dormant", gauge("node_network_dormant", "1 while the device waits for something such as 802.1X.")},
    {"flags", gauge("node_network_flags", "Interface flags (netdevice(7)) as a number.")},
    {"ifindex", gauge("node_network_iface_id", "The kernel's number of the device.")},
    {"iflink", gauge("node_network_iface_link", "The kernel's number of the device below this one.")},
    {"link_mode", gauge("node_network_iface_link_mode", "0 default, 1 dormant after start.")},
    {"mtu", gauge("node_network_mtu_bytes", "Largest packet in bytes.")},
    {"name_assign_type", gauge("node_network_name_assign_type",
                               "How the name came: 1 kernel, 2 predictable, 3 user, 4 renamed.")},
    {"netdev_group", gauge("node_network_net_dev_group", "Group of the device.")},
    {"statistics/rx_nohandler",
     counter("node_network_receive_nohandler_total", "Received packets nobody took.")},
    {"tx_queue_len", gauge("node_network_transmit_queue_length", "Length of the transmit queue in packets.")},
    {"type", gauge("node_network_protocol_type", "ARP hardware type: 1 Ethernet, 772 loopback.")},
}};
constexpr Family kSpeed = gauge("node_network_speed_bytes", "Speed of the link in bytes per second.");
constexpr Family kUp = gauge("node_network_up", "1 while the operational state is 'up'.");
constexpr Family kInfo{"node_network_info",
                       "Addresses, alias and state of the device; always 1.",
                       SeriesType::gauge,
                       0,
                       {"device", "address", "broadcast", "duplex", "operstate", "ifalias"}};
constexpr std::int64_t kBytesPerMegabit = 125'000;

std::optional<std::int64_t> parse_property(std::string_view text) {
  return text.starts_with("0x") ? parse_hex(text.substr(2)) : parse_integer(text);
}

class NetclassCollector final : public Collector {
 public:
  explicit NetclassCollector(const CollectorOptions& options)
      : folder_(options.roots.sysfs + "/class/net"), filter_(options.network_device_exclude) {}

  std::string_view name() const override { return "netclass"; }
  Lane lane() const override { return Lane::apart; }
  std::chrono::milliseconds interval() const override { return std::chrono::seconds(10); }

  Result<void> collect(const Tick&, Sheet& sheet) override {
    if (const auto valid = filter_.valid(); !valid) return valid.error();
    const auto devices = list_directory(folder_);
    if (!devices && devices.error().code == Errc::not_found)
      return fail(Errc::unsupported, "{}: not there", folder_);
    if (!devices) return devices.error();
    filter_.rewind();
    for (const std::string& device : *devices) {
      if (!filter_.excludes(device)) put_device(device, sheet);
    }
    return {};
  }

 private:
  std::string read(const std::string& device, std::string_view property) const {
    const auto content = read_small_file(fmt::format("{}/{}/{}", folder_, device, property));
    return content ? std::string(trim(*content)) : std::string();
  }

  void put_device(const std::string& device, Sheet& sheet) const {
    const std::string state = read(device, "operstate");
    if (state.empty()) return;  // bonding_masters is a file among the devices; a device may go while we look
    const std::string label = printable(device);
    for (const Property& property : kProperties) {
      if (const auto value = parse_property(read(device, property.file)))
        sheet.put(property.family, {label}, *value);
    }
    const auto megabits = parse_integer(read(device, "speed"));
    std::int64_t speed = 0;
    if (megabits && *megabits >= 0 && !__builtin_mul_overflow(*megabits, kBytesPerMegabit, &speed))
      sheet.put(kSpeed, {label}, speed);
    sheet.put(kUp, {label}, state == "up" ? 1 : 0);
    const auto text = [&](std::string_view property) { return printable(read(device, property)); };
    sheet.put(kInfo,
              {label, text("address"), text("broadcast"), text("duplex"), printable(state), text("ifalias")},
              1);
  }

  std::string folder_;
  NameFilter filter_;
};

}  // namespace

std::unique_ptr<Collector> make_netclass(const CollectorOptions& options) {
  return std::make_unique<NetclassCollector>(options);
}

}  // namespace vigil::agent
