"""What is in the memory of a program that crashes: no core of it is written, and nobody of its user looks into it while it runs."""

import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile

import pytest

from support import BIN, LOOPBACK, eventually

WORD = b"canary7f3a-core"
PROGRAMS = ["vigil-aggregator", "vigil-agent"]


class Started:
    """A program in a folder of its own, which may write cores as large as they get."""

    def __init__(self, folder, program, *flags, user=None):
        self.folder = pathlib.Path(folder)
        self.log = self.folder / "log"
        secret = self.folder / "secret"
        secret.write_bytes(b"http://127.0.0.1:9/services/" + WORD)
        secret.chmod(0o600)
        config = self.folder / "config.yml"
        own = ["--data-dir", self.folder / "data", "--grpc-listen", f"{LOOPBACK}:0", "--http-listen", f"{LOOPBACK}:0"]
        if program == "vigil-aggregator":
            config.write_text(f"notifications: {{receivers: [{{name: ops, slack: {{webhook_url_file: {secret}}}}}]}}\n")
        else:
            config.write_text("name: here\n")
            own = ["--aggregator", f"{LOOPBACK}:9", "--spool", self.folder / "spool"]
        limit = resource.getrlimit(resource.RLIMIT_CORE)[1]
        as_user = []
        if user is not None:
            for path in (self.folder, secret, config):
                os.chown(path, user, user)
            as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        with open(self.log, "w") as log:
            self.child = subprocess.Popen([*as_user, self.program(program), *own, "--config", config, *flags], cwd=self.folder, stdout=log, stderr=log,
                                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (limit, limit)))
        eventually("it runs", lambda: re.search(r" ready (grpc|aggregator)=", self.log.read_text()))

    def program(self, name):
        if os.geteuid() == 0:  # where another user may execute it
            return shutil.copy(BIN / name, self.folder / name)
        return BIN / name

    def crash(self):
        """Whether the kernel dumped it, and the cores that lie in its folder."""
        self.child.send_signal(signal.SIGABRT)
        status = os.waitpid(self.child.pid, 0)[1]
        self.child.returncode = -os.WTERMSIG(status)
        assert os.WTERMSIG(status) == signal.SIGABRT
        return os.WCOREDUMP(status), [path for path in self.folder.glob("*core*") if path.is_file()]

    def stop(self):
        self.child.kill()
        self.child.wait(timeout=60)


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_crashes_leaves_no_core(tmp_path, program):
    (tmp_path / "allowed").mkdir()
    (tmp_path / "usual").mkdir()
    dumped, cores = Started(tmp_path / "allowed", program, "--core-dumps").crash()
    if not dumped:
        pytest.skip("this machine writes no core of anything (ulimit -H -c, /proc/sys/kernel/core_pattern)")
    if cores and program == "vigil-aggregator":  # or there would be nothing to keep
        assert WORD in cores[0].read_bytes()
    assert Started(tmp_path / "usual", program).crash() == (False, [])


@pytest.fixture
def folders():
    """Two that another user may get to; pytest's own are its user's alone."""
    made = [pathlib.Path(tempfile.mkdtemp(prefix="vigil-core-")) for _ in range(2)]
    for folder in made:
        folder.chmod(0o755)
    yield made
    for folder in made:
        shutil.rmtree(folder)


@pytest.mark.parametrize("program", PROGRAMS)
def test_other_processes_of_its_user_do_not_look_into_it(folders, program):
    user = 65534 if os.geteuid() == 0 else None

    def seen(started):
        command = ["cat", f"/proc/{started.child.pid}/environ"]  # asks the kernel as reading the memory does, but for Yama
        as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user is not None else []
        return subprocess.run([*as_user, *command], capture_output=True).returncode == 0

    for folder, flags, expected in ((folders[0], ["--core-dumps"], True), (folders[1], [], False)):
        started = Started(folder, program, *flags, user=user)
        try:
            assert seen(started) is expected
        finally:
            started.stop()


def test_an_agent_that_keeps_its_memory_private_still_sees_itself_and_its_host(vigil):
    vigil.start()
    agent = vigil.agent()
    vigil.wait_for_host()
    assert os.stat(f"/proc/{agent.child.pid}").st_uid == 0  # as the kernel gives what nobody may look into
    value = lambda expression: [row["value"] for row in vigil.query(expression)]
    eventually("its own memory", lambda: value("vigil_agent_resident_memory_bytes")[0] > 1e6)
    eventually("its host", lambda: value("node_memory_MemTotal_bytes"))
