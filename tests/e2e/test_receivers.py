"""Receivers that are hard to reach: certificates that prove nothing, servers that drip, and messages that were given up."""

import json
import re
import socket
import ssl
import subprocess
import threading
import time

from support import HttpSink, MailSink, eventually, small_host

RULES = """
groups:
  - name: test
    interval: 1s
    rules:
      - {alert: LoadHigh, expr: node_load1 > 5, labels: {severity: critical}}
      - {alert: LoadElevated, expr: node_load1 > 2, labels: {severity: warning}}
"""
CA = """
[ca]
default_ca = here
[here]
database = {folder}/index
new_certs_dir = {folder}
serial = {folder}/serial
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
"""


class Authority:
    """A certificate authority: pairs of files of a certificate and its key."""

    def __init__(self, folder, name):
        self.folder = folder / name
        self.folder.mkdir()
        (self.folder / "index").touch()
        (self.folder / "serial").write_text("01\n")
        (self.folder / "ca.cnf").write_text(CA.format(folder=self.folder))
        self.certificate, self.key = self.folder / "ca.pem", self.folder / "ca.key"
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.key, "-out", self.certificate, "-days", "2", "-subj", f"/CN={name}",
                     "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")

    def openssl(self, *args):
        subprocess.run(["openssl", *args], check=True, capture_output=True, timeout=60)

    def issue(self, file, name="localhost", end="20491231000000Z"):
        certificate, key, request = (self.folder / f"{file}.{kind}" for kind in ("pem", "key", "csr"))
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}")
        self.openssl("ca", "-batch", "-notext", "-config", self.folder / "ca.cnf", "-cert", self.certificate, "-keyfile", self.key, "-in", request,
                     "-out", certificate, "-startdate", "20200101000000Z", "-enddate", end)
        return certificate, key


def settings(folder, receivers, more=""):
    (folder / "rules.yml").write_text(RULES)
    (folder / "alertmanager.yml").write_text("route:\n  receiver: all\n  group_by: [alertname]\n  group_wait: 0s\n  group_interval: 1s\n" + receivers)
    return f"rules: {{preset: none, files: [{folder}/rules.yml]}}\nnotifications: {{alertmanager_file: alertmanager.yml{more}}}\n"


def host(vigil, folder):
    root, set_load = small_host(folder)
    vigil.agent("web-1", ["--path.procfs", root / "proc"])
    vigil.wait_for_host("web-1")
    return set_load


def channels(vigil):
    return {each["channel"]: each for each in vigil.json("receivers")}


def test_a_server_without_the_right_certificate_is_told_nothing_until_it_has_it(vigil, tmp_path):
    """Of another authority, of another name, expired; over HTTPS and with STARTTLS: refused, named, tried again."""
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    right = ours.issue("right")
    faults = {"authority": (theirs.issue("theirs"), "issuer certificate|self.signed"), "name": (ours.issue("name", "other.example"), "does not match|no alternative certificate subject name"),
              "date": (ours.issue("date", end="20210101000000Z"), "expired")}
    hooks, mails, closing = {}, {}, []
    for fault, ((certificate, key), _) in faults.items():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        sink = HttpSink()
        sink.server.socket = context.wrap_socket(sink.server.socket, server_side=True, do_handshake_on_connect=False)
        hooks[fault] = (sink, context)
        mails[fault] = MailSink(tmp_path, (certificate, key))
        closing += [sink, mails[fault]]
    password = tmp_path / "password"
    password.write_text(MailSink.PASSWORD)
    password.chmod(0o600)
    tls = f"tls_config: {{ca_file: {ours.certificate}}}"
    webhooks = "\n".join(f"      - {{url: 'https://localhost:{sink.server.server_port}/hook', http_config: {{{tls}}}}}" for sink, _ in hooks.values())
    email = "\n".join(f"      - {{to: ops@example.org, from: vigil@example.org, smarthost: 'localhost:{mail.port}', auth_username: {MailSink.USER}, auth_password_file: {password}, {tls}}}"
                      for mail in mails.values())
    try:
        vigil.start(settings(tmp_path, f"receivers:\n  - name: all\n    webhook_configs:\n{webhooks}\n    email_configs:\n{email}\n"))
        set_load = host(vigil, tmp_path)
        set_load(9)
        for kind in ("webhook", "email"):
            for number, (fault, (_, words)) in enumerate(faults.items()):
                said = eventually(f"{kind} refuses {fault}", lambda: (c := channels(vigil)[f"{kind}[{number}]"])["failures"] >= 2 and c)
                assert said["state"] == "failing" and said["delivered"] == 0, said
                assert re.search(words, said["last_error"]), (fault, said["last_error"])
        assert not any(sink.requests for sink, _ in hooks.values()) and not any(mail.messages for mail in mails.values()), "nothing is said before a server proved who it is"
        for _, context in hooks.values():
            context.load_cert_chain(*right)
        for mail in mails.values():
            mail.context.load_cert_chain(*right)
        for fault in faults:
            eventually(f"{fault}: the webhook hears of it", lambda: hooks[fault][0].bodies("/hook"))
            [told] = eventually(f"{fault}: the mail arrives", lambda: mails[fault].messages)[:1]
            assert told["tls"] and told["user"] == MailSink.USER.encode()
        eventually("all take their messages", lambda: {c["state"] for c in channels(vigil).values()} == {"ok"})
    finally:
        for server in closing:
            server.close()


