#include "agent/collectors/table.h"

#include <array>

namespace vigil::agent {

// Each is defined in the source file of its name; declared here so that a new collector touches two files.
using Made = std::unique_ptr<Collector>;
Made make_cpu(const CollectorOptions& options);
Made make_containers(const CollectorOptions& options);
Made make_diskstats(const CollectorOptions& options);
Made make_filesystem(const CollectorOptions& options);
Made make_meminfo(const CollectorOptions& options);
Made make_vmstat(const CollectorOptions& options);
Made make_loadavg(const CollectorOptions& options);
Made make_pressure(const CollectorOptions& options);
Made make_netdev(const CollectorOptions& options);
Made make_sockstat(const CollectorOptions& options);
Made make_netstat(const CollectorOptions& options);
Made make_filefd(const CollectorOptions& options);
Made make_softnet(const CollectorOptions& options);
Made make_conntrack(const CollectorOptions& options);
Made make_time(const CollectorOptions& options);
Made make_processes(const CollectorOptions& options);
Made make_uname(const CollectorOptions& options);
Made make_os(const CollectorOptions& options);
Made make_dmi(const CollectorOptions& options);
Made make_reboot(const CollectorOptions& options);
Made make_kernel_hung(const CollectorOptions& options);
Made make_cpufreq(const CollectorOptions& options);
Made make_netclass(const CollectorOptions& options);
Made make_bonding(const CollectorOptions& options);
Made make_timex(const CollectorOptions& options);
Made make_clocksource(const CollectorOptions& options);
Made make_entropy(const CollectorOptions& options);
Made make_hwmon(const CollectorOptions& options);
Made make_thermal_zone(const CollectorOptions& options);
Made make_mdadm(const CollectorOptions& options);
Made make_edac(const CollectorOptions& options);
Made make_systemd(const CollectorOptions& options);
Made make_arp(const CollectorOptions& options);
Made make_udp_queues(const CollectorOptions& options);
Made make_zfs(const CollectorOptions& options);

namespace {

constexpr std::array kTable = {
    CollectorEntry{"cpu", "CPU seconds per core and mode", make_cpu},
    CollectorEntry{"containers", "Containers: state, health, restarts, and what they use", make_containers},
    CollectorEntry{"diskstats", "Requests, bytes and times of block devices", make_diskstats},
    CollectorEntry{"filesystem", "Space and inodes of mounted file systems", make_filesystem},
    CollectorEntry{"meminfo", "Every line of /proc/meminfo", make_meminfo},
    CollectorEntry{"vmstat", "Paging, swapping, faults and OOM kills", make_vmstat},
    CollectorEntry{"loadavg", "Load averages", make_loadavg},
    CollectorEntry{"pressure", "Pressure stall information (PSI)", make_pressure},
    CollectorEntry{"netdev", "Traffic, errors and drops per network device", make_netdev},
    CollectorEntry{"sockstat", "Sockets in use per protocol", make_sockstat},
    CollectorEntry{"netstat", "TCP, UDP, IP and ICMP counters", make_netstat},
    CollectorEntry{"filefd", "Open files of the host and their limit", make_filefd},
    CollectorEntry{"softnet", "Packets the network soft interrupt handled and dropped", make_softnet},
    CollectorEntry{"conntrack", "Tracked connections and their limit", make_conntrack},
    CollectorEntry{"arp", "Entries of the ARP table", make_arp},
    CollectorEntry{"udp_queues", "Bytes waiting in the queues of UDP sockets", make_udp_queues},
    CollectorEntry{"time", "The host's clock", make_time},
    CollectorEntry{"processes", "Processes by state, and those that use most of the host", make_processes},
    CollectorEntry{"uname", "Name and version of the kernel", make_uname},
    CollectorEntry{"os", "The distribution", make_os},
    CollectorEntry{"dmi", "What the firmware tells of the machine", make_dmi},
    CollectorEntry{"reboot", "Whether an update waits for a restart", make_reboot},
    CollectorEntry{"kernel_hung", "Tasks found hung by the kernel", make_kernel_hung},
    CollectorEntry{"cpufreq", "CPU frequencies, governors, throttling, isolated CPUs", make_cpufreq},
    CollectorEntry{"netclass", "Link state, speed and other properties of network devices", make_netclass},
    CollectorEntry{"bonding", "Links of bonded network devices", make_bonding},
    CollectorEntry{"timex", "How well the clock is kept (adjtimex)", make_timex},
    CollectorEntry{"clocksource", "The kernel's clock source", make_clocksource},
    CollectorEntry{"entropy", "Randomness at hand", make_entropy},
    CollectorEntry{"hwmon", "Temperatures, fans, voltages and power", make_hwmon},
    CollectorEntry{"thermal_zone", "Thermal zones and cooling devices", make_thermal_zone},
    CollectorEntry{"mdadm", "Software RAID arrays", make_mdadm},
    CollectorEntry{"zfs", "ZFS: its cache, and the state of its pools", make_zfs},
    CollectorEntry{"edac", "Memory errors", make_edac},
    CollectorEntry{"systemd", "Units of systemd: failed ones, restarts, timers", make_systemd},
};

}  // namespace

std::span<const CollectorEntry> collector_table() {
  return kTable;
}

}  // namespace vigil::agent
