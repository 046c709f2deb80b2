"""Starts the shipped binaries on ephemeral loopback ports and waits for what they say, never for time to pass."""

import email
import http.server
import json
import os
import pathlib
import re
import select
import signal
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from waiting import eventually  # noqa: E402
BIN = pathlib.Path(os.environ.get("VIGIL_BIN", ROOT / "build" / "release" / "bin"))
# Each process of tests has an address of its own: what is started again on its port must find it free.
LOOPBACK = "127.0.0.%d" % (1 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")))
PATIENCE = 60  # seconds until something expected counts as not happening; generous, for shared machines


def metric(vigil, name):
    """One of the aggregator's own metrics, summed over its labels."""
    text = urllib.request.urlopen(f"http://{vigil.http}/metrics", timeout=5).read().decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


def durable(vigil):
    """Waits until all that queries could see before is on disk: it was queued for a commit before they saw it."""
    def committed():
        text = urllib.request.urlopen(f"http://{vigil.http}/metrics", timeout=5).read().decode()
        figure = lambda name: float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE).group(1))
        return figure("vigil_store_queued_bytes"), figure("vigil_store_commits_total")

    _, before = committed()

    def done():
        queued, commits = committed()
        return queued == 0 or commits >= before + 2  # the first may have begun earlier

    eventually("what was seen is on disk", done)


