"""Who may do what, with the shipped programs over TLS made as docs/operations.md shows, and that no secret gets out."""

import base64
import collections
import fcntl
import http.client
import json
import os
import pathlib
import pty
import random
import signal
import socket
import struct
import subprocess
import termios
import time
import urllib.error
import urllib.request

from support import BIN, LOOPBACK, PATIENCE, eventually, metric
from test_identity import Fleet
from test_tls import Authority, server_section
from test_watch import Watch


class Access:
    """The shipped programs with an authority, and the socket of the data folder for what only root may."""

    def __init__(self, vigil, folder, config="", flags=()):
        self.vigil, self.folder = vigil, folder
        self.authority = Authority(folder, "ours")
        self.ca = ["--tls-ca", str(self.authority.pem)]
        self.config = server_section(self.authority) + config
        vigil.start(self.config, flags)
        self.socket = f"unix:{vigil.data}/vigil.sock"

    def root(self, *args, check=True, stdin=None):
        return subprocess.run([BIN / "vigil", "--aggregator", self.socket, *args], check=check, capture_output=True, text=True, timeout=60, input=stdin)

    def token(self, name, *args):
        path = self.folder / f"{name}.token"
        path.touch(0o600)
        path.write_text(self.root("token", "create", name, *args).stdout)
        return path

    def cli(self, token, *args):
        """Its exit code and what it said, over TLS."""
        shown = ["--token-file", str(token)] if token else []
        done = self.vigil.cli(*self.ca, *shown, *args, check=False)
        return done.returncode, done.stdout + done.stderr

    def http(self, path, authorization=None, method="GET", body=None):
        request = urllib.request.Request(f"http://{self.vigil.http}{path}", method=method, data=body)
        if authorization:
            request.add_header("Authorization", authorization)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode(), dict(answer.headers)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), dict(error.headers)


def bearer(path):
    return "Bearer " + path.read_text().strip()


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_over_tls_a_token_says_who_may_what(vigil, tmp_path):
    access = Access(vigil, tmp_path)
    vigil.agent("web-1", config=f"tls: {{enabled: true, ca: {access.authority.pem}}}\n").wait_for("delivery: connected")
    viewer, operator = access.token("viewer", "--role", "viewer"), access.token("operator", "--role", "operator")
    admin, query = access.token("admin", "--role", "admin", "--ttl", "1h"), access.token("query", "--scope", "query")

    code, said = access.cli(None, "hosts")
    assert code == 1 and "role viewer" in said and "--token-file" in said, said
    eventually("the host is listed", lambda: json.loads(access.cli(viewer, "hosts", "-o", "json")[1])[0]["name"] == "web-1")
    silence = ["silence", "add", "HostDown", "instance=web-1", "--for", "2h", "--comment", "new disks", "--author", "somebody else"]
    code, said = access.cli(viewer, *silence)
    assert code == 1 and "token viewer has the role viewer, and this needs operator" in said, said
    code, identity = access.cli(operator, *silence)
    assert code == 0, identity
    assert access.cli(operator, "forget", "web-1")[0] == 1 and access.cli(operator, "token")[0] == 1
    assert access.cli(operator, "audit")[0] == 1 and access.cli(operator, "backup", str(tmp_path / "copy"))[0] == 1
    assert access.cli(query, "query", "1")[0] == 0 and access.cli(query, "hosts")[0] == 1
    assert access.http("/api/v1/query?query=1", bearer(query))[0] == 200 and access.http("/api/v1/status/config", bearer(query))[0] == 403
    assert access.cli(admin, "whoami", "-o", "json")[1].replace(" ", "").find('"role":"admin"') > 0
    assert access.cli(admin, "backup", str(tmp_path / "copy"))[0] == 0

    # What a change says of itself and who made it are two things.
    code, said = access.cli(admin, "audit", "--what", "silence", "-o", "json")
    entry, = json.loads(said)
    assert (entry["kind"], entry["who"], entry["what"], entry["object"]) == ("token", "operator", "silence.set", identity.strip())
    assert entry["before"] == "" and "somebody else" in entry["after"] and entry["from"].startswith("127.")
    assert [each["what"] for each in json.loads(access.cli(admin, "audit", "--who", "admin", "-o", "json")[1])] == ["backup"]
    assert (tmp_path / "copy").exists() and any(path.name.startswith("access.db") for path in (tmp_path / "copy").rglob("*"))

    assert access.cli(admin, "token", "revoke", "viewer")[0] == 0
    code, said = access.cli(viewer, "hosts")
    assert code == 1 and "revoked" in said, said
    vigil.aggregator.stop()
    vigil.start(access.config)
    assert access.cli(admin, "hosts")[0] == 0 and access.cli(viewer, "hosts")[0] == 1


