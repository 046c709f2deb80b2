"""A real Podman of the test's own, without network and with its own storage, seen by the shipped agent."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest
from support import Process, eventually, start_docker_reader

sys.path.insert(0, str(pathlib.Path(__file__).parent / "docker"))

import docker_engine  # noqa: E402

# The defaults of Podman may ask for more than the machine gives its root.
LIMITS = ["--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]


class Podman:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.socket = self.folder / "podman.sock"
        self.service = None
        self.runtime = None

    def base(self, runtime):
        return ["podman", "--root", self.folder / "root", "--runroot", self.folder / "run", "--storage-driver", "vfs",
                "--cgroup-manager", "cgroupfs", "--events-backend", "file", "--runtime", runtime]

    def call(self, *args, stdin=None, runtime=None):
        done = subprocess.run([*self.base(runtime or self.runtime), *args], input=stdin, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode(errors="replace")[-500:]
        return done.stdout.decode()

    def start(self):
        """Why it cannot be started, or nothing. crun refuses hybrid cgroups, runc may not be installed."""
        reasons = []
        for runtime in ("crun", "runc"):
            try:
                self.call("import", "-", docker_engine.IMAGE, stdin=docker_engine.image_tar(), runtime=runtime)
                self.call("run", "--rm", *LIMITS, docker_engine.IMAGE, "/bin/true", runtime=runtime)
                self.runtime = runtime
                break
            except (AssertionError, subprocess.TimeoutExpired) as error:
                reasons.append(f"{runtime}: {error}")
        if self.runtime is None:
            return "; ".join(reasons)
        self.service = Process([*self.base(self.runtime), "system", "service", "--time=0", f"unix://{self.socket}"], self.folder / "service.log")
        eventually("its socket", self.socket.exists)
        return None

    def stop(self):
        if self.runtime:
            subprocess.run([*self.base(self.runtime), "rm", "-fa", "-t", "0"], capture_output=True, timeout=120)
        if self.service:
            self.service.stop()


@pytest.fixture
def podman():
    if shutil.which("podman") is None:
        pytest.skip("no podman")
    if (reason := docker_engine.why_not()) and "dockerd" not in reason:
        pytest.skip(reason)
    folder = tempfile.mkdtemp(prefix="vigil-podman-")
    started = Podman(folder)
    try:
        if reason := started.start():
            pytest.skip(f"podman cannot run a container here: {reason}")
        yield started
    finally:
        started.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["directly", "through the reader"])
def asked(request, podman, tmp_path):
    """The socket that the agent is given."""
    if request.param == "directly":
        yield str(podman.socket)
        return
    reader = start_docker_reader(podman.socket, podman.folder / "podman-reader.sock", tmp_path / "reader.log")
    yield reader.socket
    reader.stop()
    assert " refused=0\n" in reader.text(), "all that the agent asks is on the list"


def test_containers_of_podman_are_listed_and_followed(vigil, podman, asked):
    podman.call("run", "-d", "--name", "worker", *LIMITS, "--memory", "64m", docker_engine.IMAGE, "/bin/sleep", "1000")
    podman.call("create", "--name", "fresh", *LIMITS, docker_engine.IMAGE, "/bin/sleep", "1000")
    vigil.start()
    vigil.agent("pod", ["--docker-socket", asked])
    vigil.wait_for_host("pod")
    container = lambda name: next(row for row in vigil.json("containers") if row["name"] == name)
    eventually("running", lambda: container("worker")["state"] == "running")
    eventually("created", lambda: container("fresh")["state"] == "created")
    eventually("its memory", lambda: container("worker")["memory_bytes"] > 0)
    assert vigil.query('vigil_container_runtime_up{runtime="podman"} == 1')
    eventually("its version", lambda: vigil.query('vigil_container_runtime_info{runtime="podman"} == 1'))
    assert len(vigil.json("containers")) == 2, "no container is seen twice"

    podman.call("kill", "worker")
    eventually("stopped", lambda: container("worker")["state"] == "exited" and container("worker")["exit_code"] == 137)
    podman.call("start", "worker")
    eventually("running again", lambda: container("worker")["state"] == "running" and container("worker")["restarts"] == 1)
    podman.call("rm", "-f", "-t", "0", "worker")
    eventually("removed", lambda: [row["name"] for row in vigil.json("containers")] == ["fresh"])
