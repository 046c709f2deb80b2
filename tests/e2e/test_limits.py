"""What is too many, too much or not wanted any more: refused or removed with a clear word, and nothing else suffers."""

import mmap
import signal
import socket
import subprocess
import time

import pytest
from support import BIN, PATIENCE, CountingProxy, durable, eventually, metric


def test_new_hosts_past_the_limit_wait_and_are_told_its_key(vigil):
    vigil.start("rules: {preset: none}\ningest: {max_hosts: 1}")
    # The aggregator's own figures are of a host, too, which takes nobody's place.
    vigil.aggregator.wait_for('a new host host="rules/vigil itself"')
    vigil.agent("first")
    vigil.wait_for_host("first")
    second = vigil.agent("second")
    second.wait_for("1 host is known already, ingest.max_hosts")
    eventually("it is counted", lambda: metric(vigil, 'vigil_aggregator_refused_total{reason="full"}') > 0)
    assert [host["name"] for host in vigil.json("hosts")] == ["first"]
    assert second.child.poll() is None


def test_an_agent_with_too_many_series_is_told_the_key_and_so_is_the_operator(vigil):
    vigil.start("ingest: {max_series: 100}")
    agent = vigil.agent("many")
    agent.wait_for("ingest.max_series")
    eventually("status says why", lambda: [p for p in vigil.json("status")["problems"] if "many is turned away" in p and "ingest.max_series" in p])
    assert agent.child.poll() is None


def test_a_host_is_forgotten_and_its_name_begins_anew(vigil):
    vigil.start("ingest: {down_after: 2s}")
    agent = vigil.agent("here")
    vigil.wait_for_host()
    refused = vigil.cli("forget", "here", check=False)
    assert refused.returncode == 1 and "here is connected from" in refused.stderr
    unknown = vigil.cli("forget", "hare", check=False)
    assert unknown.returncode == 1 and "did you mean here?" in unknown.stderr

    agent.kill(signal.SIGKILL)
    vigil.wait_for_host(state="down")
    eventually("HostDown", lambda: [a for a in vigil.json("alerts", "--firing") if a["name"] == "HostDown"])
    assert vigil.json("forget", "here")[0]["series"] > 100
    forgotten = time.time() * 1000
    assert vigil.json("hosts") == []
    assert vigil.query("node_load1") == [] and vigil.query("up") == []
    eventually("its alerts are over", lambda: vigil.json("alerts", "--firing") == [])
    assert vigil.aggregator.stop() == 0
    vigil.start()
    assert vigil.json("hosts") == []

    vigil.agent("here")
    vigil.wait_for_host()
    assert eventually("samples", lambda: vigil.query("node_load1[10m]"))[0]["time_ms"] > forgotten


def test_a_hangup_of_the_terminal_does_not_end_an_agent(vigil):
    vigil.start()
    agent = vigil.agent()
    vigil.wait_for_host()
    agent.child.send_signal(signal.SIGHUP)
    before = len(vigil.query("node_load1[10m]"))
    eventually("samples go on", lambda: len(vigil.query("node_load1[10m]")) > before + 2)
    assert agent.child.poll() is None


def test_a_second_signal_ends_a_stop_that_takes_long_and_loses_nothing(vigil, tmp_path):
    silent = socket.create_server(("127.0.0.1", 0))  # takes a message and never answers: stopping waits 2 s for it
    (tmp_path / "rules.yml").write_text("groups: [{name: g, interval: 1s, rules: [{alert: Always, expr: vector(1)}]}]")
    config = f"""
rules: {{files: [{tmp_path}/rules.yml]}}
notifications:
  receivers: [{{name: program, webhook: {{url: "http://127.0.0.1:{silent.getsockname()[1]}/"}}}}]
"""
    vigil.start(config)
    vigil.agent("here")
    silent.settimeout(PATIENCE)
    taken = silent.accept()  # kept: closed it would be an answer
    seen = eventually("samples", lambda: (rows := vigil.query("node_load1[5m]")) and len(rows) > 2 and rows)
    durable(vigil)
    vigil.aggregator.child.send_signal(signal.SIGTERM)
    vigil.aggregator.wait_for("stopping signal=SIGTERM")
    vigil.aggregator.wait_for("agent disconnected|stream ended")
    assert vigil.aggregator.kill(signal.SIGTERM) == 128 + signal.SIGTERM
    assert "a second signal" in vigil.aggregator.log.read_text()
    vigil.start(config)
    again = {row["time_ms"] for row in vigil.query("node_load1[5m]")}
    assert {row["time_ms"] for row in seen} <= again


def crowd_at(address, family=socket.AF_INET, count=300):
    crowd = []
    for _ in range(count):
        connection = socket.socket(family)
        connection.setblocking(False)
        connection.connect_ex(address)
        crowd.append(connection)
    return crowd


