"""A real Docker Engine of the test's own, seen by the shipped agent, told by the shipped command line, alarmed by the shipped rules."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import pytest
from support import BIN, eventually, start_docker_reader

sys.path.insert(0, str(pathlib.Path(__file__).parent / "docker"))

import docker_engine  # noqa: E402


@pytest.fixture
def engine():
    reason = docker_engine.why_not()
    if reason:
        pytest.skip(reason)
    folder = tempfile.mkdtemp(prefix="vigil-docker-")
    started = docker_engine.Engine(folder)
    try:
        assert started.start(), started.log_tail()
        started.api("POST", f"/images/create?fromSrc=-&repo={docker_engine.IMAGE.split(':')[0]}&tag={docker_engine.IMAGE.split(':')[1]}",
                    docker_engine.image_tar(), "application/x-tar")
        yield started
    finally:
        started.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def reader(engine, tmp_path):
    process = start_docker_reader(engine.socket, engine.folder + "/reader.sock", tmp_path / "reader.log")
    yield process
    process.stop()


@pytest.fixture(params=["directly", "through the reader"])
def asked(request, engine):
    """The socket that the agent is given."""
    return engine.socket if request.param == "directly" else request.getfixturevalue("reader").socket


def test_containers_are_listed_with_state_health_restarts_and_usage(vigil, engine, asked):
    docker_engine.fill(engine)
    vigil.start()
    vigil.agent("dock", ["--docker-socket", asked])
    vigil.wait_for_host("dock")
    container = lambda name: next(row for row in vigil.json("containers") if row["name"] == name)
    eventually("healthy", lambda: container("healthy")["health"] == "healthy")
    eventually("unhealthy", lambda: container("unhealthy")["health"] == "unhealthy")
    engine_says = lambda: engine.api("GET", "/containers/restarting/json")["RestartCount"]
    eventually("restarts, as the Engine counts them",
               lambda: container("restarting")["restarts"] >= 4 and abs(container("restarting")["restarts"] - engine_says()) <= 1)
    eventually("exit code", lambda: container("stopped")["state"] == "exited" and container("stopped")["exit_code"] == 7)
    eventually("oom", lambda: container("oom")["oom_kills"] >= 1)
    eventually("usage", lambda: container("busy")["cpu_cores"] > 0.05 and container("busy")["memory_bytes"] > 0)
    assert container("healthy")["memory_limit_bytes"] == 64 << 20
    assert container("created")["state"] == "created"
    assert "hunter2" not in vigil.cli("series", '{job="container"}').stdout, "environment variables must never travel"

    alerts = lambda: {(a["name"], a["state"]) for a in vigil.json("alerts")}
    eventually("the shipped rules see the unhealthy one", lambda: any(name.startswith("ContainerUnhealthy") for name, _ in alerts()))

    engine.api("DELETE", "/containers/healthy?force=1")
    eventually("a removed container is gone", lambda: not [row for row in vigil.json("containers") if row["name"] == "healthy"])


def test_a_container_that_must_run_and_does_not_is_an_alert_while_the_engine_answers(vigil, engine):
    engine.run("web", ["/bin/sleep", "100000"])
    vigil.start("""rules:
  preset: none
  expected_containers: [{names: [web, mail, 'app-*'], for: 1s}]
