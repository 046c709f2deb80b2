"""Samples that no agent sends: Debian's Prometheus writes what it scrapes of node_exporter, and others write what they should not."""

import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from support import Process, eventually, metric

EXPORTER = shutil.which("prometheus-node-exporter")
PROMETHEUS = shutil.which("prometheus")
V1 = "application/x-protobuf"
V2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"


def varint(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number, value):
    """A field of a message: bytes, a double or an integer."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    return varint(number << 3) + varint(value)


def snappy(plain):
    """In snappy's block format, as literals only."""
    out = varint(len(plain))
    for start in range(0, len(plain), 60):
        piece = plain[start : start + 60]
        out += bytes([(len(piece) - 1) << 2]) + piece
    return out


def body_v1(*series):
    """Of (labels, [(ms, value), ...])."""
    out = b""
    for labels, samples in series:
        one = b"".join(field(1, field(1, name.encode()) + field(2, value.encode())) for name, value in labels.items())
        one += b"".join(field(2, field(1, float(value)) + field(2, ms)) for ms, value in samples)
        out += field(1, one)
    return out


def body_v2(*series):
    symbols, rest = [""], b""
    for labels, samples in series:
        refs = b""
        for text in (text for pair in labels.items() for text in pair):
            if text not in symbols:
                symbols.append(text)
            refs += varint(symbols.index(text))
        rest += field(5, field(1, refs) + b"".join(field(2, field(1, float(value)) + field(2, ms)) for ms, value in samples))
    return b"".join(field(4, symbol.encode()) for symbol in symbols) + rest


def post(vigil, body, content_type=V1, encoding="snappy"):
    """Status, headers and text of the answer."""
    request = urllib.request.Request(f"http://{vigil.http}/api/v1/write", data=body, method="POST")
    request.add_header("Content-Type", content_type)
    request.add_header("Content-Encoding", encoding)
    try:
        answer = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    except (ConnectionError, urllib.error.URLError):
        return 413, {}, ""  # refused before all of it was sent
    return answer.status, dict(answer.headers), answer.read().decode()


def ask(address, expression, at, without=()):
    """What an instant query gives: {labels: value or samples}, labels as sorted JSON."""
    query = urllib.parse.urlencode({"query": expression, "time": f"{at:.3f}"})
    answer = json.load(urllib.request.urlopen(f"http://{address}/api/v1/query?{query}", timeout=30))
    assert answer["status"] == "success", answer
    named = lambda metric: json.dumps({name: value for name, value in metric.items() if name not in without}, sort_keys=True)
    return {named(each["metric"]): each.get("values", each.get("value")) for each in answer["data"]["result"]}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.mark.skipif(not EXPORTER or not PROMETHEUS, reason="prometheus or prometheus-node-exporter is not installed")
def test_what_prometheus_writes_is_what_prometheus_has_also_across_a_kill(vigil, tmp_path):
    vigil.start()
    exporter = vigil.adopt(Process([EXPORTER, "--web.listen-address=127.0.0.1:0"], tmp_path / "exporter.log"))
    target = "127.0.0.1:" + exporter.wait_for(r"(?:Listening on|address)=?\D*127\.0\.0\.1:(\d+)").group(1)
    config = tmp_path / "prometheus.yml"
    config.write_text(
        f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s, external_labels: {{site: here}}}}
scrape_configs:
  - job_name: node
    static_configs: [{{targets: ["{target}"]}}]
remote_write:
  - url: http://{vigil.http}/api/v1/write
    queue_config: {{batch_send_deadline: 200ms, min_backoff: 50ms, max_backoff: 300ms, max_samples_per_send: 300}}
    metadata_config: {{send_interval: 2s}}
