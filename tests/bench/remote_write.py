"""What taking samples by remote_write costs: one program after the other is sent the same requests, as fast as it answers them."""

import http.client
import pathlib
import shutil
import struct
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from support import Process, Vigil, eventually  # noqa: E402
from test_remote_write import body_v1, body_v2, free_port, snappy, varint, V1, V2  # noqa: E402

TARGETS, SERIES, TARGETS_A_REQUEST = 100, 500, 4  # 2,000 samples a request, as Prometheus sends
PLACE_MS, PLACE_VALUE = 1_700_000_000_123, 1234567.890625  # what is replaced for each scrape


def series_of(target):
    """A scrape of one target: counters that grow together, gauges that stand still, and a few with a fraction."""
    labels = lambda i: {"__name__": f"node_metric_{i % 125}_total", "cpu": str(i // 125), "env": "production", "instance": f"web-{target}:9100", "job": "node"}
    value = lambda i: PLACE_VALUE if i % 2 == 0 else i * 1.25 if i % 7 == 0 else float(i)
    return [(labels(i), [(PLACE_MS, value(i))]) for i in range(SERIES)]


def requests(write):
    groups = [range(first, first + TARGETS_A_REQUEST) for first in range(0, TARGETS, TARGETS_A_REQUEST)]
    return [write(*(series for target in group for series in series_of(target))) for group in groups]


def send(address, path, bodies, content_type, seconds, cpu):
    """Samples sent and answered with 2xx within so many seconds of wall time, and the CPU seconds of that."""
    connection = http.client.HTTPConnection(*address.split(":"), timeout=60)
    start_ms = int(time.time() * 1000) - 1_800_000
    before, sent, scrape, deadline = None, 0, 0, None
    while deadline is None or time.monotonic() < deadline:
        t_ms = start_ms + scrape * 15_000
        if t_ms > time.time() * 1000:
            break
        for body in bodies:
            plain = body.replace(varint(PLACE_MS), varint(t_ms)).replace(struct.pack("<d", PLACE_VALUE), struct.pack("<d", float(1000 + 17 * scrape)))
            connection.request("POST", path, snappy(plain), {"Content-Type": content_type, "Content-Encoding": "snappy"})
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status in (200, 204), (answer.status, text)
            sent += TARGETS_A_REQUEST * SERIES
        scrape += 1
        if scrape == 2:  # what is new costs more, once
            before, sent, deadline = cpu(), 0, time.monotonic() + seconds
    return sent, cpu() - before


def measure(options, cpu_seconds, table):
    seconds = options.seconds or 10
    rows = []
    for name, write, content_type in (("vigil, 1.0", body_v1, V1), ("vigil, 2.0", body_v2, V2)):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            vigil = Vigil(folder).start("store: {commit_interval: 20ms}\nremote_write: {max_rate: 100000000}\n")
            pid = vigil.aggregator.child.pid
            sent, cpu = send(vigil.http, "/api/v1/write", requests(write), content_type, seconds, lambda: cpu_seconds(pid))
            vigil.close()
        rows.append((name, f"{sent:,}", f"{cpu:.2f}", f"{sent / cpu / 1e3:,.0f} k"))
    if prometheus := shutil.which("prometheus"):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            address = f"127.0.0.1:{free_port()}"
            (pathlib.Path(folder) / "empty.yml").write_text("global: {}\n")
            peer = Process([prometheus, f"--config.file={folder}/empty.yml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={address}",
                            "--web.enable-remote-write-receiver", "--log.level=warn"], f"{folder}/prometheus.log")
            eventually("prometheus is ready", lambda: ready(address))
            sent, cpu = send(address, "/api/v1/write", requests(body_v1), V1, seconds, lambda: cpu_seconds(peer.child.pid))
            peer.stop()
        rows.append(("prometheus, 1.0", f"{sent:,}", f"{cpu:.2f}", f"{sent / cpu / 1e3:,.0f} k"))
    table(f"remote_write, {TARGETS} targets of {SERIES} series, requests of {TARGETS_A_REQUEST * SERIES:,} samples", ["program", "samples", "CPU s", "samples per CPU s"], rows)


def ready(address):
    connection = http.client.HTTPConnection(*address.split(":"), timeout=5)
    connection.request("GET", "/-/ready")
    return connection.getresponse().status == 200
