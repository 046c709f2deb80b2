#!/usr/bin/env python3
"""Starts a Docker Engine of its own, fills it with containers in every state, and checks what vigil sees of them.

    docker_engine.py PROBE            the test; exit code 77 means skipped (no dockerd, not root)
    docker_engine.py PROBE --bench N  N busy containers, and what a tick costs

Everything lies in one temporary folder; the Engine has no network bridge, no firewall rules and its own socket, so one that is
installed on the machine is not touched. Whatever happens, containers, Engine and folder are gone at the end.
"""
import contextlib
import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time

SKIPPED = 77
IMAGE = "vigil-test:1"


class Api(http.client.HTTPConnection):
    """The Engine's API over its socket; the docker command may not be installed."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def call(self, method, target, body=None, kind="application/json"):
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        self.request(method, target, data, {"Content-Type": kind})
        answer = self.getresponse()
        text = answer.read()
        self.close()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {target}: {answer.status} {text.decode(errors='replace')}")
        return json.loads(text) if text[:1] in (b"{", b"[") else text


def image_tar():
    """A root file system of one static busybox."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in ("bin", "proc", "sys", "dev", "etc", "tmp"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(folder)
        tar.add(shutil.which("busybox"), "bin/busybox")
        for name in ("sh", "sleep", "cat", "true", "false", "dd", "tail", "rm", "test", "touch"):
            link = tarfile.TarInfo("bin/" + name)
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return out.getvalue()


class Engine:
    def __init__(self, folder):
        self.folder = folder
        self.socket = folder + "/docker.sock"
        self.process = None

    def start(self):
        command = ["dockerd", "--data-root", self.folder + "/data", "--exec-root", self.folder + "/exec",
                   "--pidfile", self.folder + "/pid", "-H", "unix://" + self.socket, "--bridge=none", "--iptables=false",
                   "--ip-forward=false", "--ip-masq=false", "--storage-driver=vfs",
                   "--containerd-namespace", "vigil-test", "--containerd-plugins-namespace", "vigil-test-plugins"]
        with open(self.folder + "/log", "w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        for _ in range(300):
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError, RuntimeError, http.client.HTTPException):
                self.api("GET", "/_ping")
                return True
            time.sleep(0.1)
        return False

    def log_tail(self):
        with open(self.folder + "/log", errors="replace") as log:
            return "".join(log.readlines()[-15:])

    def api(self, method, target, body=None, kind="application/json"):
        return Api(self.socket).call(method, target, body, kind)

    def run(self, name, command, start=True, **more):
        host = {"NetworkMode": more.pop("network", "none"), **more.pop("host", {})}
        self.api("POST", f"/containers/create?name={name}", {"Image": IMAGE, "Cmd": command, "HostConfig": host, **more})
        if start:
            self.api("POST", f"/containers/{name}/start")

    def stop(self):
        with contextlib.suppress(Exception):
            for container in self.api("GET", "/containers/json?all=1"):
                with contextlib.suppress(Exception):
                    self.api("DELETE", f"/containers/{container['Id']}?force=1")
        if self.process is None:
            return
        for number, patience in ((signal.SIGTERM, 20), (signal.SIGKILL, 5)):
            with contextlib.suppress(ProcessLookupError):
                # SIGKILL reaches containerd too, which is dockerd's child and of its session.
                os.kill(self.process.pid, number) if number == signal.SIGTERM else os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)
                break
        unmount_below(self.folder)


def unmount_below(folder):
    with open("/proc/self/mounts") as mounts:
        points = [line.split()[1] for line in mounts if line.split()[1].startswith(folder + "/")]
    for point in sorted(points, key=len, reverse=True):
        subprocess.run(["umount", "-l", point], stderr=subprocess.DEVNULL, check=False)