class Lines:
    """Lines of a child's pipe, each within PATIENCE. The pipe is a binary one that nobody else reads."""

    def __init__(self, pipe):
        self.pipe = pipe
        self.rest = b""

    def next(self):
        deadline = time.monotonic() + PATIENCE
        while b"\n" not in self.rest:
            ready, _, _ = select.select([self.pipe], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"no line within {PATIENCE} s, only {self.rest!r}"
            piece = os.read(self.pipe.fileno(), 1 << 16)
            assert piece, f"the pipe has ended, after {self.rest!r}"
            self.rest += piece
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode()


class Process:
    """A child with its standard error in a file."""

    def __init__(self, args, log, env=None):
        self.log = pathlib.Path(log)
        self.file = open(self.log, "ab")
        environment = {key: value for key, value in os.environ.items() if key not in ("NOTIFY_SOCKET", "JOURNAL_STREAM")}
        environment.update(env or {})
        self.child = subprocess.Popen([str(arg) for arg in args], stdout=self.file, stderr=self.file, env=environment)

    def text(self):
        return self.log.read_text(errors="replace")

    def wait_for(self, pattern, start=0, patience=PATIENCE):
        def look():
            found = re.search(pattern, self.text()[start:])
            if not found and self.child.poll() is not None:
                raise RuntimeError(f"process ended with {self.child.returncode}:\n{self.text()[-3000:]}")
            return found

        return eventually(f"{pattern!r} in {self.log}", look, patience)

    def kill(self, sig=signal.SIGKILL):
        if self.child.poll() is None:
            self.child.send_signal(sig)
        code = self.child.wait(timeout=3 * PATIENCE)  # of one that is killed the kernel may have to wait for the disk
        self.file.close()
        return code

    def stop(self):
        return self.kill(signal.SIGTERM)


def start_docker_reader(engine, path, log):
    """vigil-docker-reader before an engine's socket, started by hand; it listens at `path`."""
    process = Process([BIN / "vigil-docker-reader", "--engine", engine, "--listen", path], log)
    process.wait_for("docker-reader: answering")
    process.socket = str(path)
    return process


class Vigil:
    """An aggregator with agents and the command line, all in one folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.processes = []
        self.grpc = f"{LOOPBACK}:0"
        self.http = f"{LOOPBACK}:0"
        self.aggregator = None

    def start(self, config=None, flags=(), prefix=()):
        args = [*prefix, BIN / "vigil-aggregator", "--data-dir", self.data, "--grpc-listen", self.grpc, "--http-listen", self.http, *flags]
        if config is not None:
            path = self.folder / "aggregator.yml"
            path.write_text(config)
            args += ["--config", path]
        log = self.folder / "aggregator.log"
        start = len(log.read_text()) if log.exists() else 0
        self.aggregator = self.adopt(Process(args, log))
        ready = self.aggregator.wait_for(r"ready grpc=(\S+) https?=(\S+)", start, 3 * PATIENCE)  # on a busy disk, too
        self.grpc, self.http = ready.group(1), ready.group(2)
        return self

    def agent(self, name="here", flags=(), env=None, config=None, aggregator=None):
        args = [BIN / "vigil-agent", "--aggregator", aggregator or self.grpc, "--name", name, *flags]
        if config is not None:
            path = self.folder / f"agent-{name}.yml"
            path.write_text(config)
            args += ["--config", path]
        return self.adopt(Process(args, self.folder / f"agent-{name}-{len(self.processes)}.log", env))

    def adopt(self, process):
        self.processes.append(process)
        return process

    def cli(self, *args, check=True):
        return subprocess.run([BIN / "vigil", "--aggregator", self.grpc, *args], check=check, capture_output=True, text=True, timeout=PATIENCE)

    def json(self, *args):
        return json.loads(self.cli(*args, "-o", "json").stdout)

    def query(self, expression, *args):
        return self.json("query", expression, *args)

    def host(self, name="here"):
        return next(host for host in self.json("hosts") if host["name"] == name)

    def wait_for_host(self, name="here", state="up"):
        return eventually(f"host {name} is {state}", lambda: self.host(name)["state"] == state)

    def close(self):
        for process in reversed(self.processes):
            if process.child.poll() is None:
                process.kill(signal.SIGTERM)


class CountingProxy:
    """Stands between an agent and the aggregator and counts what passes: `sent[0]` pieces towards the aggregator, `sent[1]` back."""

    def __init__(self, target):
        host, port = target.rsplit(":", 1)
        self.target = (host, int(port))
        self.sent = [0, 0]
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(self.target)
            for index, (source, sink) in enumerate(((near, far), (far, near))):
                sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pass, args=(index, source, sink), daemon=True).start()

    def _pass(self, index, source, sink):
        try:
            while piece := source.recv(1 << 16):
                self.sent[index] += 1
                sink.sendall(piece)
        except OSError:
            pass
        sink.close()

    def close(self):
        self.listener.close()


class HttpSink:
    """An HTTP server that keeps what it is sent. `answers` are status codes (or (code, headers)) for the next requests, then 200."""

    def __init__(self):
        self.requests = []
        self.answers = []
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = sink.answers.pop(0) if sink.answers else 200
                code, headers = answer if isinstance(answer, tuple) else (answer, {})
                sink.requests.append({"path": self.path, "headers": dict(self.headers), "body": body, "time": time.time(), "code": code})
                self.send_response(code)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def bodies(self, path):
        return [json.loads(request["body"]) for request in list(self.requests) if request["path"] == path and request["code"] == 200]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class MailSink:
    """A real SMTP server (aiosmtpd) with STARTTLS and AUTH required."""

    USER, PASSWORD = "vigil", "correct horse battery staple"

    def __init__(self, folder, pair=None):
        """`pair`: files of its certificate and key; else one that it signs itself."""
        from aiosmtpd.controller import Controller
        from aiosmtpd.smtp import AuthResult

        certificate, key = pair or (folder / "smtp.pem", folder / "smtp.key")
        if not pair:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
                            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.context = context
        self.certificate = certificate
        self.messages = []
        sink = self

        class Handler:
            async def handle_DATA(self, server, session, envelope):
                sink.messages.append({"from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": session.ssl is not None,
                                      "user": session.auth_data, "message": email.message_from_bytes(envelope.content)})
                return "250 taken"

        def authenticate(server, session, envelope, mechanism, data):
            good = data.login == self.USER.encode() and data.password == self.PASSWORD.encode()
            return AuthResult(success=good, auth_data=data.login if good else None)

        self.controller = Controller(Handler(), hostname="127.0.0.1", port=0, tls_context=context, require_starttls=True,
                                     auth_required=True, authenticator=authenticate, ready_timeout=PATIENCE)
        # Port 0: the controller wants to know its port in advance to test itself, so find a free one for it.
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.controller.port = probe.getsockname()[1]
        self.controller.start()
        self.port = self.controller.port

    def close(self):
        self.controller.stop()


def small_host(folder):
    """A /proc of our own, so that a test decides what the host's load is. Returns (root, set_load)."""
    root = pathlib.Path(folder) / "host"
    proc = root / "proc"
    shutil.copytree(ROOT / "tests" / "fixtures" / "hosts" / "vm2" / "proc", proc, symlinks=True, dirs_exist_ok=True)

    def set_load(load):
        temporary = proc / "loadavg.new"
        temporary.write_text(f"{load:.2f} 0.50 0.50 1/100 4711\n")
        # Rewritten in place, since the agent keeps the descriptor open as it does with the kernel's file.
        with open(proc / "loadavg", "r+b") as file:
            file.truncate(0)
            file.write(temporary.read_bytes())

    set_load(0.5)
    return root, set_load
