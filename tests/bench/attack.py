"""What strangers at both ports do to twenty well-behaved agents, all over TLS: the agents' acknowledgements, /healthz from another address, CPU and memory.

The attackers are two processes of this file with nice 19, so that on a machine they share with the aggregator the scheduler is not what is measured. They show no
certificate, and but for one attack no token that counts. One that delivers as an agent is another matter: ./dev bench hostile.
"""

import contextlib
import http.client
import itertools
import os
import pathlib
import re
import select
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

BIN = pathlib.Path(os.environ["VIGIL_BIN"])
ONE_SOURCE = ["127.0.0.66"]
MONITORS = [f"127.0.0.{i}" for i in range(70, 90)]
MANY_SOURCES = [f"127.0.1.{i}" for i in range(1, 251)]
ATTACKERS = 2


class Target:
    def __init__(self, address, sources):
        host, port = address.rsplit(":", 1)
        self.address, self.sources, self.next = (host, int(port)), sources, os.getpid()

    def connect(self, wait=5):
        self.next += 1
        return socket.create_connection(self.address, timeout=wait, source_address=(self.sources[self.next % len(self.sources)], 0))

    def connect_tls(self, protocol):
        return strangers_context(protocol).wrap_socket(self.connect())


def strangers_context(protocol):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context


def handshakes(target, protocol, until):
    done = 0
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            target.connect_tls(protocol).close()
            done += 1
    return f"{done} handshakes"


def connects(target, until):
    tried = 0
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            target.connect().close()
        tried += 1
    return f"{tried} connections"


def holds(target, until, first=b"", more=b"", count=1500):
    """Opens `count` connections, sends each a byte a second, and opens those anew that are closed."""
    held, opened = {}, 0
    while time.monotonic() < until:
        for _ in range(100):
            if len(held) >= count:
                break
            with contextlib.suppress(OSError):
                one = target.connect()
                one.sendall(first)
                one.setblocking(False)
                held[one] = opened = opened + 1
        if more:
            for one in list(held):
                with contextlib.suppress(OSError):
                    one.send(more)  # what was closed is seen below
        poll = select.poll()
        numbers = {one.fileno(): one for one in held}
        for number in numbers:
            poll.register(number, select.POLLIN | select.POLLHUP)
        for number, _ in poll.poll(100):
            one = numbers[number]
            try:
                if one.recv(4096):
                    continue
            except BlockingIOError:
                continue
            except OSError:
                pass
            held.pop(one, None)
            one.close()
    return f"{opened} connections, {len(held)} at the end"


def header_bombs(target, until):
    sent = bombs = 0
    line = b"X-Bomb: " + b"x" * 1000 + b"\r\n"
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            one = target.connect_tls("http/1.1")
            bombs += 1
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
            for _ in range(10_000):
                one.sendall(line)
                sent += len(line)
    return f"{bombs} bombs, {sent / 1e6:.0f} MB"


def wrong_tokens(target, until):
    answers = {}
    one = None
    while time.monotonic() < until:
        try:
            if one is None:
                one = http.client.HTTPSConnection(*target.address, context=strangers_context("http/1.1"), timeout=5)
                one.sock = target.connect_tls("http/1.1")
            one.request("GET", "/api/v1/query?query=1", headers={"Authorization": "Bearer vgl_" + "0" * 43})
            answer = one.getresponse()
            answer.read()
            answers[answer.status] = answers.get(answer.status, 0) + 1
            if answer.will_close:
                one = None
        except (OSError, http.client.HTTPException):
            one = None
    return ", ".join(f"{count} x {status}" for status, count in sorted(answers.items()))


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(name, value):
    """A header that no table knows (RFC 7541, 6.2.2), without Huffman's code."""
    def text(string):
        length = len(string)
        if length < 127:
            return bytes([length]) + string
        out, length = bytearray([127]), length - 127
        while length >= 128:
            out.append(length % 128 + 128)
            length //= 128
        out.append(length)
        return bytes(out) + string

    return b"\x00" + text(name) + text(value)


CALL = b"".join(literal(name, value) for name, value in (
    (b":method", b"POST"), (b":scheme", b"https"), (b":path", b"/vigil.v1.Query/Instant"), (b":authority", b"localhost"),
    (b"content-type", b"application/grpc"), (b"te", b"trailers")))
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0)


