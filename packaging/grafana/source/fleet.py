"""The whole fleet: is anything down, what is fullest, who is busiest."""

from source.model import (ANY_IS_BAD, ANY_IS_ODD, BUSY, FULL, GREEN, ORANGE, RED, bars, dashboard, link_to, row, stat, states, table, thresholds, timeseries, variable)

HOSTS = 'instance=~"$instance"'
DISKS = 'fstype!~"tmpfs|ramfs|squashfs|iso9660"'
CPU = f'1 - avg by (instance) (rate(node_cpu_seconds_total{{mode="idle", {HOSTS}}}[$__rate_interval]))'
MEMORY = f"max by (instance) (1 - node_memory_MemAvailable_bytes{{{HOSTS}}} / node_memory_MemTotal_bytes{{{HOSTS}}})"
DISK = f"max by (instance) (1 - node_filesystem_avail_bytes{{{DISKS}, {HOSTS}}} / (node_filesystem_size_bytes{{{DISKS}, {HOSTS}}} > 0))"
LOAD = f'max by (instance) (node_load5{{{HOSTS}}}) / count by (instance) (node_cpu_seconds_total{{mode="idle", {HOSTS}}})'
NET = "sum by (instance) (rate(node_network_{}_bytes_total{{" + HOSTS + "}}[$__rate_interval]))"
PRESSURE = "max by (instance) (rate(node_pressure_{}_seconds_total{{" + HOSTS + "}}[$__rate_interval]))"


