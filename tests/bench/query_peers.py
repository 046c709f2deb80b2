"""Queries beside Prometheus and VictoriaMetrics: the same samples through remote_write, the same questions over HTTP, CPU of each process."""

import http.client
import json
import pathlib
import random
import shutil
import socket
import struct
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

from support import Process, Vigil, eventually  # noqa: E402

HOUR = 3600
MODES = ("idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user")


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, payload):
    """A length-delimited field of a protobuf message."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def snappy(plain):
    """Snappy's block format with literals only: what any reader takes, without a compressor."""
    out = [varint(len(plain))]
    for at in range(0, len(plain), 65536):
        chunk = plain[at:at + 65536]
        out += [b"\xf4", struct.pack("<H", len(chunk) - 1), chunk]
    return b"".join(out)


def time_series(labels, samples):
    """`samples`: bytes of Sample messages. Labels sorted by name, as remote_write wants them."""
    pairs = b"".join(field(1, field(1, name.encode()) + field(2, value.encode())) for name, value in sorted(labels.items()))
    return field(1, pairs + samples)


def sample(value, stamp):
    body = b"\x09" + struct.pack("<d", value) + b"\x10" + stamp
    return b"\x12" + varint(len(body)) + body


class Walk:
    """A series whose values are made as time goes on."""

    def __init__(self, labels, start, step):
        self.labels, self.start, self.step = labels, start, step
        self.random = random.Random(repr(sorted(labels.items())))
        self.value = float(self.random.randrange(1000))

    def message(self, first, last):
        out = []
        for second in range(max(first, self.start), last):
            self.value = round(self.step(self.value, self.random), 2)
            out.append(sample(self.value, varint(second * 1000)))
        return time_series(self.labels, b"".join(out)) if out else b""


def counter(most):
    return lambda value, dice: value + dice.randrange(most) / 100


def gauge(most):
    return lambda value, dice: max(0.0, value + dice.randrange(-most, most + 1))


