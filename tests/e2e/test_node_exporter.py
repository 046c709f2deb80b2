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


def parse(text):
    samples, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            types[name] = kind
        elif line and not line.startswith("#"):
            key, value = line.rsplit(" ", 1)
            name = key.split("{")[0]
            labels = tuple(sorted(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', key[len(name):])))
            samples[(name, labels)] = float(value)
    return samples, types


@pytest.mark.skipif(EXPORTER is None, reason="prometheus-node-exporter is not installed")
def test_values_agree_with_node_exporter(tmp_path):
    exporter = Process([EXPORTER, "--web.listen-address=127.0.0.1:0", "--collector.processes", "--no-collector.textfile"],
                       tmp_path / "exporter.log")
    try:
        port = exporter.wait_for(r'(?:Listening on|address)=?\D*127\.0\.0\.1:(\d+)').group(1)
        scrape = lambda: parse(urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60).read().decode())
        eventually("the exporter answers", scrape)
        before, types = scrape()
        ours, our_types = parse(subprocess.run([BIN / "vigil-agent", "--once"], check=True, capture_output=True, text=True, timeout=60).stdout)
        after, _ = scrape()
    finally:
        exporter.stop()

    common = [key for key in ours if key in before and key in after and key[0] not in DIFFERENT]
    assert len(common) > 300, f"only {len(common)} series in common"
    names = {key[0] for key in common}
    wrong_types = {name: (types[name], our_types[name]) for name in names
                   if types.get(name) != our_types.get(name) and types.get(name) != "untyped"}
    assert not wrong_types, wrong_types
    wrong = {key: (before[key], ours[key], after[key]) for key in common if not agrees(key[0], before[key], ours[key], after[key])}
    assert not wrong, wrong
    # The same metric must have the same label names on both sides.
    label_names = lambda samples, name: {tuple(label for label, _ in labels) for metric, labels in samples if metric == name}
    shapes = {name: (label_names(before, name), label_names(ours, name)) for name in names
              if not label_names(before, name) & label_names(ours, name)}
    assert not shapes, shapes


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