def test_a_token_that_is_over_keeps_no_right_credential_of_its_source_out(vigil, tmp_path):
    access = Access(vigil, tmp_path)
    right, short, leaked = access.token("right", "--role", "viewer"), access.token("short", "--role", "viewer", "--ttl", "1s"), access.token("leaked", "--role", "viewer")
    access.root("token", "revoke", "leaked")
    eventually("the token is over", lambda: access.http("/api/v1/query?query=1", bearer(short))[0] == 401)
    for token, why in ((short, "the token short expired at"), (leaked, "the token leaked was revoked at")):
        for _ in range(7):
            status, said, _headers = access.http("/api/v1/query?query=1", bearer(token))
            assert status == 401 and why in said, said
    assert access.http("/api/v1/query?query=1", bearer(right))[0] == 200


class Reader(Watch):
    """`vigil watch` by somebody, who has got a first value."""

    def __init__(self, vigil, *credentials):
        super().__init__(vigil, "time()", "--interval", "100ms", "-o", "json", *credentials)
        self.next()

    def next(self):
        return json.loads(self.out.next())["value"]

    def end(self):
        """What it says when it is ended; it takes seconds."""
        began = time.monotonic()
        said = self.child.communicate(timeout=PATIENCE)[1].decode()
        assert self.child.returncode == 1 and time.monotonic() - began < 10, said
        return said


def test_who_watches_is_ended_with_what_let_him_in(vigil, tmp_path):
    access = Access(vigil, tmp_path)
    leaked, other, short = access.token("leaked", "--role", "viewer"), access.token("other", "--scope", "query"), access.token("short", "--role", "viewer", "--ttl", "4s")
    readers = [Reader(vigil, *access.ca, "--token-file", str(token)) for token in (leaked, other, short)]
    access.root("token", "revoke", "leaked")
    assert "the token leaked expired or was revoked" in readers[0].end()
    assert "the token short expired or was revoked" in readers[2].end()
    states = {each["name"]: each["state"] for each in json.loads(access.root("token", "list", "-o", "json").stdout)}
    assert states["short"] == "expired" and states["other"] == "good", states
    assert access.root("token").stdout.splitlines()[0].startswith("STATE")
    seen = readers[1].next()
    eventually("the others read on", lambda: readers[1].next() > seen + 2)
    vigil.aggregator.wait_for("a stream is ended: who reads it may no longer.*who=leaked method=/vigil.v1.Query/Watch")


def test_who_watches_is_ended_with_his_certificate_his_user_or_his_role(vigil, tmp_path):
    fleet = Fleet(vigil)
    people = {}
    for name in ("bob", "carol", "dave"):
        fleet.cli("user", "add", name, "--role", "viewer", "--no-password")
        out = tmp_path / name
        assert fleet.cli("certificate", "issue", "--person", name, "--out", str(out)).stderr == ""
        people[name] = Reader(vigil, "--tls-ca", str(fleet.ca), "--tls-cert", str(out / f"{name}.pem"), "--tls-key", str(out / f"{name}.key"))
    fleet.cli("certificate", "revoke", "--person", "bob")
    assert "the certificate of bob was revoked at" in people["bob"].end()
    fleet.cli("user", "remove", "carol")
    assert "the certificate of carol was revoked at" in people["carol"].end()
    assert people["dave"].next() > 0
    vigil.aggregator.kill(signal.SIGKILL)
    assert "trying again" in people["dave"].err.next()  # that is no refusal


