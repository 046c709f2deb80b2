"""Containers of all hosts: what state they are in, and what they use."""

from source.model import (ANY_IS_BAD, ANY_IS_ODD, FULL, GREEN, GREY, ORANGE, RED, YELLOW, dashboard, link_to, row, stat, states, table, thresholds, timeseries, variable)

THESE = 'instance=~"$instance", name=~"$name"'
EACH = "{{instance}} {{name}}"
RUNNING, UNHEALTHY, MISSING, EXITED = 'state="running"', 'state="unhealthy"', 'state="missing"', 'state="exited"'
HEALTHY, STARTING = 'state="healthy"', 'state="starting"'
WAITING, ENDED, LOST = 'state=~"paused|restarting|created"', 'state=~"exited|removing"', 'state=~"missing|dead"'


def of(name, more=""):
    return f"{name}{{{THESE}{', ' + more if more else ''}}}"


def per(name, more=""):
    return f"sum by (instance, name) (rate({of(name, more)}[$__rate_interval]))"


def highest(name):
    return f"max by (instance, name) ({of(name)})"


def build():
    limit = f"{highest('container_spec_memory_limit_bytes')} > 0"
    cores = per("container_cpu_usage_seconds_total")
    return dashboard("vigil-containers", "vigil / Containers", "All containers: state, health, restarts, usage.", [
        variable("instance", "Host", "label_values(container_last_seen, instance)", multi=True),
        variable("name", "Container", 'label_values(container_last_seen{instance=~"$instance"}, name)', multi=True),
    ], [
        row("Now"),
        stat("Running", "Containers that run.", f"sum({of('container_state', RUNNING)})", steps=thresholds()),
        stat("Unhealthy", "Whose health check fails.", f"sum({of('container_health_state', UNHEALTHY)}) or vector(0)", steps=ANY_IS_BAD),
        stat("Missing", "Vanished without having been removed.", f"sum({of('container_state', MISSING)}) or vector(0)", steps=ANY_IS_BAD),
        stat("Exited", "Stopped, and not removed.", f"sum({of('container_state', EXITED)}) or vector(0)", steps=ANY_IS_ODD),
        stat("Restarts", "In the range shown.", f"sum(increase({of('container_restarts_total')}[$__range])) or vector(0)", steps=ANY_IS_ODD, graph=False, decimals=0),
        stat("Killed for memory", "Processes, in the range shown.", f"sum(increase({of('container_oom_events_total')}[$__range])) or vector(0)", steps=ANY_IS_BAD, graph=False, decimals=0),
        stat("CPU used", "In cores.", f"sum(rate({of('container_cpu_usage_seconds_total')}[$__rate_interval]))", decimals=2),
        stat("Memory used", "Working sets.", f"sum({of('container_memory_working_set_bytes')})", "bytes"),
        table("Containers", "One line for each; the host leads to its dashboard.", [
            (f"max by (instance, name) ({of('container_state', RUNNING)})", "Running", "bool_yes_no", thresholds((1, GREEN), base=RED)), (cores, "CPU (cores)", "short"),
            (f"max by (instance, name) ({of('container_memory_working_set_bytes')})", "Memory", "bytes"),
            (f"{highest('container_memory_working_set_bytes')} / ({limit})", "Of its limit", "percentunit", FULL),
            (per("container_network_receive_bytes_total"), "Received", "Bps"), (per("container_network_transmit_bytes_total"), "Sent", "Bps"),
            (f"max by (instance, name) ({of('container_restarts_total')})", "Restarts", "short", ANY_IS_ODD), (f"max by (instance, name) ({of('container_oom_events_total')})", "Killed", "short", ANY_IS_BAD),
            (f"time() - max by (instance, name) ({of('container_start_time_seconds')})", "Since start", "s"),
        ], ["instance", "name"], sort="CPU (cores)", links={"instance": link_to("vigil-host", "This host", instance="${__data.fields.instance}")}),
        states("State", "Of each container: green runs, orange is paused, restarting or new, grey has ended, red is missing or dead.", [
            (f"1 * ({of('container_state', RUNNING)} == 1) or 2 * ({of('container_state', WAITING)} == 1) or 3 * ({of('container_state', ENDED)} == 1)"
             f" or 4 * ({of('container_state', LOST)} == 1)", EACH)],
               {"1": ("running", GREEN), "2": ("paused, restarting or created", ORANGE), "3": ("exited", GREY), "4": ("missing or dead", RED)}),
        states("Health", "Where there is a health check.", (f"1 * ({of('container_health_state', HEALTHY)} == 1) or 2 * ({of('container_health_state', STARTING)} == 1) or 3 * ({of('container_health_state', UNHEALTHY)} == 1)", EACH),
               {"1": ("healthy", GREEN), "2": ("starting", YELLOW), "3": ("unhealthy", RED)}, height=6),
        row("CPU and memory"),
        timeseries("CPU", "In cores, of the ten that use most.", (f"topk(10, {cores})", EACH), "short", least=0),
        timeseries("Throttled", "Share of the periods in which a container had used up its quota.", (f"{per('container_cpu_cfs_throttled_periods_total')} / ({per('container_cpu_cfs_periods_total')} > 0)", EACH), "percentunit", least=0, most=1),
        timeseries("Pressure", "Share of the time in which some process waited for CPU, memory or disks.", [(f"topk(5, {per('container_pressure_' + what + '_waiting_seconds_total')})", EACH + " " + what) for what in ("cpu", "memory", "io")], "percentunit", least=0),
        timeseries("Memory", "Working set, which the OOM killer looks at, of the ten largest.", (f"topk(10, {highest('container_memory_working_set_bytes')})", EACH), "bytes", least=0),
        timeseries("Memory of its limit", "Of containers that have one.", (f"topk(10, {highest('container_memory_working_set_bytes')} / ({limit}))", EACH), "percentunit", least=0, most=1, steps=FULL),
        timeseries("Killed for memory, restarted", "In the range shown by one point.", [(f"increase({of('container_oom_events_total')}[$__rate_interval]) > 0", EACH + " killed"), (f"increase({of('container_restarts_total')}[$__rate_interval]) > 0", EACH + " restarted")], least=0),
        row("Network and disks"),
        timeseries("Network", "Above zero: received; below: sent.", [(f"topk(10, {per('container_network_receive_bytes_total')})", EACH + " received"), (f"topk(10, {per('container_network_transmit_bytes_total')})", EACH + " sent")], "Bps", mirrored=[".* sent"]),
        timeseries("Network errors and drops", "Packets a second.", (" + ".join(per(f"container_network_{way}_{what}_total") for way in ("receive", "transmit") for what in ("errors", "packets_dropped")), EACH), "pps", least=0),
        timeseries("Disks", "Above zero: read; below: written.", [(f"topk(10, {per('container_fs_reads_bytes_total')})", EACH + " read"), (f"topk(10, {per('container_fs_writes_bytes_total')})", EACH + " written")], "Bps", mirrored=[".* written"]),
        row("Processes and runtime"),
        timeseries("Processes", "Of each container.", (f"topk(10, {of('container_processes')})", EACH), least=0),
        timeseries("Threads of their limit", "Where there is one.", (f"{of('container_threads')} / ({of('container_threads_max')} > 0)", EACH), "percentunit", least=0, most=1),
        states("Container runtimes", "Whether Docker or Podman answers the agent.", ('vigil_container_runtime_up{instance=~"$instance"}', "{{instance}} {{runtime}}"), {"1": ("answers", GREEN), "0": ("silent", RED)}, width=8),
    ])
