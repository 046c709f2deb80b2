"""Names, labels and values agree with node_exporter's on the same machine at the same time."""

import re
import shutil
import subprocess
import urllib.request

import pytest
from support import BIN, Process, eventually

EXPORTER = shutil.which("prometheus-node-exporter")

# Present in both, and different for a reason.
DIFFERENT = {
    "node_scrape_collector_duration_seconds": "how long a collector took is its own",
    "node_scrape_collector_success": "vigil has other collectors, and absent hardware is no failure",
    "node_time_seconds": "the clock of the tick, not of the reading",
}

# Series that only one side has although both have the metric. What is in no list must be on both sides with the same labels.
EXCEPTIONS = {
    r"node_(processes_state|processes_threads_state)\{": "vigil goes on reporting a state it has seen as 0; states come and go in between",
    r"node_network_speed_bytes\{": "node_exporter 1.x prints -125000 for an unknown speed, vigil nothing",
    r"node_systemd_(unit_state|service_restart_total|timer_last_trigger_seconds|version)\{": "vigil reports failed and allow-listed units, services that restarted",
    r"node_dmi_info\{": "what only root may read depends on who runs it",
    r"node_hwmon_": "a sensor that sleeps answers one and not the other",
}

# Metrics of node_exporter's default collectors that vigil does not have: docs/metrics.md says why.
NOT_HERE = (r"go_|process_|promhttp_|node_(exporter_build_info|textfile_|selinux_|schedstat_|bcache_|btrfs_|fibrechannel_|infiniband_|ipvs_"
            r"|nfs_|nfsd_|nvme_|power_supply_|rapl_|tape_|xfs_|zfs_|disk_ata_|disk_filesystem_info|cpu_info|softnet_)")

# vigil leaves out the devices of containers and bridges; told to do so too, node_exporter must have the same devices.
DEVICES = r"^(lo|veth.*|br-.*|docker\d*|cni.*|flannel.*|cali.*|virbr\d+.*)$"
MOUNTS = r"^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)"  # Debian's package has a longer one
FLAGS = ["--collector.processes", "--no-collector.textfile", f"--collector.netdev.device-exclude={DEVICES}", f"--collector.arp.device-exclude={DEVICES}",
         f"--collector.netclass.ignored-devices={DEVICES}", f"--collector.filesystem.mount-points-exclude={MOUNTS}"]


def parse(text):
    samples, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            types[name] = kind
        elif line and not line.startswith("#"):
            key, value = line.rsplit(" ", 1)
            name = key.split("{")[0]
            # To Prometheus an empty label is an absent one.
            labels = tuple(sorted(label for label in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', key[len(name):]) if label[1]))
            samples[(name, labels)] = float(value)
    return samples, types


def written(key):
    return key[0] + "{" + ", ".join(f'{name}="{value}"' for name, value in key[1]) + "}"


@pytest.fixture(scope="module")
def readings(tmp_path_factory):
    """Reads node_exporter, vigil and node_exporter again: a function that gives three readings, and the types of both."""
    if EXPORTER is None:
        pytest.skip("prometheus-node-exporter is not installed")
    exporter = Process([EXPORTER, "--web.listen-address=127.0.0.1:0", *FLAGS], tmp_path_factory.mktemp("exporter") / "exporter.log")
    port = exporter.wait_for(r'(?:Listening on|address)=?\D*127\.0\.0\.1:(\d+)').group(1)
    scrape = lambda: parse(urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60).read().decode())
    eventually("the exporter answers", scrape)

    def read():
        before, types = scrape()
        ours, our_types = parse(subprocess.run([BIN / "vigil-agent", "--once"], check=True, capture_output=True, text=True, timeout=60).stdout)
        after, _ = scrape()
        return before, ours, after, types, our_types

    yield read
    exporter.stop()


def test_values_and_types_agree_with_node_exporter(readings):
    before, ours, after, types, our_types = readings()
    common = [key for key in ours if key in before and key in after and key[0] not in DIFFERENT]
    assert len(common) > 300, f"only {len(common)} series in common"
    names = {key[0] for key in common}
    wrong_types = {name: (types[name], our_types[name]) for name in names
                   if types.get(name) != our_types.get(name) and types.get(name) != "untyped"}
    assert not wrong_types, wrong_types
    wrong = {key: (before[key], ours[key], after[key]) for key in common if not agrees(key[0], before[key], ours[key], after[key])}
    assert not wrong, wrong


def test_every_series_of_a_metric_both_have_has_the_same_labels_on_both_sides(readings):
    for _ in range(3):  # a mount or a device may come between two readings
        before, ours, after, *_ = readings()
        names = {key[0] for key in before} & {key[0] for key in ours}
        allowed = lambda key: key[0] not in names or key[0] in DIFFERENT or any(re.match(pattern, written(key)) for pattern in EXCEPTIONS)
        problems = [f"only vigil: {written(key)}" for key in ours if key not in before and key not in after and not allowed(key)]
        problems += [f"only node_exporter: {written(key)}" for key in before if key in after and key not in ours and not allowed(key)]
        if not problems:
            return
    assert not problems, "\n".join(sorted(problems))


def test_what_node_exporter_has_by_default_and_vigil_has_not_is_known(readings):
    before, ours, *_ = readings()
    unknown = sorted({key[0] for key in before} - {key[0] for key in ours} - {name for name in {key[0] for key in before} if re.match(NOT_HERE, name)}
                     - {key[0] for key in before if any(re.match(pattern, written(key)) for pattern in EXCEPTIONS)})
    assert not unknown, unknown


def agrees(name, before, ours, after):
    low, high = min(before, after), max(before, after)
    if name != "node_netstat_Tcp_CurrEstab" and (name.endswith("_total") or name.startswith(("node_netstat_", "node_vmstat_"))):
        room = 0.02 + 1e-9 * abs(high)  # a tick of rounding
        return low - room <= ours <= high + room
    if name in ("node_memory_MemTotal_bytes", "node_memory_SwapTotal_bytes", "node_boot_time_seconds", "node_filefd_maximum"):
        return before == ours == after
    # Gauges move both ways between the readings: within what they moved, a tenth, or a little; memory moves with every process.
    room = 0.1 * abs(high) + 3 * (high - low) + (2**29 if name.startswith("node_memory_") else 20)
    return low - room <= ours <= high + room
