"""A real Docker Engine of the test's own, seen by the shipped agent, told by the shipped command line, alarmed by the shipped rules."""

import pathlib
import re
import shutil
import sys
import tempfile

import pytest
from support import eventually

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


def test_containers_are_listed_with_state_health_restarts_and_usage(vigil, engine):
    docker_engine.fill(engine)
    vigil.start()
    vigil.agent("dock", ["--docker-socket", engine.socket])
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


def test_an_engine_that_hangs_costs_nothing_else(vigil, engine):
    import os
    import signal

    engine.run("steady", ["/bin/sleep", "100000"])
    vigil.start()
    vigil.agent("dock", ["--docker-socket", engine.socket])
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