""")
    vigil.agent("dock", ["--docker-socket", engine.socket])
    vigil.wait_for_host("dock")
    missing = lambda: {a["labels"]["name"] for a in vigil.json("alerts") if a["name"] == "ContainerMissing" and a["state"] == "firing"}
    eventually("those that are not there are missed", lambda: missing() == {"mail", "app-*"}, patience=90)
    engine.run("app-1", ["/bin/sleep", "100000"])
    engine.run("mail", ["/bin/sleep", "100000"])
    engine.api("DELETE", "/containers/web?force=1")
    eventually("and one that is removed, until it is back", lambda: missing() == {"web"}, patience=90)
    engine.run("web", ["/bin/sleep", "100000"])
    eventually("all run", lambda: missing() == set(), patience=90)


def test_an_engine_that_hangs_costs_nothing_else(vigil, engine, asked):
    engine.run("steady", ["/bin/sleep", "100000"])
    vigil.start()
    vigil.agent("dock", ["--docker-socket", asked])
    vigil.wait_for_host("dock")
    eventually("running", lambda: [row for row in vigil.json("containers") if row["name"] == "steady" and row["state"] == "running"])
    os.kill(engine.process.pid, signal.SIGSTOP)
    try:
        eventually("the runtime is told to be silent", lambda: [r for r in vigil.query("vigil_container_runtime_up") if r["value"] == 0])
        assert vigil.host("dock")["state"] == "up"
    finally:
        os.kill(engine.process.pid, signal.SIGCONT)


def test_without_the_socket_a_stopped_container_stays_visible_as_exited(vigil, engine):
    engine.run("worker", ["sleep", "1000"])
    vigil.start()
    vigil.agent("blind", ["--docker-socket", "none"])
    vigil.wait_for_host("blind")
    short_id = engine.api("GET", "/containers/worker/json")["Id"][:12]
    states = lambda: {re.search(r'state="(\w+)"', row["series"]).group(1) for row in vigil.query(f'container_state{{name="{short_id}"}} == 1')}
    eventually("running, by its cgroup", lambda: states() == {"running"})
    engine.api("POST", "/containers/worker/kill")
    eventually("exited", lambda: states() == {"exited"})
    assert not vigil.query(f'container_exit_code{{name="{short_id}"}}'), "nobody told it"
    engine.api("POST", "/containers/worker/start")
    eventually("running again", lambda: states() == {"running"})


def look(socket_path):
    """One look of the agent at this engine's containers: {series: value} of what does not change by itself."""
    text = subprocess.run([BIN / "vigil-agent", "--once", "--docker-socket", socket_path], check=True, capture_output=True, text=True).stdout
    rows = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith(("container_", "vigil_container_")))
    steady = ("container_state", "container_health_state", "container_exit_code", "container_info", "container_spec_", "container_start_time",
              "container_threads_max", "vigil_container_runtime_up", "vigil_container_runtime_info")
    return {name: value if name.startswith(steady) else None for name, value in rows.items()}


def test_through_the_reader_the_agent_sees_the_same_series(engine, reader):
    check = {"Test": ["CMD", "/bin/true"], "Interval": 200_000_000}
    engine.run("web", ["/bin/sleep", "1000"], Healthcheck=check, Env=["SECRET=hunter2"], host={"Memory": 64 << 20, "NanoCpus": 500_000_000},
               Labels={"com.docker.compose.project": "shop", "com.docker.compose.service": "web", "password": "hunter2"})
    engine.run("stopped", ["/bin/sh", "-c", "exit 7"])
    engine.run("created", ["/bin/true"], start=False)
    eventually("healthy", lambda: engine.api("GET", "/containers/web/json")["State"]["Health"]["Status"] == "healthy")
    eventually("stopped", lambda: engine.api("GET", "/containers/stopped/json")["State"]["Status"] == "exited")
    direct = look(engine.socket)
    assert [name for name in direct if name.startswith("container_info{") and "shop" in name]
    assert [name for name, value in direct.items() if name.startswith("container_exit_code{") and value == "7"]
    assert look(reader.socket) == direct