class Probe:
    """One tick of the collector per call, as {(name, labels): value}."""

    def __init__(self, program, socket_path):
        self.process = subprocess.Popen([program, socket_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tick(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        series = {}
        for line in self.process.stdout:
            if line == "# end\n":
                return series
            match = re.match(r"(\w+)(?:\{(.*)\})? (\S+)$", line)
            if match:
                labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or ""))
                series[(match[1], frozenset(labels.items()))] = float(match[3])
        raise RuntimeError("the probe ended")

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


def value(series, metric, **wanted):
    """The only series of that metric with these labels, or None."""
    found = [v for (name, labels), v in series.items() if name == metric and set(wanted.items()) <= labels]
    assert len(found) <= 1, f"{metric} {wanted}: {len(found)} series"
    return found[0] if found else None


def state(series, name):
    on = [dict(labels)["state"] for (metric, labels), v in series.items()
          if metric == "container_state" and ("name", name) in labels and v == 1]
    return on[0] if len(on) == 1 else on or None


def health(series, name):
    on = [dict(labels)["state"] for (metric, labels), v in series.items()
          if metric == "container_health_state" and ("name", name) in labels and v == 1]
    return on[0] if len(on) == 1 else None


class Checks:
    def __init__(self, probe):
        self.probe, self.failed, self.done = probe, 0, 0

    def that(self, what, good, seen=""):
        self.done += 1
        if not good:
            self.failed += 1
        print(("ok    " if good else "FAIL  ") + what + ("" if good else f"   seen: {seen}"), flush=True)

    def equal(self, what, seen, wanted):
        self.that(what, seen == wanted, f"{seen}, expected {wanted}")

    def soon(self, what, look, wanted, seconds):
        """Ticks until `look(series)` is `wanted`, at most so many seconds."""
        begun = time.monotonic()
        seen = None
        while time.monotonic() - begun < seconds:
            seen = look(self.probe.tick())
            if seen == wanted:
                self.that(f"{what} ({time.monotonic() - begun:.2f} s)", True)
                return
            time.sleep(0.05)
        self.that(f"{what} within {seconds} s", False, f"{seen}, expected {wanted}")


def cgroup_number(pid, controller, file_v1, file_v2):
    """Reads the number straight from the container's cgroup, wherever this host keeps it."""
    for line in open(f"/proc/{pid}/cgroup"):
        _, controllers, path = line.strip().split(":", 2)
        if controller in controllers.split(","):
            with open(f"/sys/fs/cgroup/{controllers}{path}/{file_v1}") as file:
                return int(file.read())
    path = [line.strip().split(":", 2)[2] for line in open(f"/proc/{pid}/cgroup") if line.startswith("0::")][0]
    with open(f"/sys/fs/cgroup{path}/{file_v2}") as file:
        return int(file.read())


def fill(engine):
    check = {"Interval": 500_000_000, "Timeout": 5_000_000_000, "Retries": 1}
    engine.run("healthy", ["/bin/sleep", "100000"], Healthcheck={"Test": ["CMD", "/bin/test", "!", "-e", "/tmp/ill"], **check},
               Labels={"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}, Env=["SECRET=hunter2"],
               host={"Memory": 64 << 20, "NanoCpus": 500_000_000, "PidsLimit": 50})
    engine.run("unhealthy", ["/bin/sleep", "100000"], Healthcheck={"Test": ["CMD", "/bin/false"], **check})
    engine.run("restarting", ["/bin/sh", "-c", "sleep 0.2; exit 3"], host={"RestartPolicy": {"Name": "always"}})
    # The shell outlives its child: when the kill ends the container at once, containerd's shim misses about one in sixty on a
    # busy machine, and then nobody knows of it, `OOMKilled` included.
    engine.run("oom", ["/bin/sh", "-c", "tail /dev/zero; code=$?; sleep 2; exit $code"], host={"Memory": 8 << 20, "MemorySwap": 8 << 20})
    engine.run("stopped", ["/bin/sh", "-c", "exit 7"])
    engine.run("created", ["/bin/true"], start=False)
    engine.run("busy", ["/bin/sh", "-c", "dd if=/dev/zero of=/tmp/file bs=64k count=64 2>/dev/null; while :; do :; done"],
               network="host", host={"NanoCpus": 200_000_000})


def check_states(checks):
    checks.soon("a healthy container is healthy", lambda s: health(s, "healthy"), "healthy", 20)
    checks.soon("an unhealthy one is unhealthy", lambda s: health(s, "unhealthy"), "unhealthy", 20)
    checks.soon("the OOM-killed one has exited", lambda s: state(s, "oom"), "exited", 20)
    checks.soon("its kill is counted once", lambda s: value(s, "container_oom_events_total", name="oom"), 1, 5)
    checks.soon("the restarting one has restarted", lambda s: (value(s, "container_restarts_total", name="restarting") or 0) >= 3, True, 30)
    series = checks.probe.tick()
    checks.equal("exit code of the OOM-killed one", value(series, "container_exit_code", name="oom"), 137)
    checks.equal("a stopped container stays visible", state(series, "stopped"), "exited")
    checks.equal("with its exit code", value(series, "container_exit_code", name="stopped"), 7)
    checks.equal("a created one is created", state(series, "created"), "created")
    checks.that("the restarting one is restarting or running", state(series, "restarting") in ("restarting", "running"), state(series, "restarting"))
    checks.equal("the runtime is up", value(series, "vigil_container_runtime_up", runtime="docker"), 1)
    checks.equal("compose labels", value(series, "container_info", name="healthy", compose_project="shop", compose_service="web"), 1)
    checks.that("no environment anywhere", "hunter2" not in str(series))


def check_restarts(engine, checks):
    for _ in range(5):
        count = engine.api("GET", "/containers/restarting/json")["RestartCount"]
        seen = value(checks.probe.tick(), "container_restarts_total", name="restarting")
        if seen is not None and abs(seen - count) <= 1:
            break
        time.sleep(0.5)
    checks.that("restarts agree with the Engine's count", abs(seen - count) <= 1, f"{seen}, Engine {count}")


def check_numbers(engine, checks):
    pid = engine.api("GET", "/containers/busy/json")["State"]["Pid"]
    low = cgroup_number(pid, "cpuacct", "cpuacct.usage", "") / 1e9 if os.path.exists("/sys/fs/cgroup/cpuacct") else None
    series = checks.probe.tick()
    cpu = value(series, "container_cpu_usage_seconds_total", name="busy")
    if low is not None:
        high = cgroup_number(pid, "cpuacct", "cpuacct.usage", "") / 1e9
        checks.that("CPU seconds lie between two readings of the cgroup", low - 1e-6 <= cpu <= high, f"{low} {cpu} {high}")
    stats = engine.api("GET", "/containers/busy/stats?stream=false")
    engine_cpu = stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9
    later = value(checks.probe.tick(), "container_cpu_usage_seconds_total", name="busy")
    checks.that("and enclose what the Engine's stats say", cpu - 1e-6 <= engine_cpu <= later + 1e-6, f"{cpu} {engine_cpu} {later}")  # the agent counts in whole microseconds
    series = checks.probe.tick()
    memory = value(series, "container_memory_usage_bytes", name="busy")
    raw = cgroup_number(pid, "memory", "memory.usage_in_bytes", "memory.current")
    checks.that("memory agrees with the cgroup", abs(memory - raw) <= 1 << 20, f"{memory} {raw}")
    stats = engine.api("GET", "/containers/busy/stats?stream=false&one-shot=1")
    checks.that("and with the Engine's stats", abs(memory - stats["memory_stats"]["usage"]) <= 1 << 20, f"{memory} {stats['memory_stats']}")
    checks.that("working set is at most usage", value(series, "container_memory_working_set_bytes", name="busy") <= memory)
    checks.equal("memory limit", value(series, "container_spec_memory_limit_bytes", name="healthy"), 64 << 20)
    checks.equal("no memory limit is 0", value(series, "container_spec_memory_limit_bytes", name="busy"), 0)
    checks.equal("CPU quota", value(series, "container_spec_cpu_quota", name="healthy"), 50000)
    checks.equal("pids limit", value(series, "container_threads_max", name="healthy"), 50)
    checks.that("threads", value(series, "container_threads", name="busy") >= 1)
    checks.that("a limited busy container is throttled", value(series, "container_cpu_cfs_throttled_periods_total", name="busy") > 0)
    checks.that("host network is not counted again", not any(m.startswith("container_network") and ("name", "busy") in l for m, l in series))


def check_changes(engine, checks):
    quick = 10  # seconds; it takes a fraction of one, but the machine may be busy with other tests
    engine.api("POST", "/containers/unhealthy/pause")
    checks.soon("a pause is seen", lambda s: state(s, "unhealthy"), "paused", quick)
    engine.api("POST", "/containers/unhealthy/unpause")
    checks.soon("and its end", lambda s: state(s, "unhealthy"), "running", quick)
    engine.api("POST", "/containers/unhealthy/kill")
    checks.soon("a kill is seen", lambda s: state(s, "unhealthy"), "exited", quick)
    checks.equal("with exit code 137", value(checks.probe.tick(), "container_exit_code", name="unhealthy"), 137)
    before = value(checks.probe.tick(), "container_restarts_total", name="healthy")
    engine.api("POST", "/containers/healthy/restart?t=0")
    checks.soon("a restart by hand is counted", lambda s: value(s, "container_restarts_total", name="healthy"), before + 1, quick)
    checks.soon("and the restarted container is read", lambda s: value(s, "container_memory_usage_bytes", name="healthy") is not None, True, quick)
    exec_id = engine.api("POST", "/containers/healthy/exec", {"Cmd": ["/bin/touch", "/tmp/ill"]})["Id"]
    engine.api("POST", f"/exec/{exec_id}/start", {"Detach": True})
    checks.soon("a check that begins to fail is seen", lambda s: health(s, "healthy"), "unhealthy", quick)
    engine.api("DELETE", "/containers/stopped")
    checks.soon("a removed container is gone", lambda s: state(s, "stopped"), None, quick)
    engine.run("late", ["/bin/sleep", "100000"])
    checks.soon("a new container appears", lambda s: state(s, "late"), "running", quick)


def check_silence(engine, checks):
    """The Engine stopped in its tracks: accepts, never answers."""
    os.kill(engine.process.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        checks.probe.tick()
        checks.that("a stopped Engine delays no tick", time.monotonic() - begun < 0.5)
        time.sleep(1)
        first = value(checks.probe.tick(), "container_cpu_usage_seconds_total", name="busy")
        time.sleep(1)
        second = value(checks.probe.tick(), "container_cpu_usage_seconds_total", name="busy")
        checks.that("and CPU is still counted", second > first, f"{first} {second}")
        checks.soon("its silence is noticed", lambda s: value(s, "vigil_container_runtime_up", runtime="docker"), 0, 45)
    finally:
        os.kill(engine.process.pid, signal.SIGCONT)
    checks.soon("and its return", lambda s: value(s, "vigil_container_runtime_up", runtime="docker"), 1, 45)


def check_no_socket(engine, program):
    probe = Probe(program, "none")
    try:
        checks = Checks(probe)
        container = engine.api("GET", "/containers/busy/json")["Id"][:12]
        checks.equal("without the socket a container is found by its cgroup", state(probe.tick(), container), "running")
        checks.that("and read", value(probe.tick(), "container_memory_usage_bytes", name=container) > 0)
        return checks
    finally:
        probe.close()


def test(engine, program):
    fill(engine)
    probe = Probe(program, engine.socket)
    try:
        checks = Checks(probe)
        check_states(checks)
        check_restarts(engine, checks)
        check_numbers(engine, checks)
        check_changes(engine, checks)
        check_silence(engine, checks)
    finally:
        probe.close()
    more = check_no_socket(engine, program)
    failed = checks.failed + more.failed
    print(f"{checks.done + more.done} checks, {failed} failed")
    return 1 if failed else 0


def bench(engine, program, count):
    for i in range(count):
        engine.run(f"c{i}", ["/bin/sleep", "100000"], host={"Memory": 64 << 20, "NanoCpus": 500_000_000})
    return subprocess.run([program, engine.socket, "15"], check=False).returncode


def why_not():
    if shutil.which("dockerd") is None:
        return "no dockerd (Debian: docker.io)"
    if os.geteuid() != 0:
        return "not root"
    if shutil.which("busybox") is None:
        return "no busybox (Debian: busybox-static)"
    return None


def main():
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    if why_not():
        print("skipped:", why_not())
        return SKIPPED
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))  # so that the clean-up runs
    folder = tempfile.mkdtemp(prefix="vigil-docker-", dir="/tmp")
    engine = Engine(folder)
    try:
        if not engine.start():
            print("skipped: dockerd does not start here:\n" + engine.log_tail())
            return SKIPPED
        engine.api("POST", f"/images/create?fromSrc=-&repo={IMAGE.split(':')[0]}&tag=1", image_tar(), "application/x-tar")
        if "--bench" in sys.argv:
            return bench(engine, sys.argv[1], int(sys.argv[sys.argv.index("--bench") + 1]))
        return test(engine, sys.argv[1])
    finally:
        engine.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