def speak_h2(target, until, request):
    """Opens HTTP/2 connections and sends what request(stream) makes on stream after stream. Reads nothing: what waits to be written to it is memory, too."""
    sent = connections = 0
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            one = target.connect_tls("h2")
            connections += 1
            one.sendall(PREFACE)
            for stream in range(1, 200_001, 2):
                bytes_of_request = request(stream)
                one.sendall(bytes_of_request)
                sent += len(bytes_of_request)
                if time.monotonic() >= until:
                    break
            one.close()
    return f"{connections} connections, {sent / 1e6:.0f} MB"


def metadata_request(stream):
    """60 KB of metadata, in frames of 16 KB."""
    block = CALL + b"".join(literal(b"x-%d" % i, b"y" * 1000) for i in range(60))
    pieces = [block[at:at + 16_000] for at in range(0, len(block), 16_000)]
    return b"".join(frame(1 if i == 0 else 9, 4 if i == len(pieces) - 1 else 0, stream, piece) for i, piece in enumerate(pieces))


def message_request(stream):
    """The beginning of a message that says it has 1 GB; as much of it as may come without leave."""
    return frame(1, 4, stream, CALL) + frame(0, 0, stream, b"\x00" + (1 << 30).to_bytes(4, "big") + b"z" * 1000)


def reset_request(stream):
    return frame(1, 4, stream, CALL) + frame(3, 0, stream, (8).to_bytes(4, "big"))


def known_reset_request(stream):
    """With a token that counts: a whole call, so that its owner is known, and then such as are taken back."""
    known = CALL + literal(b"authorization", b"Bearer " + os.environ["VIGIL_TOKEN"].encode())
    if stream == 1:
        return frame(1, 4, stream, known) + frame(0, 1, stream, b"\x00\x00\x00\x00\x00")
    return frame(1, 4, stream, known) + frame(3, 0, stream, (8).to_bytes(4, "big"))


# name: which port, from how many sources, what is done
ATTACKS = {
    "TLS handshakes, gRPC, one source": ("grpc", ONE_SOURCE, lambda target, until: handshakes(target, "h2", until)),
    "TLS handshakes, gRPC, 250 sources": ("grpc", MANY_SOURCES, lambda target, until: handshakes(target, "h2", until)),
    "TLS handshakes, HTTP, 250 sources": ("http", MANY_SOURCES, lambda target, until: handshakes(target, "http/1.1", until)),
    "header bombs, HTTP": ("http", MANY_SOURCES, header_bombs),
    "slow handshakes, HTTP, 3,000 held": ("http", MANY_SOURCES, lambda target, until: holds(target, until, b"\x16\x03\x01\x02", b"\x00")),
    "wrong tokens, HTTP": ("http", MANY_SOURCES, wrong_tokens),
    "connections, gRPC, 250 sources": ("grpc", MANY_SOURCES, connects),
    "silent connections, gRPC, 3,000 held": ("grpc", MANY_SOURCES, holds),
    "metadata of 60 KB, gRPC": ("grpc", ONE_SOURCE, lambda target, until: speak_h2(target, until, metadata_request)),
    "messages of 1 GB, gRPC": ("grpc", ONE_SOURCE, lambda target, until: speak_h2(target, until, message_request)),
    "rapid reset, gRPC": ("grpc", ONE_SOURCE, lambda target, until: speak_h2(target, until, reset_request)),
    "rapid reset with a token, gRPC": ("grpc", ONE_SOURCE, lambda target, until: speak_h2(target, until, known_reset_request)),
}


def make_certificates(folder):
    run = lambda *args: subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc")
    run("req", "-x509", *curve, "-days", "2", "-subj", "/CN=bench CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", folder / "ca.key", "-out", folder / "ca.pem")
    run("req", *curve, "-subj", "/CN=localhost", "-keyout", folder / "server.key", "-out", folder / "server.csr")
    (folder / "server.ext").write_text("subjectAltName = DNS:localhost, IP:127.0.0.1\n")
    run("x509", "-req", "-in", folder / "server.csr", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-CAcreateserial", "-days", "2", "-extfile", folder / "server.ext", "-out",
        folder / "server.pem")


