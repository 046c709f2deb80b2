"""One host, from its cores to its services."""

from source.model import (ANY_IS_BAD, BUSY, FULL, GREEN, ORANGE, RED, bars, dashboard, row, stat, states, table, thresholds, timeseries, variable)

HOST = 'instance="$instance"'
DISKS = 'fstype!~"tmpfs|ramfs|squashfs|iso9660"'
IDLE, NOT_IDLE, FIRING, NODE = 'mode="idle"', 'mode!="idle"', 'alertstate="firing"', 'job="node"'


def rate(name, more=""):
    return f"rate({name}{{{HOST}{', ' + more if more else ''}}}[$__rate_interval])"


def of(name, more=""):
    return f"{name}{{{HOST}{', ' + more if more else ''}}}"


def build():
    busy = "1 - avg(" + rate("node_cpu_seconds_total", IDLE) + ")"
    avail, size, free = (of(f"node_filesystem_{name}_bytes", DISKS) for name in ("avail", "size", "free"))
    return dashboard("vigil-host", "vigil / Host", "One host: CPU, memory, disks, network, processes, hardware, services.",
                     [variable("instance", "Host", 'label_values(up{job="node"}, instance)')], [
        row("Now"),
        stat("State", "Whether its agent sends samples.", f'max({of("up", NODE)})', steps=thresholds((1, GREEN), base=RED), texts={"1": ("up", GREEN), "0": ("down", RED)}, graph=False),
        stat("Alerts", "Alerts of this host that fire.", f'count({of("ALERTS", FIRING)}) or vector(0)', steps=ANY_IS_BAD),
        stat("CPU busy", "All cores together.", busy, "percentunit", steps=BUSY, decimals=1),
        stat("Memory used", "Caches do not count.", f"1 - {of('node_memory_MemAvailable_bytes')} / {of('node_memory_MemTotal_bytes')}", "percentunit", steps=FULL, decimals=1),
        stat("Fullest disk", "Of its file systems.", f"max(1 - {avail} / ({size} > 0))", "percentunit", steps=FULL, decimals=1),
        stat("Load per core", "Over 5 minutes.", f"max({of('node_load5')}) / count({of('node_cpu_seconds_total', IDLE)})", steps=thresholds((2, ORANGE), (4, RED)), decimals=2),
        stat("Uptime", "Since the kernel started.", f"{of('node_time_seconds')} - {of('node_boot_time_seconds')}", "s", graph=False),
        stat("Failed units", "systemd units in the state failed; nothing where no systemd is.", of("node_systemd_units", 'state="failed"'), steps=ANY_IS_BAD, graph=False),
        row("CPU"),
        timeseries("CPU by mode", "Of all cores; iowait is idle time in which a disk was waited for.", (f"sum by (mode) ({rate('node_cpu_seconds_total', NOT_IDLE)}) / scalar(count({of('node_cpu_seconds_total', IDLE)}))", "{{mode}}"),
                   "percentunit", stack=True, least=0, most=1),
        timeseries("CPU by core", "Busy share of each core.", (f"1 - sum by (cpu) ({rate('node_cpu_seconds_total', IDLE)})", "{{cpu}}"), "percentunit", least=0, most=1),
        timeseries("Load", "Tasks that run or wait for a core or a disk; the dashed line of cores is where they begin to queue.", [(of("node_load1"), "1 min"), (of("node_load5"), "5 min"), (of("node_load15"), "15 min"),
                   (f"count({of('node_cpu_seconds_total', IDLE)})", "cores")], least=0),
        timeseries("Pressure", "Share of the time in which some task waited (PSI).", [(rate("node_pressure_cpu_waiting_seconds_total"), "CPU"), (rate("node_pressure_memory_waiting_seconds_total"), "memory"), (rate("node_pressure_io_waiting_seconds_total"), "disks")],
                   "percentunit", least=0),
        timeseries("Context switches and interrupts", "A second.", [(rate("node_context_switches_total"), "context switches"), (rate("node_intr_total"), "interrupts")], "ops", least=0),
        timeseries("Frequency", "As the cores' governors say; virtual machines have none.", (of("node_cpu_scaling_frequency_hertz"), "{{cpu}}"), "hertz"),
        row("Memory"),
        timeseries("Memory", "What programs hold, what files cache, what is free.", [
            (f"{of('node_memory_MemTotal_bytes')} - {of('node_memory_MemFree_bytes')} - {of('node_memory_Buffers_bytes')} - {of('node_memory_Cached_bytes')} - {of('node_memory_SReclaimable_bytes')}", "programs"),
            (of("node_memory_Buffers_bytes"), "buffers"), (f"{of('node_memory_Cached_bytes')} + {of('node_memory_SReclaimable_bytes')}", "cache"), (of("node_memory_MemFree_bytes"), "free")], "bytes", stack=True, least=0),
        timeseries("Swap", "Used, and moved to (below zero: from) memory, in pages of 4 KiB.", [(f"{of('node_memory_SwapTotal_bytes')} - {of('node_memory_SwapFree_bytes')}", "used"), (f"{rate('node_vmstat_pswpin')} * 4096", "in"), (f"{rate('node_vmstat_pswpout')} * 4096", "out")],
                   "bytes", mirrored=["out"]),
        timeseries("Page faults and kills", "Major faults wait for a disk. Kills: for want of memory.", [(rate("node_vmstat_pgmajfault"), "major faults/s"), (f"increase({of('node_vmstat_oom_kill')}[$__rate_interval])", "killed")], least=0),
        row("File systems and disks"),
        table("File systems", "Sorted by how full they are; reserved blocks do not count as free.", [
            (f"max by (mountpoint, device, fstype) (1 - {avail} / ({size} > 0))", "Used", "percentunit", FULL), (f"max by (mountpoint, device, fstype) ({avail})", "Available", "bytes"),
            (f"max by (mountpoint, device, fstype) ({size})", "Size", "bytes"),
            (f"max by (mountpoint, device, fstype) (1 - {of('node_filesystem_files_free', DISKS)} / ({of('node_filesystem_files', DISKS)} > 0))", "Inodes used", "percentunit", FULL),
            (f"max by (mountpoint, device, fstype) ({of('node_filesystem_readonly', DISKS)})", "Read-only", "bool_yes_no"),
        ], ["mountpoint", "device", "fstype"], width=16, height=9, sort="Used"),
        timeseries("Available space", "What ordinary users may still write.", (f"max by (mountpoint) ({avail})", "{{mountpoint}}"), "bytes", height=9, least=0),
        timeseries("Disk throughput", "Above zero: read; below: written.", [(rate("node_disk_read_bytes_total"), "{{device}} read"), (rate("node_disk_written_bytes_total"), "{{device}} written")], "Bps", mirrored=[".* written"]),
        timeseries("Disk operations", "Above zero: reads a second; below: writes.", [(rate("node_disk_reads_completed_total"), "{{device}} reads"), (rate("node_disk_writes_completed_total"), "{{device}} writes")], "iops", mirrored=[".* writes"]),
        timeseries("Disk busy", "Share of the time in which a disk had something to do; fast ones take more all the same.", (rate("node_disk_io_time_seconds_total"), "{{device}}"), "percentunit", least=0, most=1),
        timeseries("Time of a read", "What a read took on average.", (f"{rate('node_disk_read_time_seconds_total')} / ({rate('node_disk_reads_completed_total')} > 0)", "{{device}}"), "s", least=0),
        timeseries("Time of a write", "What a write took on average.", (f"{rate('node_disk_write_time_seconds_total')} / ({rate('node_disk_writes_completed_total')} > 0)", "{{device}}"), "s", least=0),
        timeseries("RAID", "Disks missing from an array.", (of("node_md_degraded"), "{{device}}"), steps=ANY_IS_BAD, least=0),
        row("Network"),
        timeseries("Traffic", "Above zero: received; below: sent.", [(rate("node_network_receive_bytes_total"), "{{device}} received"), (rate("node_network_transmit_bytes_total"), "{{device}} sent")], "Bps", mirrored=[".* sent"]),
        timeseries("Errors and drops", "Packets a second, of all devices.", [(f"sum({rate('node_network_receive_errs_total')})", "receive errors"), (f"sum({rate('node_network_transmit_errs_total')})", "transmit errors"),
                   (f"sum({rate('node_network_receive_drop_total')})", "receive drops"), (f"sum({rate('node_network_transmit_drop_total')})", "transmit drops")], "pps", least=0),
        timeseries("TCP trouble", "Segments sent again, connections refused by full queues, a second.", [(rate("node_netstat_Tcp_RetransSegs"), "retransmitted"), (rate("node_netstat_TcpExt_ListenDrops"), "listen drops"), (rate("node_netstat_TcpExt_ListenOverflows"), "listen overflows")], "pps", least=0),
        timeseries("Sockets", "In use and waiting to end.", [(of("node_sockstat_TCP_inuse"), "TCP"), (of("node_sockstat_TCP_tw"), "TCP time-wait"), (of("node_sockstat_UDP_inuse"), "UDP")], least=0),
        timeseries("Connection table", "Of the firewall; new connections are dropped when it is full.", [(f"{of('node_nf_conntrack_entries')} / {of('node_nf_conntrack_entries_limit')}", "used")], "percentunit", least=0, most=1),
        timeseries("Links", "Devices that are up, and bonds that lost a link.", [(f"count({of('node_network_up')} == 1)", "devices up"), (f"{of('node_bonding_slaves')} - {of('node_bonding_active')}", "{{master}} lost")], least=0),
        row("Processes"),
        bars("Processes by CPU", "Of those that rank high, in cores.", (f"topk(10, {rate('vigil_process_cpu_seconds_total')})", "{{comm}} {{pid}}"), "short"),
        bars("Processes by memory", "Of those that rank high, resident.", (f"topk(10, {of('vigil_process_resident_memory_bytes')})", "{{comm}} {{pid}}"), "bytes"),
        bars("Processes by disk", "Read and written; those of other users need a permission.", (f"topk(10, {rate('vigil_process_read_bytes_total')} + {rate('vigil_process_written_bytes_total')})", "{{comm}} {{pid}}"), "Bps"),
        timeseries("Process states", "D waits for a disk and cannot be killed, Z was not reaped.", (of("node_processes_state"), "{{state}}"), stack=True, least=0),
        timeseries("Limits", "Of the whole host.", [(f"{of('node_processes_pids')} / {of('node_processes_max_processes')}", "processes"), (f"{of('node_filefd_allocated')} / {of('node_filefd_maximum')}", "file descriptors"), (f"{of('node_processes_threads')} / {of('node_processes_max_threads')}", "threads")],
                   "percentunit", least=0, steps=BUSY),
        timeseries("Forks", "New processes a second.", (rate("node_forks_total"), "forks"), "ops", least=0),
        row("Hardware and services"),
        timeseries("Temperatures", "Of its sensors.", [(of("node_hwmon_temp_celsius"), "{{chip}} {{sensor}}"), (of("node_thermal_zone_temp"), "{{type}} {{zone}}")], "celsius"),
        timeseries("Fans", "Turns a minute.", (of("node_hwmon_fan_rpm"), "{{chip}} {{sensor}}"), "rotrpm", least=0),
        timeseries("Clock", "As the kernel knows it from its time daemon, and against the aggregator.", [(of("node_timex_offset_seconds"), "offset"), (of("vigil_host_clock_skew_seconds"), "against the aggregator")], "s"),
        states("Units that failed", "systemd units, in the state failed.", (of("node_systemd_unit_state", 'state="failed"'), "{{name}}"), {"1": ("failed", RED), "0": ("no longer", GREEN)}, width=12, height=6),
        timeseries("Service restarts", "In the range shown by one point.", (f"increase({of('node_systemd_service_restart_total')}[$__rate_interval]) > 0", "{{name}}"), width=12, height=6, least=0),
        row("The agent"),
        timeseries("Cost", "CPU, in cores, and memory of the agent.", [(f"sum({rate('vigil_agent_cpu_seconds_total')})", "CPU")], "percentunit", width=6, least=0),
        timeseries("Memory", "Resident memory of the agent.", (of("vigil_agent_resident_memory_bytes"), "resident"), "bytes", width=6, least=0),
        timeseries("Beats", "Late and missed ones.", [(of("vigil_agent_beat_late_seconds"), "latest"), (f"increase({of('vigil_agent_beats_missed_total')}[$__rate_interval])", "missed")], "short", width=6, least=0),
        states("Collectors that fail", "What the agent cannot read at the moment.", (f"{of('node_scrape_collector_success')} == 0", "{{collector}}"), {"0": ("fails", RED)}, width=6),
    ])
