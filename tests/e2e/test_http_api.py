"""Prometheus's HTTP API with the shipped programs: each route, what clients send, large answers, and clients that leave or dawdle."""

import gzip
import http.client
import json
import re
import shutil
import socket
import subprocess
import time
import urllib.parse

import pytest
from support import LOOPBACK, Vigil, eventually, metric

RULES = """groups:
  - name: load
    interval: 1s
    rules:
      - {record: 'load:max', expr: 'max(node_load1)'}
      - alert: Always
        expr: node_load1 >= 0
        labels: {severity: info}
        annotations: {summary: 'load {{ $value }}'}
"""
CONFIG = """rules: {{preset: none, files: [{rules}]}}
query: {{timeout: 10m}}
http: {{cors_origin: 'https://grafana\\.example'}}
notifications: {{receivers: [{{name: hook, webhook: {{url: 'http://127.0.0.1:1/in/hunter2'}}}}]}}
"""


class Client:
    def __init__(self, vigil):
        self.vigil = vigil
        self.host, port = vigil.http.rsplit(":", 1)
        self.port = int(port)

    def raw(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        data = response.read()
        connection.close()
        return response.status, response.headers, data

    def get(self, route, **parameters):
        query = urllib.parse.urlencode(parameters, doseq=True)
        return self._answer("GET", f"/api/v1/{route}?{query}")

    def post(self, route, **parameters):
        return self._answer("POST", f"/api/v1/{route}", urllib.parse.urlencode(parameters, doseq=True),
                            {"Content-Type": "application/x-www-form-urlencoded"})

    def data(self, route, **parameters):
        status, answer = self.get(route, **parameters)
        assert (status, answer["status"]) == (200, "success"), answer
        return answer["data"]

    def _answer(self, *request):
        status, headers, body = self.raw(*request)
        assert headers["Content-Type"] == "application/json"
        return status, json.loads(body)


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    rules = folder / "rules.yml"
    rules.write_text(RULES)
    vigil = Vigil(folder)
    vigil.start(CONFIG.format(rules=rules))
    vigil.agent("here")
    client = Client(vigil)
    client.rules = rules
    eventually("samples are there", lambda: client.data("query", query="rate(node_cpu_seconds_total[5s])")["result"])
    yield client
    vigil.close()


def test_queries_answer_to_get_and_post(api):
    for ask in (api.get, api.post):
        status, answer = ask("query", query='node_load1{instance="here"}')
        assert status == 200 and list(answer) == ["status", "data"] and list(answer["data"]) == ["resultType", "result"]
        (sample,) = answer["data"]["result"]
        assert sample["metric"]["__name__"] == "node_load1" and sample["metric"]["job"] == "node"
        assert isinstance(sample["value"][0], float) and float(sample["value"][1]) >= 0
        now = time.time()
        status, answer = ask("query_range", query="up", start=now - 10, end=now, step="1s")
        assert status == 200 and answer["data"]["resultType"] == "matrix"
        assert all(re.fullmatch(r"[01]", value) for _, value in answer["data"]["result"][0]["values"])
        assert "here" in {series["instance"] for series in ask("series", **{"match[]": "up"})[1]["data"]}
        assert {"__name__", "instance", "job"} <= set(ask("labels")[1]["data"])
        assert ask("format_query", query="sum by(a)(up)")[1]["data"] == "sum by (a) (up)"
        assert ask("parse_query", query="up")[1]["data"]["type"] == "vectorSelector"
        assert ask("query_exemplars", query="up", start=0, end=1)[1]["data"] == []


def test_the_other_routes_have_prometheus_shapes(api):
    assert "here" in api.data("label/instance/values")
    assert "node_load1" in api.data("label/__name__/values")
    assert api.data("label/U__instance/values") == api.data("label/instance/values")
    assert api.data("metadata", metric="node_load1") == {"node_load1": [{"type": "gauge", "help": "", "unit": ""}]}
    (group,) = api.data("rules")["groups"]
    assert group["name"] == "load" and group["interval"] == 1 and [rule["type"] for rule in group["rules"]] == ["recording", "alerting"]
    alerting = eventually("the alert fires", lambda: [rule for rule in api.data("rules", type="alert")["groups"][0]["rules"] if rule["state"] == "firing"])[0]
    assert alerting["health"] == "ok" and alerting["alerts"][0]["labels"]["alertname"] == "Always"
    assert api.data("alerts")["alerts"][0]["state"] == "firing"
    assert api.data("alertmanagers") == {"activeAlertmanagers": [], "droppedAlertmanagers": []}
    assert api.data("status/buildinfo")["version"].startswith("3.")
    assert api.data("status/runtimeinfo")["reloadConfigSuccess"] is True
    assert api.data("status/flags")["grpc-listen"] == f"{LOOPBACK}:0"
    shown = api.data("status/config")["yaml"]
    assert "preset: none" in shown and "hunter2" not in shown
    assert api.data("status/tsdb")["headStats"]["numSeries"] > 100
    (target,) = [target for target in api.data("targets")["activeTargets"] if target["labels"]["instance"] == "here"]
    assert target["health"] == "up" and target["scrapePool"] == "agents"


def test_errors_say_what_is_wrong_with_prometheus_types(api):
    cases = [("query", {}, 400, "bad_data", "parameter query"),
             ("query", {"query": "sum("}, 400, "bad_data", "1:5"),
             ("query_range", {"query": "up", "start": 0, "end": 1e9, "step": 1}, 400, "bad_data", "11000 points"),
             ("query", {"query": "node_load1 * on(instance) node_cpu_seconds_total"}, 422, "execution", ""),
             ("series", {}, 400, "bad_data", "parameter match[]"),
             ("nothing", {}, 404, "not_found", "/api/v1/nothing")]
    for route, parameters, status, kind, text in cases:
        got, answer = api.get(route, **parameters)
        assert (got, answer["status"], answer["errorType"]) == (status, "error", kind), answer
        assert text in answer["error"]


def test_answers_are_compressed_as_the_client_likes(api):
    path = "/api/v1/series?" + urllib.parse.urlencode({"match[]": "node_cpu_seconds_total"})  # which is complete with the first beat
    _, _, plain = api.raw("GET", path)
    _, headers, packed = api.raw("GET", path, headers={"Accept-Encoding": "gzip"})
    assert headers["Content-Encoding"] == "gzip" and "Accept-Encoding" in headers.get_all("Vary")
    assert len(packed) < len(plain) / 4 and gzip.decompress(packed) == plain
    curl = subprocess.run(["curl", "-sS", "--compressed", "-H", "Accept-Encoding: zstd", "-D", "-", f"http://{api.vigil.http}{path}"],
                          check=True, capture_output=True, timeout=60).stdout
    head, body = curl.split(b"\r\n\r\n", 1)
    assert b"Content-Encoding: zstd" in head and body == plain


def resident_bytes(vigil):
    status = open(f"/proc/{vigil.aggregator.child.pid}/status").read()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024


def large():
    """The path of a range query whose answer has some 25 MB."""
    now = time.time()
    return "/api/v1/query_range?" + urllib.parse.urlencode(
        {"query": 'label_replace(vector(123456.789), "i", "x", "", "") or on(i) ' +
                  " or on(i) ".join(f'label_replace(vector(time() / {i}), "i", "{i}", "", "")' for i in range(1, 100)),
         "start": now - 10_000, "end": now, "step": 1})


def test_a_large_answer_leaves_memory_flat(api):
    connection = http.client.HTTPConnection(api.host, api.port, timeout=60)
    connection.request("GET", large())
    response = connection.getresponse()
    assert response.headers["Transfer-Encoding"] == "chunked"
    text = response.read(1 << 16)
    before = resident_bytes(api.vigil)
    most = before
    pieces = [text]
    while piece := response.read(1 << 20):
        pieces.append(piece)
        most = max(most, resident_bytes(api.vigil))
    connection.close()
    text = b"".join(pieces)
    assert len(text) > 20_000_000
    assert most - before < len(text) / 2  # the rest is for what the aggregator does beside it
    assert len(json.loads(text)["data"]["result"]) == 100


def test_slow_readers_hold_up_nobody(api):
    slow = []
    for _ in range(3):
        reader = socket.create_connection((api.host, api.port))
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.sendall(f"GET {large()} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert reader.recv(20).startswith(b"HTTP/1.1 200")
        slow.append(reader)
    assert api.data("query", query="1+1")["result"][1] == "2"
    for reader in slow:
        reader.close()


def test_a_query_ends_when_its_client_leaves(api):
    """Both query threads are busy with what would take long; a third waits. All leave."""
    heavy = " + ".join(["max_over_time(sum(node_load1)[100d:1s])"] * 100)
    left = 'vigil_aggregator_http_requests_total{code="499",route="/api/v1/query"}'
    before = metric(api.vigil, left)
    clients = []
    for _ in range(3):
        client = socket.create_connection((api.host, api.port))
        client.sendall(f"GET /api/v1/query?{urllib.parse.urlencode({'query': heavy})} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        clients.append(client)
    eventually("lookups go on meanwhile", lambda: api.data("label/instance/values"))
    for client in clients:
        client.close()
    eventually("their queries ended", lambda: metric(api.vigil, left) == before + 3)
    assert api.data("query", query="1+1")["result"][1] == "2"


def test_only_the_allowed_origin_may_read(api):
    _, headers, _ = api.raw("GET", "/api/v1/labels", headers={"Origin": "https://grafana.example"})
    assert headers["Access-Control-Allow-Origin"] == "https://grafana.example"
    status, headers, _ = api.raw("OPTIONS", "/api/v1/query", headers={"Origin": "https://grafana.example", "Access-Control-Request-Method": "POST"})
    assert status == 204 and "POST" in headers["Access-Control-Allow-Methods"]
    _, headers, _ = api.raw("GET", "/api/v1/labels", headers={"Origin": "https://grafana.example.evil"})
    assert headers["Access-Control-Allow-Origin"] is None


def test_a_reload_over_http_says_what_became_of_it(api):
    good = api.rules.read_text()
    try:
        api.rules.write_text("groups: [{name: x, rules: [{alert: A, expr: 'sum('}]}]")
        status, _, body = api.raw("POST", "/-/reload")
        assert status == 500 and b"rules.yml:1" in body
        assert api.data("status/runtimeinfo")["reloadConfigSuccess"] is False
        problems = api.vigil.json("status")["problems"]
        assert any(line.startswith("the last reload was refused: ") and "rules.yml:1" in line for line in problems), problems
        assert [group["name"] for group in api.data("rules")["groups"]] == ["load"]
        api.rules.write_text(good.replace("name: load", "name: burden"))
        assert api.raw("PUT", "/-/reload")[0] == 200
        eventually("its rules are there", lambda: [group["name"] for group in api.data("rules")["groups"]] == ["burden"])
        assert api.data("status/runtimeinfo")["reloadConfigSuccess"] is True
        assert not any("reload" in line for line in api.vigil.json("status")["problems"])
    finally:
        api.rules.write_text(good)
        assert api.raw("POST", "/-/reload")[0] == 200
        # What follows finds the rules of before, and the alert that begins anew with them.
        listed = lambda: {group["name"]: group["rules"][1]["alerts"] for group in api.data("rules")["groups"]}
        eventually("the rules are back and the alert is listed", lambda: list(listed()) == ["load"] and listed()["load"])
    assert api.raw("POST", "/-/reload", headers={"Origin": "https://evil.example"})[0] == 403


def test_probes_and_federation(api):
    assert api.raw("GET", "/-/ready")[0] == 200 and api.raw("HEAD", "/-/healthy")[0] == 200
    status, headers, body = api.raw("GET", "/federate?" + urllib.parse.urlencode({"match[]": "node_load1"}))
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert re.fullmatch(r'# TYPE node_load1 untyped\nnode_load1\{instance="here",job="node"\} [0-9.]+ \d{13}\n', body.decode())


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_asks_as_it_asks_prometheus(api):
    def promtool(*args):
        return subprocess.run(["promtool", "query", *args], check=True, capture_output=True, text=True, timeout=60).stdout

    server = f"http://{api.vigil.http}"
    assert re.match(r'node_load1\{instance="here", job="node"\} => [0-9.]+ @\[', promtool("instant", server, "node_load1"))
    assert promtool("range", server, "up", "--step=1s").startswith('up{instance="here"')
    assert 'instance="here"' in promtool("series", server, "--match=up")
    assert "here" in promtool("labels", server, "instance").split()


# What Grafana's Prometheus data source asks: the health check and queries of its backend (pkg/promlib/client and querydata of
# grafana/grafana: instant and range by POST with a form, times in seconds with a fraction, step in seconds), its editor's lists
# (labels, label values, series and metadata through the resource API), alerting's rules, and what its settings page asks.
def test_what_grafana_asks_is_answered(api):
    now = time.time()
    span = {"start": f"{now - 3600:.3f}", "end": f"{now:.3f}"}
    status, answer = api.post("query", query="1+1", time=f"{now:.3f}")
    assert status == 200 and answer["data"] == {"resultType": "scalar", "result": [pytest.approx(now, abs=0.01), "2"]}
    status, answer = api.post("query_range", query="rate(node_cpu_seconds_total[1m0s])", step="15", **span)
    assert status == 200 and answer["data"]["resultType"] == "matrix"
    assert api.post("query_exemplars", query="up", **span)[1]["data"] == []
    assert "instance" in api.data("labels", **{"match[]": '{__name__="node_load1"}', **span})
    assert "instance" in api.post("labels", **{"match[]": 'node_load1{instance=~"h.*"}', **span})[1]["data"]
    assert api.data("label/instance/values", **{"match[]": "node_load1", "limit": "40000", **span}) == ["here"]
    assert api.data("series", **{"match[]": 'node_load1{job="node"}', **span})[0]["instance"] == "here"
    assert api.data("metadata", limit="40000")["node_load1"][0]["type"] == "gauge"
    assert api.data("rules")["groups"]
    assert set(api.data("status/buildinfo")) >= {"version", "revision", "branch", "buildUser", "buildDate", "goVersion"}


# What the page of Prometheus itself asks (web/ui/mantine-ui/src/pages of prometheus/prometheus and its expression editor).
def test_what_the_page_of_prometheus_asks_is_answered(api):
    now = time.time()
    api.data("query", query="up", time=now, stats="true")
    assert api.data("query_range", query="up", start=now - 3600, end=now, step=14)["resultType"] == "matrix"
    api.data("parse_query", query="sum(rate(node_cpu_seconds_total[5m])) by (mode)")
    api.data("format_query", query="up")
    for route in ("label/__name__/values", "labels", "metadata", "alerts", "targets?state=active", "scrape_pools", "notifications",
                  "targets?scrapePool=agents&state=active", "alertmanagers", "status/config", "status/flags", "status/buildinfo",
                  "status/runtimeinfo", "status/tsdb", "status/walreplay"):
        status, answer = api._answer("GET", "/api/v1/" + route)
        assert (status, answer["status"]) == (200, "success"), route
    # A reload that renamed the group, and back, began the alert anew; it is there with the next evaluation.
    alerts = eventually("the alert is listed",
                        lambda: api.data("rules", type="alert", exclude_alerts="false")["groups"][0]["rules"][0]["alerts"])
    assert alerts[0]["activeAt"]