class Observer:
    """Twenty monitors: from each of their addresses /healthz is asked every two seconds, each time over a new connection. Looks at the aggregator's memory, too."""

    def __init__(self, vigil, ca):
        self.took, self.failed, self.peak = [], 0, 0.0
        self.pid, self.context = vigil.aggregator.child.pid, ssl.create_default_context(cafile=ca)
        self.address = vigil.http.rsplit(":", 1)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        for monitor in itertools.cycle(MONITORS):
            if self.stop.wait(0.1):
                return
            begin = time.monotonic()
            try:
                one = http.client.HTTPSConnection(self.address[0], int(self.address[1]), context=self.context, timeout=5, source_address=(monitor, 0))
                one.request("GET", "/healthz")
                assert one.getresponse().read() == b"ok\n"
                one.close()
                self.took.append(time.monotonic() - begin)
            except (OSError, AssertionError, http.client.HTTPException):
                self.failed += 1
            self.peak = max(self.peak, resident_mib(self.pid))

    def close(self):
        self.stop.set()
        self.thread.join()
        self.took.sort()
        return self


def resident_mib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) / 1024


def refusals(vigil, ca, token):
    one = http.client.HTTPSConnection(*vigil.http.rsplit(":", 1), context=ssl.create_default_context(cafile=ca), timeout=30)
    one.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
    text = one.getresponse().read().decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(("vigil_aggregator_connections_refused_total", "vigil_aggregator_connections_ended_total")))


def measure_one(name, seconds, make_vigil, fleet):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        folder = pathlib.Path(folder)
        make_certificates(folder)
        ca = folder / "ca.pem"
        vigil = make_vigil(folder).start(f"tls: {{cert: {folder}/server.pem, key: {folder}/server.key}}\nhttp: {{tls: on}}\n")
        os.environ.pop("VIGIL_TOKEN", None)  # of the one before
        made = subprocess.run([BIN / "vigil", "--aggregator", f"unix:{vigil.data}/vigil.sock", "token", "create", "bench", "--role", "admin"], check=True, capture_output=True, text=True)
        os.environ["VIGIL_TOKEN"] = token = re.search(r"vgl_\w+", made.stdout).group(0)
        attackers = []
        if name != "nobody":
            attackers = [subprocess.Popen(["nice", "-n", "19", sys.executable, __file__, name, vigil.grpc, vigil.http, str(seconds + 6)], stdout=subprocess.PIPE, text=True)
                         for _ in range(ATTACKERS)]
        observer = Observer(vigil, ca)
        report, _ = fleet("--aggregator", vigil.grpc, "--tls-ca", ca, "--agents", 20, "--series", 400, "--duration", f"{seconds}s", "--phase", "spread")
        said = [attacker.communicate()[0].strip() for attacker in attackers]
        observer.close()
        time.sleep(1)
        refused = refusals(vigil, ca, token)
        vigil.close()
        return report, observer, refused, said


def measure(seconds, make_vigil, fleet, table):
    """Prints the table; whether all kept within the bounds: p99 within 20 % of alone, and 256 MiB."""
    rows, notes, alone, within = [], [], [], True
    for name in ["nobody", *ATTACKS, "nobody"]:
        report, observer, refused, said = measure_one(name, seconds, make_vigil, fleet)
        latency = report["ack_latency_ms"]
        took = observer.took or [float("nan")]
        rows.append([name, f"{latency['p50']:.0f}", f"{latency['p99']:.0f}", f"{latency['max']:.0f}", f"{report['aggregator_cpu_seconds'] / report['duration_s']:.2f}",
                     f"{observer.peak:.0f}", f"{took[len(took) // 2] * 1000:.0f}", f"{took[-1] * 1000:.0f}", observer.failed, f"{refused:.0f}"])
        notes += [f"{name}: {line}" for line in said]
        if name == "nobody":
            alone.append(latency["p99"])
        else:
            within = within and observer.peak < 256
    for row in rows[1:-1]:
        if float(row[2]) > 1.2 * max(alone):
            within = False
            notes.append(f"NOT within 20 %: {row[0]}, {row[2]} ms, {max(alone):.0f} ms alone")
    table(f"Attacks beside 20 x 400 over TLS, {seconds} s each, attackers at nice 19", ["attack", "ack p50 ms", "p99", "max", "CPUs", "RSS MiB, at most", "/healthz p50 ms", "max", "failed",
                                                                                 "refused, ended"], rows)
    print("\n".join(notes))
    return within


if __name__ == "__main__":
    which, grpc, http_address, length = sys.argv[1:]
    port, from_sources, attack = ATTACKS[which]
    print(attack(Target(grpc if port == "grpc" else http_address, from_sources), time.monotonic() + float(length)))