def build():
    to_host = link_to("vigil-host", "This host", instance="${__data.fields.instance}")
    to_alerts = link_to("vigil-alerts", "Alerts")
    return dashboard("vigil-fleet", "vigil / Fleet", "All hosts at a glance: what is down, what fires, what is busiest and fullest.",
                     [variable("instance", "Host", 'label_values(up{job="node"}, instance)', multi=True)], [
        row("Now"),
        stat("Hosts up", "Hosts whose agents send samples.", f'sum(up{{job="node", {HOSTS}}})', steps=thresholds((1, GREEN), base=RED)),
        stat("Hosts down", "Hosts that stopped sending without having said goodbye.", f'count(up{{job="node", {HOSTS}}} == 0) or vector(0)', steps=ANY_IS_BAD),
        stat("Critical alerts", "Alerts of severity critical that fire now.", f'count(ALERTS{{alertstate="firing", severity="critical"}}) or vector(0)', steps=ANY_IS_BAD, links=[to_alerts]),
        stat("All alerts firing", "Whatever their severity.", 'count(ALERTS{alertstate="firing"}) or vector(0)', steps=ANY_IS_ODD, links=[to_alerts]),
        stat("CPU busy", "Mean over the hosts.", f"avg({CPU})", "percentunit", steps=BUSY, decimals=1),
        stat("Memory used", "Of all memory of all hosts; caches do not count.", f"1 - sum(node_memory_MemAvailable_bytes{{{HOSTS}}}) / sum(node_memory_MemTotal_bytes{{{HOSTS}}})", "percentunit", steps=FULL, decimals=1),
        stat("Fullest disk", "Of all file systems of all hosts.", f"max({DISK})", "percentunit", steps=FULL, decimals=1),
        stat("Containers unhealthy", "Containers whose health check fails, and those that vanished.",
             f'count(container_health_state{{state="unhealthy", {HOSTS}}} == 1 or container_state{{state="missing", {HOSTS}}} == 1) or vector(0)', steps=ANY_IS_BAD,
             links=[link_to("vigil-containers", "Containers")]),
        table("Hosts", "One line for each host: the name leads to its own dashboard.", [
            (f'max by (instance) (up{{job="node", {HOSTS}}})', "Up", "bool_yes_no", thresholds((1, GREEN), base=RED)),
            (CPU, "CPU", "percentunit", BUSY), (MEMORY, "Memory", "percentunit", FULL), (DISK, "Fullest disk", "percentunit", FULL),
            (LOAD, "Load per core", "short", thresholds((2, ORANGE), (4, RED))), (NET.format("receive"), "Received", "Bps"), (NET.format("transmit"), "Sent", "Bps"),
            (f"max by (instance) (node_time_seconds{{{HOSTS}}} - node_boot_time_seconds{{{HOSTS}}})", "Uptime", "s"),
            (f'count by (instance) (ALERTS{{alertstate="firing", {HOSTS}}})', "Alerts", "short", ANY_IS_BAD),
        ], ["instance"], sort="CPU", links={"instance": to_host}),
        states("State of hosts", "Green: samples come. Red: down. Nothing: the host had left, or there was no aggregator.", (f'max by (instance) (up{{job="node", {HOSTS}}})', "{{instance}}"),
               {"1": ("up", GREEN), "0": ("down", RED)}),
        row("Who is busiest"),
        timeseries("CPU", "The ten busiest now; 100 % is all cores of a host.", (f"topk(10, {CPU})", "{{instance}}"), "percentunit", least=0, most=1, steps=BUSY),
        timeseries("Memory used", "The ten fullest; caches do not count.", (f"topk(10, {MEMORY})", "{{instance}}"), "percentunit", least=0, most=1, steps=FULL),
        timeseries("Load per core", "Tasks that run or wait, over 5 minutes, for each core.", (f"topk(10, {LOAD})", "{{instance}}"), least=0),
        bars("Fullest file systems", "By what ordinary users may still write.",
             (f"topk(12, max by (instance, mountpoint) (1 - node_filesystem_avail_bytes{{{DISKS}, {HOSTS}}} / (node_filesystem_size_bytes{{{DISKS}, {HOSTS}}} > 0)))", "{{instance}} {{mountpoint}}"),
             "percentunit", height=9, steps=FULL, most=1),
        timeseries("Network received", "The ten that receive most, over their devices.", (f"topk(10, {NET.format('receive')})", "{{instance}}"), "Bps", height=9, least=0),
        timeseries("Network sent", "The ten that send most, over their devices.", (f"topk(10, {NET.format('transmit')})", "{{instance}}"), "Bps", height=9, least=0),
        row("Who waits"),
        timeseries("Waiting for CPU", "Share of the time in which some task waited for a core (PSI).", (f"topk(10, {PRESSURE.format('cpu_waiting')})", "{{instance}}"), "percentunit", least=0),
        timeseries("Waiting for memory", "Share of the time in which all tasks waited for memory (PSI).", (f"topk(10, {PRESSURE.format('memory_stalled')})", "{{instance}}"), "percentunit", least=0),
        timeseries("Waiting for disks", "Share of the time in which all tasks waited for disks (PSI).", (f"topk(10, {PRESSURE.format('io_stalled')})", "{{instance}}"), "percentunit", least=0),
        row("What is odd"),
        timeseries("Processes killed for memory", "By the kernel, in the range shown by one point.", (f"sum by (instance) (increase(node_vmstat_oom_kill{{{HOSTS}}}[$__rate_interval])) > 0", "{{instance}}"), least=0),
        timeseries("Clock error", "The host's clock minus the aggregator's.", (f"topk(10, abs(vigil_host_clock_skew_seconds{{{HOSTS}}}))", "{{instance}}"), "s", steps=thresholds((5, RED))),
        timeseries("Failed units", "systemd units in the state failed.", (f'sum by (instance) (node_systemd_units{{state="failed", {HOSTS}}}) > 0', "{{instance}}"), least=0),
        states("Hosts by state", "As the aggregator knows them: late ones have sent nothing for a moment, those that left said goodbye.",
               (f'max by (instance, state) (vigil_host_state{{state=~"late|down", {HOSTS}}}) == 1', "{{instance}} {{state}}"), {"1": ("so", ORANGE)}, height=6),
    ])