def test_a_crowd_at_the_grpc_port_takes_no_descriptors_that_others_need(vigil):
    vigil.start(prefix=["prlimit", "--nofile=200:200"])
    assert "not enough open files for ingest.max_agents" in vigil.aggregator.text()
    vigil.agent("here")
    vigil.wait_for_host()
    host, port = vigil.grpc.rsplit(":", 1)
    newest = lambda: metric(vigil, "vigil_aggregator_batches_total")  # over HTTP, which has room of its own
    crowd = crowd_at((host, int(port)))
    try:
        vigil.aggregator.wait_for("connections are refused: there are as many as ingest.max_agents")
        eventually("refusals are counted", lambda: metric(vigil, 'vigil_aggregator_connections_refused_total{port="grpc",reason="full"}') > 100)
        before = newest()
        eventually("the agent goes on", lambda: newest() > before + 2)
    finally:
        for connection in crowd:
            connection.close()
    eventually("it answers again", lambda: vigil.cli("status", check=False).returncode == 0)
    assert metric(vigil, "vigil_aggregator_port_reopened_total") == 0


def test_a_stranger_who_sends_on_and_on_at_the_grpc_port_is_ended_and_agents_are_not(vigil):
    vigil.start()
    vigil.agent("here")
    vigil.wait_for_host()
    host, port = vigil.grpc.rsplit(":", 1)
    unknown_frame = (4096).to_bytes(3, "big") + b"\xf0" + bytes(5) + bytes(4096)  # HTTP/2 has it ignored
    deadline = time.monotonic() + PATIENCE
    with socket.create_connection((host, int(port))) as stranger, pytest.raises(OSError):
        stranger.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5))
        while time.monotonic() < deadline:
            stranger.sendall(unknown_frame)
    eventually("it is counted", lambda: metric(vigil, 'vigil_aggregator_connections_ended_total{port="grpc",reason="stranger"}') == 1)
    newest = lambda: metric(vigil, "vigil_aggregator_batches_total")
    before = newest()
    eventually("the agent goes on", lambda: newest() > before + 2)
    assert vigil.cli("status", check=False).returncode == 0
    assert metric(vigil, 'vigil_aggregator_connections_ended_total{port="grpc",reason="calls"}') == 0


class SlowLink(CountingProxy):
    """Lets 200 KB a second through towards the aggregator."""

    def _pass(self, index, source, sink):
        try:
            while piece := source.recv(4096):
                sink.sendall(piece)
                if index == 0:
                    time.sleep(len(piece) / 200_000)
        except OSError:
            pass
        sink.close()


def test_a_long_request_over_a_slow_link_is_not_taken_for_a_strangers(vigil, tmp_path):
    vigil.start()
    rule = "{alert: A%d, expr: up == 0, annotations: {summary: " + 400 * "x" + "}}"
    (tmp_path / "many.yml").write_text("groups: [{name: g, rules: [\n" + ",\n".join(rule % i for i in range(500)) + "]}]")
    link = SlowLink(vigil.grpc)
    try:
        done = subprocess.run([BIN / "vigil", "--aggregator", link.address, "rules", "replay", tmp_path / "many.yml", "--since", "1m"], capture_output=True, text=True, timeout=PATIENCE)
    finally:
        link.close()
    assert done.returncode == 0, done.stderr
    assert "A499" in done.stdout
    assert metric(vigil, 'vigil_aggregator_connections_ended_total{port="grpc",reason="stranger"}') == 0


def test_a_grpc_socket_without_descriptors_left_is_opened_anew(vigil):
    with open(BIN / "vigil-aggregator", "rb") as program, mmap.mmap(program.fileno(), 0, access=mmap.ACCESS_READ) as text:
        if text.find(b"__ubsan_handle_dynamic_type") >= 0:
            pytest.skip("the sanitizer tries through a pipe whether memory can be read, and complains of objects when no descriptor is left for one")
    vigil.start(prefix=["prlimit", "--nofile=200:200"])
    vigil.agent("here")
    vigil.wait_for_host()
    crowd = crowd_at(str(vigil.data / "vigil.sock"), socket.AF_UNIX)
    try:
        vigil.aggregator.wait_for("the port accepts no more connections")
    finally:
        for connection in crowd:
            connection.close()
    eventually("it answers again", lambda: vigil.cli("status", check=False).returncode == 0)
    newest = lambda: max(row["time_ms"] for row in vigil.query("node_load1[10m]"))
    before = newest()
    eventually("the agent is back", lambda: newest() > before + 2000)
    assert metric(vigil, "vigil_aggregator_port_reopened_total") >= 1