def say(path, request):
    """What is answered to these bytes, until the other side closes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(30)
        connection.connect(path)
        connection.sendall(request)
        answer = b""
        while more := connection.recv(65536):
            answer += more
        return answer


def test_what_a_container_keeps_secret_ends_at_the_reader(engine, reader):
    engine.run("web", ["/bin/sleep", "1000"], Env=["SECRET=hunter2"], Labels={"password": "hunter2"})
    container = engine.api("GET", "/containers/web/json")["Id"]
    for target in (f"/containers/{container}/json", "/containers/json?all=1"):
        request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        assert b"hunter2" in say(engine.socket, request)
        answer = say(reader.socket, request)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and container.encode() in answer
        assert b"hunter2" not in answer
    assert "hunter2" not in json.dumps(look(reader.socket))


def test_an_event_through_the_reader_does_not_say_what_was_run_in_a_container(engine, reader):
    engine.run("web", ["/bin/sleep", "1000"])
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as events:
        events.settimeout(30)
        events.connect(reader.socket)
        events.sendall(b"GET /events?filters=%7B%22type%22%3A%5B%22container%22%5D%7D HTTP/1.1\r\nHost: localhost\r\n\r\n")
        said = events.recv(65536)
        events.settimeout(3)
        for _ in range(10):  # the engine answers before it listens to its events: the first may be missed
            made = engine.api("POST", "/containers/web/exec", {"Cmd": ["/bin/true", "--password=hunter2"]})
            engine.api("POST", f"/exec/{made['Id']}/start", {"Detach": True})
            try:
                while b'"exec_start"' not in said:
                    more = events.recv(65536)
                    assert more, said
                    said += more
                break
            except TimeoutError:
                continue
        assert b'"exec_start"' in said
    assert b"hunter2" not in said


HOST = "Host: localhost\r\n"
CREATE = json.dumps({"Image": docker_engine.IMAGE, "Cmd": ["/bin/sleep", "1000"]})
POST = f"POST /containers/create?name=smuggled HTTP/1.1\r\n{HOST}Content-Type: application/json\r\nContent-Length: {len(CREATE)}\r\n\r\n{CREATE}"
PING = f"GET /_ping HTTP/1.1\r\n{HOST}"
REFUSED = {
    "a POST": POST,
    "a POST behind a GET": PING + "\r\n" + POST,
    "a POST behind a GET that is kept alive": PING + "Connection: keep-alive\r\n\r\n" + POST,
    "a POST as the body of a GET": PING + f"Content-Length: {len(POST)}\r\n\r\n" + POST,
    "a POST behind a chunked body": PING + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + POST,
    "two lengths": PING + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + POST,
    "a length in disguise": PING + f"Content-Length : {len(POST)}\r\n\r\n" + POST,
    "a folded header": PING + f"Accept: a\r\n Content-Length: {len(POST)}\r\n\r\n" + POST,
    "lines that end otherwise": POST.replace("\r\n", "\n"),
    "another method in a header": f"GET /containers/create?name=smuggled HTTP/1.1\r\n{HOST}X-HTTP-Method-Override: POST\r\n\r\n",
    "an upgrade": PING + "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "HTTP/1.0": "GET /_ping HTTP/1.0\r\n\r\n",
    "HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "nothing like HTTP": "\x16\x03\x01\x02\r\n\r\n",
}
TARGETS = ["/images/json", "/info", "/v1.41/info", "/containers/web/json", "/containers/ID/exec", "/containers/ID/logs?stdout=1", "/containers/ID/top",
           "/containers/ID/export", "/containers/ID/archive?path=/bin", "/containers/ID/json?size=1", "/containers/json", "/containers/json?all=1&size=1",
           "/v1.41/../images/json", "/v1.41/containers/../images/json", "/v1.41/containers/%2e%2e/images/json", "/v1.41/containers%2fjson?all=1",
           "/containers/ID%2fjson", "/containers/ID/json%00", "//images/json", "/./images/json", "http://localhost/images/json",
           "http://localhost/containers/json?all=1", "unix:///images/json", "*", "/events", "/events?filters=%7B%7D", "/_ping/../images/json",
           "/v1.41/v1.41/containers/json?all=1", "/containers/json?all=1%20HTTP/1.1%0d%0a", "/containers/json?all=1#/images"]


def test_everything_else_is_refused_and_the_engine_hears_nothing_of_it(engine, reader):
    engine.run("web", ["/bin/sleep", "1000"])
    container = engine.api("GET", "/containers/web/json")["Id"]
    before = engine.api("GET", "/containers/json?all=1")
    requests = dict(REFUSED)
    for target in TARGETS:
        requests[target] = f"GET {target.replace('ID', container)} HTTP/1.1\r\n{HOST}\r\n"
    for method in ("POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "get"):
        requests[method] = f"{method} /containers/{container}/json HTTP/1.1\r\n{HOST}\r\n"
    for what, request in requests.items():
        answer = say(reader.socket, request.encode("latin-1"))
        assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n"), (what, answer[:200])
        assert answer.count(b"\r\n\r\n") == 1, (what, answer)
    after = engine.api("GET", "/containers/json?all=1")
    assert [row["Names"] for row in after] == [row["Names"] for row in before] == [["/web"]]
    assert say(reader.socket, (PING + "\r\n").encode()).endswith(b"\r\n\r\nOK"), "it answers still"
    reader.stop()
    log = reader.text()
    assert log.count(" refused ") in (1, 2), "one line a minute"
    assert f"refused={len(requests)}" in log