def test_a_certificate_for_nobody_says_what_is_missing(vigil, tmp_path):
    fleet = Fleet(vigil)
    said = fleet.cli("certificate", "issue", "--person", "erin", "--out", str(tmp_path / "erin"))
    assert "vigil user add erin --role viewer --no-password" in said.stderr
    erin = ["--tls-ca", str(fleet.ca), "--tls-cert", str(tmp_path / "erin" / "erin.pem"), "--tls-key", str(tmp_path / "erin" / "erin.key")]
    refused = vigil.cli("hosts", *erin, check=False)
    assert refused.returncode == 1 and "there is no user erin" in refused.stderr and "vigil user add erin" in refused.stderr, refused.stderr
    fleet.cli("user", "add", "erin", "--role", "viewer", "--no-password")
    assert vigil.cli("hosts", *erin).returncode == 0


def test_the_log_of_changes_knows_by_whose_invitation_a_host_came_and_when_it_renewed(vigil):
    fleet = Fleet(vigil, "identity: {host_life: 20s}\n")
    agent = fleet.enrolled("web-1")
    agent.wait_for("the certificate is renewed")
    invite, enroll, renew = (eventually(what, lambda what=what: fleet.json("audit", "--what", what))[0] for what in ("host.invite", "host.enroll", "certificate.renew"))
    assert (invite["kind"], invite["who"], invite["object"]) == ("certificate", "ada", "web-1")
    invitation = json.loads(invite["after"])["invitation"]
    assert (enroll["kind"], enroll["who"], enroll["object"]) == ("invitation", invitation, "web-1")
    after = json.loads(enroll["after"])
    assert after["invited_by"] == "certificate ada" and after["invitation"] == invitation
    assert (renew["kind"], renew["who"], renew["object"]) == ("host", "web-1", "web-1")
    assert json.loads(renew["before"])["serial"] == after["serial"] != json.loads(renew["after"])["serial"]


def test_what_was_before_a_change_fits_on_the_screen(vigil):
    vigil.start()
    vigil.cli("user", "add", "somebody.with.a.rather.long.name@monitoring.example.org", "--role", "viewer", "--no-password")
    vigil.cli("user", "role", "somebody.with.a.rather.long.name@monitoring.example.org", "operator")
    terminal, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    subprocess.run([BIN / "vigil", "--aggregator", vigil.grpc, "audit"], stdout=inner, check=True, timeout=60, env={**os.environ, "NO_COLOR": "1"})
    os.close(inner)
    lines = os.read(terminal, 1 << 16).decode().splitlines()
    os.close(terminal)
    assert "BEFORE" in lines[0] and "AFTER" in lines[0] and len(lines) == 3, lines
    assert all(len(line) <= 120 for line in lines), lines
    assert lines[2].count('{"role"') == 2, lines
    role = json.loads(vigil.cli("audit", "--what", "user.role", "-o", "json").stdout)[0]
    assert json.loads(role["before"])["role"] == "viewer" and json.loads(role["after"])["role"] == "operator"


def test_over_http_a_request_without_a_host_is_nobodys_of_this_machine(vigil):
    vigil.start()

    def status(request):
        with socket.create_connection(tuple(vigil.http.rsplit(":", 1)), timeout=30) as connection:
            connection.sendall(request.encode())
            return int(connection.makefile("rb").readline().split()[1])

    for version, headers, expected in (("1.1", "Host: localhost\r\n", 200), ("1.1", "", 400), ("1.1", "Host:\r\n", 401), ("1.1", "Host: localhost\r\nHost: localhost\r\n", 400),
                                       ("1.0", "", 401), ("1.0", "Host: localhost\r\n", 200), ("1.1", "Host: localhost\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n", 400)):
        assert status(f"GET /api/v1/alerts HTTP/{version}\r\n{headers}Connection: close\r\n\r\n") == expected, (version, headers)