"""
    )
    own = f"127.0.0.1:{free_port()}"
    flags = [f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'tsdb'}", f"--web.listen-address={own}", "--log.level=warn"]
    prometheus = vigil.adopt(Process([PROMETHEUS, *flags], tmp_path / "prometheus.log"))

    name = f"remote_write/{target}"
    eventually("Prometheus writes", lambda: vigil.host(name)["series"] > 500)
    began = time.time()
    eventually("some scrapes are here", lambda: len(next(iter(ask(vigil.http, 'up{job="node"}[1m]', time.time()).values()))) >= 4)
    vigil.aggregator.kill(signal.SIGKILL)
    killed = time.time()
    eventually("Prometheus goes on meanwhile", lambda: time.time() - killed > 2)
    vigil.start()
    eventually("scrapes after the restart", lambda: max(float(t) for t, _ in next(iter(ask(vigil.http, 'up{job="node"}[1m]', time.time()).values()))) > killed + 3)

    at, span = time.time() - 0.5, int(time.time() - began) + 2
    expression = f'{{job="node", __name__!~"ALERTS.*"}}[{span}s]'
    numbers = lambda found: {labels: [(t, repr(float(value))) for t, value in samples] for labels, samples in found.items()}

    def the_same():  # a scrape that began before then may still be on its way, to either
        theirs = numbers(ask(own, expression, at))
        ours = numbers(ask(vigil.http, expression, at, without=["site"]))
        assert len(theirs) > 500
        different = [labels for labels in ours.keys() | theirs.keys() if ours.get(labels) != theirs.get(labels)]
        assert not different, f"{len(different)} series differ, such as {[(each, ours.get(each), theirs.get(each)) for each in different[:3]]}"
        return True

    eventually("everything has arrived", the_same)
    # The same by a query that computes: counters' types and encodings play no part.
    rates = f'sum by (mode) (rate(node_cpu_seconds_total{{job="node"}}[{span}s]))'
    mine, his = ask(vigil.http, rates, at), ask(own, rates, at)
    assert mine.keys() == his.keys()
    for labels, (_, value) in his.items():
        assert float(mine[labels][1]) == pytest.approx(float(value), rel=1e-9)

    host = vigil.host(name)
    assert (host["kind"], host["state"]) == ("remote_write", "up")
    assert not [labels for labels in ask(vigil.http, '{__name__=~"up|vigil_host_state"}', time.time()) if '"job": "node"' not in labels]
    # A target that goes away is stale at once, as Prometheus says.
    exporter.stop()
    eventually("up is 0", lambda: next(iter(ask(vigil.http, 'up{job="node"}', time.time()).values()))[1] == "0")
    eventually("its series are over", lambda: not ask(vigil.http, "node_load1", time.time()))
    prometheus.kill()  # asked to end it would wait a minute for vigil, which is gone by then


def test_both_versions_are_stored_once_and_told_what_was_written(vigil):
    vigil.start()
    now = int(time.time() * 1000)
    labels = {"__name__": "pushed_total", "instance": "web-1", "job": "app", "long": "x" * 1000}
    for version, content_type, write in (("1", V1, body_v1), ("2", V2, body_v2)):
        sent = snappy(write((labels | {"v": version}, [(now - 1000, 1), (now, 2.5)]), ({"__name__": "nowhere", "v": version}, [(now, -0.0)])))
        for _ in range(2):
            status, headers, text = post(vigil, sent, content_type)
            assert (status, text) == (204, "")
            assert headers["X-Prometheus-Remote-Write-Samples-Written"] == "3"
    found = ask(vigil.http, "pushed_total[1m]", now / 1000)
    assert len(found) == 2
    assert {json.loads(each)["v"] for each in found} == {"1", "2"}
    for each, samples in found.items():
        assert json.loads(each) == labels | {"v": json.loads(each)["v"]}
        assert [value for _, value in samples] == ["1", "2.5"]
    assert set(ask(vigil.http, "nowhere", now / 1000)) == {json.dumps({"__name__": "nowhere", "v": v}) for v in "12"}
    assert {host["name"]: host["kind"] for host in vigil.json("hosts")} == {"remote_write/web-1": "remote_write", "remote_write/-": "remote_write"}

    # Part of it cannot be stored: the rest is, and each reason is told.
    sent = body_v2((labels | {"v": "2"}, [(now, 7), (now + 1, 3)]), ({"job": "nameless"}, [(now, 1)]), ({"__name__": "old"}, [(1000, 1)]))
    status, headers, text = post(vigil, snappy(sent), V2)
    assert status == 400
    assert headers["X-Prometheus-Remote-Write-Samples-Written"] == "1"
    assert "1 sample is stored" in text and "1 differ" in text and "1 are too old" in text and "1 are of series" in text
    assert metric(vigil, 'vigil_aggregator_remote_write_samples_total{outcome="conflicting"}') == 1
    # Out of order, within the window, on both sides of a restart.
    assert post(vigil, snappy(body_v1((labels | {"v": "1"}, [(now - 60_000, 0.5), (now - 500, 1.5)]))))[0] == 204
    vigil.aggregator.kill(signal.SIGKILL)
    vigil.start()
    found = ask(vigil.http, 'pushed_total{v="1"}[2m]', now / 1000)
    assert [value for _, value in next(iter(found.values()))] == ["0.5", "1", "1.5", "2.5"]


def test_an_agent_and_a_sender_that_use_one_name_do_not_disturb_each_other(vigil):
    vigil.start()
    vigil.agent("web-1")
    vigil.wait_for_host("web-1")
    now = int(time.time() * 1000)
    same = {"__name__": "node_load1", "instance": "web-1", "job": "node"}
    assert post(vigil, snappy(body_v1((same, [(now - 30_000, 77)]), ({"__name__": "up", "instance": "web-1", "job": "app"}, [(now, 1)]))))[0] == 204
    assert {host["name"]: host["kind"] for host in vigil.json("hosts")} == {"web-1": "agent", "remote_write/web-1": "remote_write"}
    eventually("both are up", lambda: len(ask(vigil.http, 'up{instance="web-1"}', time.time())) == 2)

    def joined():
        found = ask(vigil.http, 'node_load1{instance="web-1"}[5m]', time.time())
        assert len(found) == 1  # one label set, one series
        return len(next(iter(found.values()))) > 2 and next(iter(found.values()))[0][1] == "77"

    eventually("both sides' samples are one series", joined)
    assert vigil.host("web-1")["duplicates"] == 0


def test_a_hostile_sender_does_no_harm(vigil):
    vigil.start("rules: {preset: none}\nremote_write:\n  max_request: 64KiB\n  max_hosts: 20\n  max_new_series: 1000\n")
    now = int(time.time() * 1000)
    good = snappy(body_v1(({"__name__": "good", "instance": "a"}, [(now, 1)])))
    assert post(vigil, good)[0] == 204
    resident = lambda: int(pathlib.Path(f"/proc/{vigil.aggregator.child.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    before = resident()

    assert post(vigil, good, "application/json")[0] == 415
    assert post(vigil, good, V1, "gzip")[0] == 415
    assert post(vigil, good, V1 + ";proto=some.Other")[0] == 415
    assert post(vigil, b"rubbish")[0] == 400
    assert post(vigil, b"")[0] == 400
    assert post(vigil, snappy(b"\xff" * 50))[0] == 400
    assert post(vigil, varint(1 << 31) + b"\x00")[0] == 413
    # A bomb: a copy of one byte, again and again; 60 KiB claim and give 1.3 MB of empty series.
    copies = b"\x00\x0a" + (b"\xfe\x01\x00" * 20_000)
    assert post(vigil, varint(1 + 64 * 20_000) + copies)[0] in (400, 413)
    status, _, text = post(vigil, b"x" * 100_000)
    assert status == 413
    for labels in ({"__name__": "x" * 5000}, {"__name__": "m", "l": "x" * 5000}, {"__name__": "m", "n" * 300: "v"}, {"__name__": "m"} | {f"l{i}": "v" for i in range(70)}):
        status, _, text = post(vigil, snappy(body_v1((labels, [(now, 1)]))))
        assert status == 400 and "series that cannot be stored" in text
    # More new series and hosts than are taken.
    flood = [({"__name__": f"m{i}", "instance": f"i{i % 40}"}, [(now, 1)]) for i in range(1200)]
    statuses = {post(vigil, snappy(body_v1(*flood[i : i + 300])))[0] for i in range(0, 1200, 300)}
    assert statuses == {400}
    assert len(vigil.json("hosts")) == 20
    # Each sample of a time of its own, backwards and forwards.
    zigzag = [(now - (i * 7_919_000) % 7_000_000, i) for i in range(2000)]
    assert post(vigil, snappy(body_v1(({"__name__": "good", "instance": "a"}, zigzag))))[0] in (204, 400)

    assert resident() < before + (150 << 20)
    assert post(vigil, snappy(body_v1(({"__name__": "good", "instance": "a"}, [(now + 1000, 2)]))))[0] == 204
    assert next(iter(ask(vigil.http, "good", now / 1000 + 1).values()))[1] == "2"
    vigil.agent("web-1")
    vigil.wait_for_host("web-1")