def series(end, hosts):
    """A thousand hosts' load, sixteen CPU counters of each tenth, what a dashboard shows of one, a day of one."""
    made = []
    for host in range(hosts):
        of = {"instance": f"host-{host:04}", "job": "node"}
        made.append(Walk({"__name__": "node_load1", **of}, end - (65 if host < hosts // 10 else 10) * 60, gauge(1)))
        if host < hosts // 10:
            for cpu in "01":
                made += [Walk({"__name__": "node_cpu_seconds_total", "cpu": cpu, "mode": mode, **of}, end - 65 * 60, counter(100 if mode == "idle" else 4))
                         for mode in MODES]
    of = {"instance": "host-0003", "job": "node"}
    for name in ("MemTotal", "MemAvailable", "MemFree", "Cached"):
        step = (lambda value, dice: value) if name == "MemTotal" else gauge(4096)
        made.append(Walk({"__name__": f"node_memory_{name}_bytes", **of}, end - 65 * 60, step))
    for direction in ("receive", "transmit"):
        made.append(Walk({"__name__": f"node_network_{direction}_bytes_total", "device": "eth0", **of}, end - 65 * 60, counter(2_000_000)))
    made.append(Walk({"__name__": "node_filesystem_avail_bytes", "mountpoint": "/", **of}, end - 65 * 60, gauge(4096)))
    made.append(Walk({"__name__": "day_load1", "instance": "day-1", "job": "node"}, end - 24 * HOUR, gauge(1)))
    return made


ONE = 'instance="host-0003"'
QUESTIONS = [
    ("last value, 1,000 hosts", "node_load1", 0, 0),
    ("avg by (instance) (rate[5m]), 1,600 series, 1 h at 60 s", "avg by (instance) (rate(node_cpu_seconds_total[5m]))", HOUR, 60),
    ("one series, 24 h at 300 s", "day_load1", 24 * HOUR, 300),
]
DASHBOARD = [
    (f'100 * (1 - avg by (instance) (rate(node_cpu_seconds_total{{{ONE}, mode="idle"}}[5m])))', HOUR, 15),
    (f"sum by (mode) (rate(node_cpu_seconds_total{{{ONE}}}[5m]))", HOUR, 15),
    (f"node_load1{{{ONE}}}", HOUR, 15),
    (f"node_memory_MemAvailable_bytes{{{ONE}}} / node_memory_MemTotal_bytes{{{ONE}}}", HOUR, 15),
    (f"node_memory_MemFree_bytes{{{ONE}}}", HOUR, 15),
    (f"node_memory_Cached_bytes{{{ONE}}}", HOUR, 15),
    (f"rate(node_network_receive_bytes_total{{{ONE}}}[5m]) * 8", HOUR, 15),
    (f"rate(node_network_transmit_bytes_total{{{ONE}}}[5m]) * 8", HOUR, 15),
    (f"node_filesystem_avail_bytes{{{ONE}}}", HOUR, 15),
    (f"predict_linear(node_filesystem_avail_bytes{{{ONE}}}[30m], 4 * 3600)", HOUR, 15),
    (f"max_over_time(node_load1{{{ONE}}}[10m])", HOUR, 15),
    ("topk(5, node_load1)", 0, 0),
]


class Server:
    """Something that takes remote_write and answers as Prometheus does."""

    def __init__(self, name, pid, port):
        self.name, self.pid, self.asked = name, pid, 0
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def request(self, method, path, body=None, headers=None):
        self.connection.request(method, path, body, headers or {})
        response = self.connection.getresponse()
        return response.status, response.read()

    def write(self, body):
        status, text = self.request("POST", "/api/v1/write", body, {
            "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"})
        if status // 100 != 2:
            raise RuntimeError(f"{self.name} refused samples: {status} {text[:300]!r}")

    def ask(self, question, end):
        expression, span, step = question
        given = {"query": expression, "nocache": "1"}  # VictoriaMetrics: its cache of results would answer
        given |= {"start": end - span, "end": end, "step": step} if span else {"time": end}
        status, text = self.request("GET", f"/api/v1/query{'_range' if span else ''}?" + urllib.parse.urlencode(given))
        if status != 200:
            raise RuntimeError(f"{self.name}: {expression}: {status} {text[:300]!r}")
        return text


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def peers(folder, adopt):
    """Those of the peers that are installed."""
    found = []
    if shutil.which("prometheus"):
        (folder / "prometheus.yml").write_text("global: {scrape_interval: 1h}\n")
        port = free_port()
        process = adopt(Process(["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/prometheus",
                                 "--web.enable-remote-write-receiver", f"--web.listen-address=127.0.0.1:{port}"], folder / "prometheus.log"))
        found.append(Server("Prometheus", process.child.pid, port))
    if shutil.which("victoria-metrics"):
        port = free_port()
        process = adopt(Process(["victoria-metrics", f"-storageDataPath={folder}/victoria", f"-httpListenAddr=127.0.0.1:{port}",
                                 "-retentionPeriod=10y"], folder / "victoria.log"))
        found.append(Server("VictoriaMetrics", process.child.pid, port))
    return found


def ready(server):
    try:
        return server.request("GET", "/api/v1/query?query=1")[0] == 200
    except OSError:
        server.connection.close()
        return False


def feed(servers, end, hosts, cpu_seconds):
    """Ten minutes at a time, so that nobody sees a sample that is too old. Gives CPU seconds and samples of each."""
    made = series(end, hosts)
    before = {server.name: cpu_seconds(server.pid) for server in servers}
    count = sum(end - walk.start for walk in made)
    for first in range(end - 24 * HOUR, end, 600):
        batch = []
        for walk in made:
            message = walk.message(first, min(first + 600, end))
            if message:
                batch.append(message)
            if len(batch) == 200:
                body = snappy(b"".join(batch))
                for server in servers:
                    server.write(body)
                batch = []
        if batch:
            body = snappy(b"".join(batch))
            for server in servers:
                server.write(body)
    return {server.name: cpu_seconds(server.pid) - before[server.name] for server in servers}, count


def shape(text):
    """How many series and points an answer has."""
    result = json.loads(text)["data"]["result"]
    return len(result), sum(len(each["values"]) if "values" in each else 1 for each in result)


def cost(server, questions, end, cpu_seconds, idle):
    """Milliseconds of CPU for all of them, once each."""
    for question in questions:
        server.ask(question, end)
    times, began, before = 0, time.monotonic(), cpu_seconds(server.pid)
    while times < 5 or (time.monotonic() - began < 3 and times < 200):
        for question in questions:
            server.ask(question, end)
        times += 1
    took = time.monotonic() - began
    return (cpu_seconds(server.pid) - before - idle * took) / times * 1000, took / times * 1000


def settle(servers, cpu_seconds, most=300):
    """Waits until everybody has put aside what it took; CPU that each takes idle."""
    ends = time.monotonic() + most
    while True:
        before = {server.name: cpu_seconds(server.pid) for server in servers}
        time.sleep(10)
        idle = {server.name: (cpu_seconds(server.pid) - before[server.name]) / 10 for server in servers}
        if max(idle.values()) < 0.03 or time.monotonic() > ends:
            return idle


WORST = [
    ('sum by (series) (rate({__name__=~"bench_.*"}[1m]))', HOUR, 5),
    ('quantile_over_time(0.9, {__name__=~"bench_.*"}[5m])', HOUR, 5),
    ('topk(10, {__name__=~".+"})', HOUR, 5),
    ('count by (__name__) ({__name__=~".+"})', 0, 0),
]


def hammer(server, stop):
    """The worst that can be asked, one after the other; limits may end them."""
    while not stop.is_set():
        for expression, span, step in WORST:
            now = int(time.time())
            given = {"query": expression} | ({"start": now - span, "end": now, "step": step} if span else {})
            server.request("GET", f"/api/v1/query{'_range' if span else ''}?" + urllib.parse.urlencode(given))
            server.asked += 1


def bench_beside_ingest(seconds, fleet):
    """Rows of what `fleet` reports, with nobody asking and with four clients that ask the worst."""
    rows = []
    for clients in (0, 4):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            vigil = Vigil(folder).start("ingest: {max_agents: 2000, max_hosts: 2000, max_new_hosts: 5000}\nquery: {timeout: 10s}\n")
            port = int(vigil.http.rsplit(":", 1)[1])
            stop = threading.Event()
            servers = [Server("vigil", vigil.aggregator.child.pid, port) for _ in range(clients)]
            threads = [threading.Thread(target=hammer, args=(server, stop), daemon=True) for server in servers]
            for thread in threads:
                thread.start()
            threading.Timer(seconds + 5, stop.set).start()  # what was acknowledged is read back by queries, too
            report, _ = fleet("--aggregator", vigil.grpc, "--agents", 500, "--series", 100, "--duration", f"{seconds}s", "--phase", "spread")
            stop.set()
            for thread in threads:
                thread.join()
            asked = sum(server.asked for server in servers)
            rows.append((f"{clients} clients, {asked} of the worst queries" if clients else "nobody asks", report))
            vigil.close()
    return rows


def bench(options, table, cpu_seconds):
    hosts = 1000
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        folder = pathlib.Path(folder)
        vigil = Vigil(folder).start("ingest: {max_hosts: 2000, max_new_hosts: 5000}\n")
        servers = [Server("vigil", vigil.aggregator.child.pid, int(vigil.http.rsplit(":", 1)[1]))] + peers(folder, vigil.adopt)
        for server in servers:
            eventually(server.name, lambda server=server: ready(server))
        end = int(time.time()) // 60 * 60 - 60
        fed, samples = feed(servers, end, hosts, cpu_seconds)
        for server in servers:
            if server.name == "VictoriaMetrics":
                server.request("GET", "/internal/force_flush")
        idle = settle(servers, cpu_seconds)
        rows = [(f"taking {samples:,} samples", *(f"{fed[server.name] * 1000:,.0f}" for server in servers))]
        asked = [(name, [(expression, span, step)]) for name, expression, span, step in QUESTIONS] + [(f"a dashboard, {len(DASHBOARD)} panels", DASHBOARD)]
        for name, questions in asked:
            shapes = {server.name: [shape(server.ask(question, end)) for question in questions] for server in servers}
            if any(given != shapes["vigil"] for given in shapes.values()):
                print(f"{name}: answers differ in shape: {shapes}")
            rows.append((name, *("{:.1f} ({:.1f})".format(*cost(server, questions, end, cpu_seconds, idle[server.name])) for server in servers)))
        table("Queries over HTTP, the same samples: CPU ms (wall ms)", ["question", *(server.name for server in servers)], rows)
        vigil.close()