def test_tokens_do_not_leave_in_plain_text_and_not_from_files_of_others(vigil, tmp_path):
    vigil.start()
    token = tmp_path / "token"
    token.touch(0o644)
    token.write_text("vgl_" + 43 * "a")
    said = vigil.cli("--token-file", str(token), "hosts", check=False)
    assert said.returncode == 2 and f"chmod 600 {token}" in said.stderr, said.stderr
    token.chmod(0o600)
    said = subprocess.run([BIN / "vigil", "--aggregator", "192.0.2.1:8460", "--token-file", token, "hosts"], capture_output=True, text=True, timeout=60)
    assert said.returncode == 2 and "plain text" in said.stderr, said.stderr
    said = vigil.cli("--token-file", str(token), "hosts", check=False)
    assert said.returncode == 1 and "not known" in said.stderr, said.stderr  # shown on loopback it counts
    assert vigil.cli("hosts", check=False).returncode == 0


def test_users_come_in_over_http_and_guessing_ends_soon(vigil, tmp_path):
    access = Access(vigil, tmp_path, "access: {loopback: none}\n")
    access.root("user", "add", "alice", "--role", "operator", "--password-file", "-", stdin="correct horse\n")
    refused = access.root("user", "add", "bob", "--role", "viewer", "--password-file", "-", stdin="short\n", check=False)
    assert refused.returncode == 1 and "10 to" in refused.stderr
    refused = access.root("user", "add", "bob", "--role", "viewer", "--password-file", "-", stdin="correct\x00horse\n", check=False)
    assert refused.returncode == 1 and "control characters" in refused.stderr, refused.stderr

    status, said, headers = access.http("/api/v1/query?query=1")
    assert status == 401 and headers["WWW-Authenticate"].startswith("Basic") and json.loads(said)["status"] == "error"
    assert access.http("/healthz")[0] == 200 and access.http("/readyz")[0] == 200
    right = basic("alice", "correct horse")
    status, said, headers = access.http("/api/v1/query?query=1", right)
    assert status == 200, said
    for name, value in (("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"), ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-store")):
        assert headers[name] == value
    assert "default-src 'none'" in headers["Content-Security-Policy"] and "frame-ancestors 'none'" in access.http("/alerts/", right)[2]["Content-Security-Policy"]
    began = time.monotonic()
    for _ in range(20):  # remembered: not each one costs a hash
        assert access.http("/metrics", right)[0] == 200
    assert time.monotonic() - began < 20
    assert access.http("/-/reload", right, "POST")[0] == 403
    writer = bearer(access.token("writer", "--scope", "remote_write"))
    assert access.http("/api/v1/write", writer, "POST", b"x")[0] not in (401, 403) and access.http("/metrics", writer)[0] == 403
    body = json.dumps({"matchers": [{"name": "alertname", "value": "X", "isRegex": False}], "startsAt": "2030-01-01T00:00:00Z", "endsAt": "2030-01-02T00:00:00Z", "createdBy": "x", "comment": "y"}).encode()
    assert access.http("/api/v2/silences", right, "POST", body)[0] == 200
    assert json.loads(access.root("audit", "--who", "alice", "-o", "json").stdout)[0]["what"] == "silence.set"

    for _ in range(5):
        assert access.http("/metrics", basic("alice", "wrong horse"))[0] == 401
    assert access.http("/metrics", basic("alice", "wrong horse"))[0] == 429
    assert access.http("/metrics", right)[0] == 429 and access.http("/healthz")[0] == 200


def test_plain_text_beyond_this_machine_must_be_meant(tmp_path):
    config = tmp_path / "aggregator.yml"
    command = [BIN / "vigil-aggregator", "--check", "--data-dir", tmp_path / "data", "--config", config]
    config.write_text("grpc_listen: 0.0.0.0:8460\n")
    said = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert said.returncode == 2 and f"{config}:1:14: grpc_listen" in said.stderr and "tls.plaintext: true" in said.stderr, said.stderr
    config.write_text("grpc_listen: 0.0.0.0:8460\ntls: {plaintext: true}\n")
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 0


def test_in_plain_text_beyond_this_machine_everybody_is_anonymous_and_agents_deliver(vigil, tmp_path):
    vigil.grpc = "0.0.0.0:0"
    vigil.start("tls: {plaintext: true}\n")
    vigil.aggregator.wait_for("LISTENING IN PLAIN TEXT")
    vigil.grpc = f"{LOOPBACK}:{vigil.grpc.rsplit(':', 1)[1]}"
    vigil.agent("web-1").wait_for("delivery: connected")
    said = vigil.cli("hosts", check=False)
    assert said.returncode == 1 and "role viewer" in said.stderr, said.stderr
    vigil.grpc = f"unix:{vigil.data}/vigil.sock"
    vigil.wait_for_host("web-1")
    mode = (vigil.data / "vigil.sock").stat().st_mode & 0o777
    assert mode & 0o077 == 0, oct(mode)


def test_no_secret_gets_out(vigil, tmp_path, sink):
    """Every secret there is holds the word; errors of every kind are provoked; then everything is searched for it."""
    word = "canary7f3a"
    secrets = {name: tmp_path / name for name in ("hook-token", "slack", "mail-password", "heartbeat")}
    secrets["hook-token"].write_text(word + "-token")
    secrets["slack"].write_text(f"http://127.0.0.1:9/services/{word}")
    secrets["mail-password"].write_text(word + "-mail")
    secrets["heartbeat"].write_text(f"http://127.0.0.1:9/{word}-beat")
    for path in secrets.values():
        path.chmod(0o600)
    config = f"""
access: {{loopback: viewer}}
notifications:
  heartbeat: {{url_file: {secrets['heartbeat']}, interval: 1s}}
  receivers:
    - name: ops
      slack: {{webhook_url_file: {secrets['slack']}}}
    - name: hook
      webhook: {{url: "http://user:{word}-url@127.0.0.1:9/x?key={word}-key", token_file: {secrets['hook-token']}, headers: {{X-Key: {word}-header}}}}
    - name: mail
      email: {{smtp: "127.0.0.1:9", from: a@example.org, to: [b@example.org], username: u, password_file: {secrets['mail-password']}}}
"""
    access = Access(vigil, tmp_path, config)
    access.root("user", "add", "alice", "--role", "viewer", "--password-file", "-", stdin=f"{word}-password\n")
    access.root("user", "passwd", "alice", "--password-file", "-", stdin=f"{word}-secondword\n")
    token = access.token("robot", "--role", "viewer")
    seen = []
    for receiver in ("ops", "hook", "mail"):
        done = access.root("receivers", "test", receiver, check=False)
        assert done.returncode == 1
        seen.append(done.stdout + done.stderr)
    for authorization in (basic("alice", word + "-secondword"), bearer(token), basic("alice", word + "-wrong"), f"Bearer {word}", f"Digest {word}", f"Basic {word}!"):
        for path in ("/api/v1/status/config", "/api/v1/status/flags", "/api/v1/query?query=(", "/metrics", "/nothing", "/-/reload"):
            status, body, headers = access.http(path, authorization, "POST" if path == "/-/reload" else "GET")
            seen.append(body + str(headers))
    for command in (["status"], ["receivers"], ["audit", "-o", "json"], ["user", "-o", "json"], ["token", "-o", "json"], ["alerts"]):
        done = access.root(*command, "-o", "json", check=False) if "-o" not in command else access.root(*command, check=False)
        seen.append(done.stdout + done.stderr)
    for path in ("/api/v1/status/config", "/api/v1/status/runtimeinfo", "/metrics", "/alerts/"):
        seen.append(access.http(path)[1])
    vigil.aggregator.child.send_signal(signal.SIGHUP)
    vigil.aggregator.wait_for("reloaded")
    secrets["slack"].chmod(0o644)
    refused = subprocess.run([BIN / "vigil-aggregator", "--check", "--data-dir", tmp_path / "other", "--config", tmp_path / "aggregator.yml"], capture_output=True, text=True, timeout=60)
    assert refused.returncode == 2 and "chmod 600" in refused.stderr
    seen.append(refused.stderr)
    seen.append(vigil.aggregator.text())
    everything = "\n".join(seen)
    assert "robot" in everything and "alice" in everything  # it was looked at
    secret_token = bearer(token).removeprefix("Bearer ")
    for where, text in enumerate(seen):
        assert word not in text, (where, text[max(text.find(word) - 300, 0):text.find(word) + 100])
        assert secret_token not in text, where
    for path in vigil.data.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert word.encode() not in data and secret_token.encode() not in data, path
    # Of what crashes no memory is kept, and others of this user cannot look into it.
    status = pathlib.Path(f"/proc/{vigil.aggregator.child.pid}").stat()
    assert (status.st_uid, status.st_gid) == (0, 0)
    if os.geteuid() != 0:
        assert not os.access(f"/proc/{vigil.aggregator.child.pid}/mem", os.R_OK)


def test_wrong_credentials_are_counted(vigil, tmp_path):
    access = Access(vigil, tmp_path)
    before = metric(vigil, "vigil_aggregator_access_refused_total")
    for _ in range(3):
        assert access.http("/metrics", "Bearer nonsense")[0] == 401
    assert metric(vigil, "vigil_aggregator_access_refused_total") == before + 3


def test_of_10000_wrong_credentials_none_lets_in(vigil, tmp_path):
    access = Access(vigil, tmp_path)
    good, revoked = (access.token(name, "--role", "admin").read_text().strip() for name in ("good", "revoked"))
    expired = access.token("expired", "--role", "admin", "--ttl", "1s").read_text().strip()
    access.root("token", "revoke", "revoked")
    time.sleep(1.1)
    rng = random.Random(11)
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

    def maimed():
        at = rng.randrange(4, len(good))
        return good[:at] + rng.choice(digits.replace(good[at], "")) + good[at + 1:]

    kinds = [maimed, lambda: revoked, lambda: expired, lambda: "vgl_" + "".join(rng.choices(digits, k=43)), lambda: good[:-1], lambda: good + "0", lambda: good.lower(), lambda: ""]
    host, port = vigil.http.rsplit(":", 1)
    answers = collections.Counter()
    for source in range(2000):  # each may be wrong five times
        address = f"127.1.{source // 250}.{source % 250 + 1}"
        connection = http.client.HTTPConnection(host, int(port), timeout=60, source_address=(address, 0))
        for _ in range(5):
            connection.request("GET", "/metrics", headers={"Authorization": "Bearer " + rng.choice(kinds)()})
            answer = connection.getresponse()
            answer.read()
            answers[answer.status] += 1
        connection.close()
    assert answers == {401: 10_000}
    assert access.http("/metrics", "Bearer " + good)[0] == 200


def test_a_page_whose_name_leads_here_is_no_administrator(vigil):
    """DNS rebinding: the browser of this machine asks its own loopback for a name of somebody else."""
    vigil.start()

    def status(host):
        connection = http.client.HTTPConnection(*vigil.http.rsplit(":", 1), timeout=30)
        connection.request("GET", "/api/v1/alerts", headers={"Host": host})
        return connection.getresponse().status

    assert status(vigil.http) == 200 and status("localhost:8461") == 200
    assert status("evil.example:8461") == 401
