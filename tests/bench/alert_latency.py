"""From a sample that crosses a threshold to the webhook about it: vigil beside Prometheus and Alertmanager at their quickest, the same samples,
rules and receiver. Counted from the moment at which the push of the sample begins to the one at which all of the webhook's request is there."""

import http.client
import json
import pathlib
import random
import shutil
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from support import HttpSink, Process, Vigil, eventually  # noqa: E402
from test_remote_write import V1, body_v1, free_port, snappy  # noqa: E402

ALERTS, WARM_UP = 200, 5
RULES = 20  # of vigil's own receivers more than 20 messages of one rule a minute become a digest
MOST_ASKED = 8
LEAST, MOST = 0.05, 0.25  # seconds between two alerts, so that they meet every phase of an evaluation interval

ROUTES = """
route: {{receiver: bench, group_by: ['...'], group_wait: 0s, group_interval: 1h}}
receivers: [{{name: bench, webhook_configs: [{{url: "{url}/hook", send_resolved: false}}]}}]
"""


def write_rules(folder):
    rules = "".join(f"  - {{alert: High{n}, expr: 'bench_value{{rule=\"{n}\"}} > 5', labels: {{severity: critical}}}}\n" for n in range(RULES))
    (folder / "rules.yml").write_text("groups:\n- name: bench\n  rules:\n" + rules)


class Sender:
    """Pushes by remote_write without waiting for answers, which come when the samples are on the disk."""

    def __init__(self, address):
        self.address = address.split(":")
        self.asked = []  # connections that have an answer to come

    def push(self, *values):
        """Of (host, value). When it began, in seconds."""
        if len(self.asked) == MOST_ASKED:
            self.take_answer()
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        connection.connect()
        now_ms = int(time.time() * 1000)
        series = [({"__name__": "bench_value", "instance": f"web-{host}", "rule": str(host % RULES)}, [(now_ms, value)]) for host, value in values]
        body = snappy(body_v1(*series))
        began = time.time()
        connection.request("POST", "/api/v1/write", body,
                           {"Content-Type": V1, "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"})
        self.asked.append(connection)
        return began

    def take_answer(self):
        connection = self.asked.pop(0)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status in (200, 204), (answer.status, text)
        connection.close()

    def take_answers(self):
        while self.asked:
            self.take_answer()


def told(sink):
    """When the sink first heard of which host."""
    out = {}
    for request in list(sink.requests):
        for alert in json.loads(request["body"])["alerts"]:
            out.setdefault(alert["labels"]["instance"], request["time"])
    return out


def cross(address, sink, cpu):
    """Milliseconds of each alert, sorted; what `cpu` gives grew by; and the seconds it took."""
    sender, pause = Sender(address), random.Random(1)
    sender.push(*((host, 0.0) for host in range(WARM_UP + ALERTS)))
    sender.take_answers()
    for host in range(WARM_UP):
        sender.push((host, 9.0))
        eventually("the first webhooks", lambda host=host: f"web-{host}" in told(sink))
    before, began, due = cpu(), {}, time.time()
    started = due
    for host in range(WARM_UP, WARM_UP + ALERTS):
        due += pause.uniform(LEAST, MOST)
        time.sleep(max(0, due - time.time()))
        began[f"web-{host}"] = sender.push((host, 9.0))
    heard = eventually("the last webhooks", lambda: (t := told(sink)).keys() >= began.keys() and t)
    sender.take_answers()
    spent = [after - earlier for after, earlier in zip(cpu(), before)]
    return sorted((heard[host] - at) * 1000 for host, at in began.items()), spent, time.time() - started


def vigil_with(interval, notifications):
    """A system to measure: given a folder and a sink it is started, and gives the address to push to, and its processes."""
    def start(folder, sink):
        (folder / "alertmanager.yml").write_text(ROUTES.format(url=sink.url))
        vigil = Vigil(folder).start(f"rules: {{preset: none, interval: {interval}, files: [{folder}/rules.yml]}}\n"
                                    f"notifications: {notifications.format(url=sink.url)}\n")
        return vigil.http, [vigil.aggregator]

    return start


def prometheus_each(interval):
    def start(folder, sink):
        (folder / "alertmanager.yml").write_text(ROUTES.format(url=sink.url))
        address, manager = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        (folder / "prometheus.yml").write_text(f"""
global: {{evaluation_interval: {interval}}}
rule_files: [rules.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{manager}"]}}]}}]}}
""")
        processes = [
            Process(["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/prometheus", "--log.level=warn",
                     "--web.enable-remote-write-receiver", f"--web.listen-address={address}"], folder / "prometheus.log"),
            Process(["prometheus-alertmanager", f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/alertmanager",
                     f"--web.listen-address={manager}", "--cluster.listen-address="], folder / "alertmanager.log")]
        for each in (address, manager):
            eventually("peers are ready", lambda each=each: ask(each, "/-/ready"))
        # Seconds later: until then it drops alerts, and repeats them after a minute.
        eventually("Prometheus knows Alertmanager", lambda: json.loads(ask(address, "/api/v1/alertmanagers"))["data"]["activeAlertmanagers"])
        return address, processes

    return start


def ask(address, path):
    return urllib.request.urlopen(f"http://{address}{path}", timeout=5).read()


def row_of(name, start, cpu_seconds, memory):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        folder, sink = pathlib.Path(folder), HttpSink()
        write_rules(folder)
        address, processes = start(folder, sink)
        try:
            latencies, spent, took = cross(address, sink, lambda: [cpu_seconds(process.child.pid) for process in processes])
            rss = [memory(process.child.pid)["rss"] for process in processes]
        finally:
            for process in processes:
                process.stop()
            sink.close()
    at = lambda share: f"{latencies[min(len(latencies) - 1, int(len(latencies) * share))]:.1f}"
    return (name, at(0.5), at(0.9), at(0.99), f"{latencies[-1]:.1f}", f"{took:.0f}", " + ".join(f"{each:.2f}" for each in spent),
            " + ".join(f"{each:.0f}" for each in rss))


def measure(options, cpu_seconds, memory, table):
    own = '{{receivers: [{{name: bench, webhook: {{url: "{url}/hook"}}, send_resolved: false}}]}}'
    # vigil's interval is how often a rule looks at a host at most: with 1ms each sample is looked at.
    systems = [(f"vigil, rules each {interval}, {name}", vigil_with(interval, notifications)) for interval in ("1s", "1ms")
               for name, notifications in (("a receiver of its own", own), ("alertmanager.yml", "{{alertmanager_file: alertmanager.yml}}"))]
    if shutil.which("prometheus") and shutil.which("prometheus-alertmanager"):
        systems += [(f"Prometheus, rules each {interval}, + Alertmanager", prometheus_each(interval)) for interval in ("1s", "100ms")]
    rows = [row_of(name, start, cpu_seconds, memory) for name, start in systems]
    table(f"Pushed sample to webhook, {ALERTS} alerts, no waiting for a group",
          ["system", "p50 ms", "p90 ms", "p99 ms", "max ms", "in s", "CPU s", "RSS MiB"], rows)