class DrippingServer:
    """Says `first`, and then `again` without an end, byte by byte (or, without a `pause`, as fast as it can), for as long as it `drips`; then it answers
    each HTTP request with 200. `talk`: before that, as mail servers do, it says these
    one by one, and hears a line after each."""

    def __init__(self, first, again, talk=None, pause=0.05):
        self.first, self.again, self.talk, self.pause = first, again, talk, pause
        self.drips = True
        self.connections = 0
        self.taken = []
        self.most_sent = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        sent = 0
        try:
            with connection:
                request = b"" if self.talk is not None else self.read(connection)
                for line in self.talk or []:
                    connection.sendall(line)
                    connection.recv(65536)
                text, size = self.first, 1 if self.pause else 4096
                while self.drips:
                    for begin in range(0, len(text), size):
                        connection.sendall(text[begin:begin + size])
                        sent += len(text[begin:begin + size])
                        self.most_sent = max(self.most_sent, sent)
                        time.sleep(self.pause)
                        if not self.drips:
                            return
                    text = self.again
                if request and sent == 0:
                    self.taken.append(json.loads(request))
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        except OSError:
            pass

    @staticmethod
    def read(connection):
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        head, body = data.split(b"\r\n\r\n", 1)
        length = int(next(line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")))
        while len(body) < length:
            body += connection.recv(65536)
        return body


def test_servers_that_drip_cost_their_timeout_and_hold_up_nobody(vigil, sink, tmp_path):
    header = DrippingServer(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"z")
    body = DrippingServer(b"HTTP/1.1 200 OK\r\n\r\n", b"x")  # its head is whole within the time
    headers = DrippingServer(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"y" * 1000 + b"\r\n", pause=0)
    mail = DrippingServer(b"220-slow\r\n", b"220-slower\r\n", talk=[])
    # The record of TLS that it begins after STARTTLS never ends.
    tls = DrippingServer(b"\x16\x03\x03\x3f\xff", b"\0", talk=[b"220 slow ESMTP\r\n", b"250-slow\r\n250 STARTTLS\r\n", b"220 go on\r\n"])
    hooks = "\n".join(f"      - {{url: 'http://127.0.0.1:{server.port}/'}}" for server in (header, body, headers))
    vigil.start(settings(tmp_path, f"""receivers:
  - name: all
    webhook_configs:
{hooks}
      - {{url: '{sink.url}/fine'}}
    email_configs:
      - {{to: ops@example.org, from: vigil@example.org, smarthost: 'localhost:{mail.port}', require_tls: false}}
      - {{to: ops@example.org, from: vigil@example.org, smarthost: 'localhost:{tls.port}'}}
""", ", timeout: 2s"))
    set_load = host(vigil, tmp_path)
    set_load(3)
    eventually("who answers is told", lambda: sink.bodies("/fine"))
    for name, words in (("webhook[0]", "timed out"), ("webhook[2]", "header"), ("email[0]", "timed out"), ("email[1]", "timed out")):
        said = eventually(f"{name} gives up an attempt, and begins another", lambda: (c := channels(vigil)[name])["failures"] >= 2 and c)
        assert words in said["last_error"].lower() and said["state"] == "failing", (name, said)
    assert channels(vigil)["webhook[1]"]["failures"] == 0, "200 says that it arrived, whatever comes behind"
    assert headers.most_sent < 2_000_000, "what never ends is not read for ever"
    set_load(9)
    eventually("who answers hears of the next", lambda: [b for b in sink.bodies("/fine") if b["alerts"][0]["labels"]["alertname"] == "LoadHigh"])
    for server in (header, body, headers):
        server.drips = False
    for server in (header, headers):
        eventually("the lane goes on", lambda server=server: {a["labels"]["alertname"] for b in server.taken for a in b["alerts"]} == {"LoadHigh", "LoadElevated"})
    eventually("each message came once", lambda: body.connections + len(body.taken) >= 2 and channels(vigil)["webhook[1]"]["waiting"] == 0)


def test_messages_that_were_given_up_are_listed_and_sent_again(vigil, sink, tmp_path):
    receivers = f"receivers: [{{name: all, webhook_configs: [{{url: '{sink.url}/hook'}}]}}]\n"
    sink.answers = [503] * 1000
    vigil.start(settings(tmp_path, receivers, ", give_up_after: 2s"))
    assert vigil.cli("receivers", "dead").stdout == "No message was given up.\n"
    set_load = host(vigil, tmp_path)
    set_load(9)
    dead = eventually("both are given up", lambda: (d := vigil.json("receivers", "dead")) and len(d) == 2 and d)
    by_alert = {tuple(each["about"]): each for each in dead}
    assert set(by_alert) == {("LoadHigh on web-1",), ("LoadElevated on web-1",)}
    high, elevated = by_alert[("LoadHigh on web-1",)], by_alert[("LoadElevated on web-1",)]
    for each in dead:
        assert each["channel"] == "all/webhook[0]" and each["status"] == "firing" and each["alerts"] == 1
        assert each["attempts"] >= 1 and each["last_error"].startswith("HTTP 503") and each["created_ms"] <= each["given_up_ms"], each
    shown = vigil.cli("receivers", "dead").stdout
    assert "LoadHigh on web-1" in shown and "HTTP 503" in shown
    assert str(high["created_ms"]) not in shown and str(high["given_up_ms"]) not in shown

    vigil.aggregator.kill()
    sink.answers.clear()
    vigil.start(settings(tmp_path, receivers))
    vigil.wait_for_host("web-1")
    assert [each["id"] for each in vigil.json("receivers", "dead")] == [each["id"] for each in dead], "they survive kill -9"
    lost = channels(vigil)["webhook[0]"]
    assert lost["state"] == "failing" and lost["given_up"] == 2 and lost["last_error"].startswith("HTTP 503"), lost
    set_load(3)
    eventually("one is over", lambda: [b for b in sink.bodies("/hook") if b["status"] == "resolved"])
    refused = vigil.cli("receivers", "resend", str(high["id"]), check=False)
    assert refused.returncode == 1 and "LoadHigh on web-1 is not so any more" in refused.stderr, refused.stderr
    for args in ((), ("--receiver", "all"), ("1", "--all")):
        assert vigil.cli("receivers", "resend", *args, check=False).returncode == 2, args
    for what in ("resend", "drop"):
        stranger = vigil.cli("receivers", what, "--all", "--receiver", "al", check=False)
        assert stranger.returncode == 1 and "there is no receiver al; did you mean all?" in stranger.stderr, stranger.stderr
    assert vigil.json("receivers", "resend", "--all") == {"sent": 1, "outdated": 1, "unknown_receiver": 0, "unreadable": 0}
    eventually("the other one arrives", lambda: [b for b in sink.bodies("/hook") if b["status"] == "firing" and b["alerts"][0]["labels"]["alertname"] == "LoadElevated"])
    assert [each["id"] for each in vigil.json("receivers", "dead")] == [high["id"]]
    assert vigil.cli("receivers", "drop", str(high["id"])).stdout == "1 forgotten\n"
    assert vigil.json("receivers", "dead") == []
    gone = vigil.cli("receivers", "drop", str(elevated["id"]), check=False)
    assert gone.returncode == 1 and f"no message {elevated['id']} was given up" in gone.stderr
    noted = vigil.json("audit", "--what", "messages")
    assert [(each["what"], each["object"]) for each in noted] == [("messages.resend", "all"), ("messages.drop", str(high["id"]))] or \
        [(each["what"], each["object"]) for each in reversed(noted)] == [("messages.resend", "all"), ("messages.drop", str(high["id"]))], noted


def test_what_is_sent_again_beside_a_newer_message_of_its_group_waits_with_it(vigil, sink, tmp_path):
    sink.answers = [403] * 1000
    config = settings(tmp_path, f"receivers: [{{name: all, webhook_configs: [{{url: '{sink.url}/hook'}}]}}]\n", ", give_up_after: 6s")
    routes = tmp_path / "alertmanager.yml"
    routes.write_text(routes.read_text().replace("group_by: [alertname]", "group_by: []"))
    vigil.start(config)
    set_load = host(vigil, tmp_path)
    set_load(3)
    older = eventually("the first message is given up", lambda: vigil.json("receivers", "dead"))
    set_load(9)
    eventually("a newer one waits", lambda: channels(vigil)["webhook[0]"]["waiting"] == 1)
    time.sleep(4)
    assert vigil.json("receivers", "resend", "--all")["sent"] == 1
    dead = eventually("both are given up", lambda: (d := vigil.json("receivers", "dead")) and len(d) == 2 and d, 60)
    assert older[0]["id"] in [each["id"] for each in dead]
    sink.answers.clear()
    assert vigil.json("receivers", "resend", "--all")["sent"] == 2
    names = eventually("they arrive", lambda: [{a["labels"]["alertname"] for a in b["alerts"]} for b in sink.bodies("/hook")[-2:] if len(b["alerts"]) == 2])
    assert {"LoadHigh", "LoadElevated"} in names
    assert channels(vigil)["webhook[0]"]["state"] == "ok"
