"""The aggregator's own authority, as the shipped programs use it: init, invite, enroll, renew, revoke."""

import json
import os
import re
import resource
import shlex
import shutil
import signal
import socket
import stat
import subprocess

import pytest
from support import BIN, LOOPBACK, CountingProxy, Process, eventually


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def init(data, *args, check=True):
    return subprocess.run([BIN / "vigil-aggregator", "init", "--data-dir", data, *map(str, args)], check=check, capture_output=True, text=True, timeout=60)


class Fleet:
    """An aggregator that was set up for its own authority, and Ada, who may use the command line."""

    def __init__(self, vigil, config=None):
        self.vigil, self.folder = vigil, vigil.folder
        self.said = init(vigil.data, "--name", LOOPBACK, "--person", "ada", "--out", self.folder / "ada").stdout
        vigil.start(config)
        out = self.folder / "ada"
        self.ca = out / "ca.pem"
        self.ada = ["--tls-ca", str(self.ca), "--tls-cert", str(out / "ada.pem"), "--tls-key", str(out / "ada.key")]

    def cli(self, *args, check=True):
        return self.vigil.cli(*args, *self.ada, check=check)

    def json(self, *args):
        return json.loads(self.cli(*args, "-o", "json").stdout)

    def invite(self, name, *args):
        """The command as it is printed, without the name of the program."""
        return shlex.split(self.cli("agent", "invite", "--name", name, *args).stdout.strip())[1:]

    def enroll(self, name, command, *args, check=True):
        return subprocess.run([BIN / "vigil-agent", *command, "--spool", self.folder / name, *args], check=check, capture_output=True, text=True, timeout=60)

    def agent(self, name, *args):
        """One that knows nothing but its folder."""
        return self.vigil.adopt(Process([BIN / "vigil-agent", "--spool", self.folder / name, *map(str, args)], self.folder / f"{name}-{len(self.vigil.processes)}.log"))

    def enrolled(self, name):
        self.enroll(name, self.invite(name))
        return self.agent(name)

    def wait_for_host(self, name):
        eventually(f"{name} is up", lambda: any(host["name"] == name and host["state"] == "up" for host in self.json("hosts")))

    def parts(self, name):
        """Key and certificate of a host in files of their own, as a thief would use them."""
        text = (self.folder / name / "identity.pem").read_text()
        blocks = re.findall(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----\n", text, re.DOTALL)
        assert blocks == ["PRIVATE KEY", "CERTIFICATE", "CERTIFICATE"]
        pieces = [match.group(0) for match in re.finditer(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----\n", text, re.DOTALL)]
        key, cert = self.folder / "stolen.key", self.folder / "stolen.pem"
        key.write_text(pieces[0])
        key.chmod(0o600)
        cert.write_text(pieces[1])
        return cert, key


def test_an_agent_that_its_aggregators_authority_cuts_off_says_so_and_how_to_get_in(vigil):
    vigil.start()
    agent = vigil.agent("web-1")
    vigil.wait_for_host("web-1")
    vigil.aggregator.stop()
    init(vigil.data, "--name", LOOPBACK)
    # First nobody answers, and only then one that wants TLS.
    agent.wait_for("delivery: not connected")
    vigil.start()
    agent.wait_for('why it is not connected.*wants TLS.*fix="a host enrolls with the line that vigil agent invite prints')


@pytest.fixture
def fleet(vigil):
    return Fleet(vigil)


def test_from_an_invitation_to_samples(fleet):
    assert "made the authority" in fleet.said
    command = fleet.invite("web-1", "--ttl", "1h")
    assert command[:3] == ["enroll", "--aggregator", fleet.vigil.grpc]
    said = fleet.enroll("web-1", command)
    assert "enrolled as web-1" in said.stdout
    agent = fleet.agent("web-1")
    agent.wait_for("delivery: connected")
    fleet.wait_for_host("web-1")
    assert [(each["name"], each["state"]) for each in fleet.json("agent", "list")] == [("web-1", "good")]
    assert "web-1" not in fleet.cli("certificate", "list").stdout

    token = command[command.index("--token") + 1]
    for path in fleet.vigil.data.rglob("*"):  # only its hash is kept
        assert not path.is_file() or token.encode() not in path.read_bytes(), path
    assert token not in (fleet.folder / "aggregator.log").read_text()


def test_nobody_reads_without_a_certificate_or_with_a_hosts(fleet):
    fleet.enrolled("web-1").wait_for("delivery: connected")
    cert, key = fleet.parts("web-1")
    nobody = fleet.vigil.cli("hosts", "--tls-ca", str(fleet.ca), check=False)
    assert nobody.returncode == 1 and "needs the role viewer: show a token or a certificate, or over HTTP a password" in nobody.stderr, nobody.stderr
    for command in (["hosts"], ["query", "up"], ["status"], ["agent", "list"], ["agent", "invite", "--name", "x"], ["forget", "web-1"]):
        said = fleet.vigil.cli(*command, "--tls-ca", str(fleet.ca), "--tls-cert", str(cert), "--tls-key", str(key), check=False)
        assert said.returncode == 1 and "which only delivers" in said.stderr, (command, said)
    # And in plain text nothing at all.
    assert fleet.vigil.cli("hosts", check=False).returncode == 3


def test_a_stolen_key_sends_only_as_its_host(fleet):
    fleet.enroll("web-1", fleet.invite("web-1"))
    cert, key = fleet.parts("web-1")
    section = f"tls: {{enabled: true, ca: {fleet.ca}, cert: {cert}, key: {key}}}\n"
    fleet.vigil.agent("web-2", config=section).wait_for("not connected.*is of the host web-1, not of the host web-2")
    fleet.vigil.agent("naked", config=f"tls: {{enabled: true, ca: {fleet.ca}}}\n").wait_for("not connected.*(has to enroll first|needs the certificate of a host)")
    said = subprocess.run([BIN / "vigil-agent", "--spool", fleet.folder / "web-1", "--name", "web-2", "--check"], capture_output=True, text=True, timeout=60)
    assert said.returncode == 2 and "enrolled as web-1, not as web-2" in said.stderr
    assert fleet.json("hosts") == []


def test_invitations_that_do_not_count(fleet):
    command = fleet.invite("web-1")
    wrong = ["sha256:" + "0" * 64 if word.startswith("sha256:") else word for word in command]
    said = fleet.enroll("web-1", wrong, check=False)
    assert said.returncode == 1 and "Nothing was sent" in said.stderr
    other_token = ["0" * 40 if previous == "--token" else word for previous, word in zip([""] + command, command)]
    said = fleet.enroll("web-1", other_token, check=False)
    assert said.returncode == 1 and "the token is not known here" in said.stderr

    fleet.enroll("web-1", command)  # it was not used up by those
    said = fleet.enroll("web-1", command, check=False)
    assert said.returncode == 1 and "enrolled already, as web-1" in said.stderr
    said = fleet.enroll("other", command, check=False)
    assert said.returncode == 1 and "used already" in said.stderr

    said = fleet.cli("agent", "invite", "--name", "web-1", check=False)
    assert said.returncode == 1 and "--replace" in said.stderr
    short = fleet.invite("web-2", "--ttl", "1s")
    eventually("the invitation is over", lambda: "web-2" not in [each["name"] for each in fleet.json("agent", "list")])
    said = fleet.enroll("web-2", short, check=False)
    assert said.returncode == 1 and "expired at" in said.stderr
    misnamed = [word.replace(LOOPBACK, "localhost") if LOOPBACK == "127.0.0.1" else word for word in fleet.invite("web-3")]
    assert "enrolled as web-3" in fleet.enroll("web-3", misnamed).stdout


def test_revoked_is_ended_and_replaced_takes_over(fleet):
    agent = fleet.enrolled("web-1")
    agent.wait_for("delivery: connected")
    fleet.wait_for_host("web-1")
    assert "revoked: 1 certificate, 0 invitations" in fleet.cli("agent", "revoke", "web-1").stdout
    agent.wait_for("not connected.*the certificate was revoked|not connected.*was revoked at")
    assert fleet.json("agent", "list") == []
    assert [each["state"] for each in fleet.json("agent", "list", "--all")] == ["revoked"]

    fleet.enroll("web-1", fleet.invite("web-1"), "--force")
    agent.kill(15)
    fleet.agent("web-1").wait_for("delivery: connected")


def test_certificates_are_renewed_while_the_agent_delivers(vigil):
    fleet = Fleet(vigil, "identity: {host_life: 30s}\n")
    agent = fleet.enrolled("web-1")
    agent.wait_for("delivery: connected")
    eventually("it renewed twice", lambda: agent.log.read_text().count("the certificate is renewed") >= 2)
    eventually("it delivers with the new one", lambda: agent.log.read_text().count("delivery: connected") >= 3)
    fleet.wait_for_host("web-1")
    assert fleet.json("gaps", "--start", "5m") == []
    assert mode(fleet.folder / "web-1" / "identity.pem") == 0o600
    assert "not connected" not in agent.log.read_text()


def test_a_lost_machine_is_restored_on_another_one_and_no_host_enrolls_again(fleet, tmp_path):
    agent = fleet.enrolled("web-1")
    agent.wait_for("delivery: connected")
    fleet.wait_for_host("web-1")
    backup = tmp_path / "backup"
    used_later, never_used = fleet.invite("web-2"), fleet.invite("web-4")
    fleet.cli("backup", str(backup))
    assert mode(backup) == 0o700 and mode(backup / "files") == 0o700
    assert {mode(path) for path in backup.rglob("*") if path.is_file()} == {0o600}
    said = json.loads(next(backup.glob("set-*.json")).read_text())
    assert {"history.db", "meta.db", "access.db", "identity/ca.key", "identity/ca.pem", "identity/server.pem", "identity/identity.db"} <= {file["name"] for file in said["files"]}
    fleet.enroll("web-2", used_later)
    late = fleet.agent("web-2")  # after the backup
    late.wait_for("delivery: connected")

    fleet.vigil.aggregator.kill()
    shutil.rmtree(fleet.vigil.data)
    fleet.vigil.data = tmp_path / "another-machine"
    restored = fleet.vigil.cli("restore", str(backup), "--data-dir", str(fleet.vigil.data)).stdout
    assert "every checksum is right" in restored and "count no more: invite those hosts again" in restored
    assert mode(fleet.vigil.data) == 0o700 and mode(fleet.vigil.data / "identity") == 0o700
    public = fleet.vigil.data / "identity" / "ca.pem"
    assert mode(public) == 0o644 and {mode(path) for path in fleet.vigil.data.rglob("*") if path.is_file() and path != public} == {0o600}
    before = len(agent.text())
    fleet.vigil.start()
    agent.wait_for("delivery: connected", before)
    fleet.wait_for_host("web-1")
    fleet.wait_for_host("web-2")
    assert agent.child.poll() is None and late.child.poll() is None
    assert [(each["name"], each["state"]) for each in fleet.json("agent", "list")] == [("web-1", "good"), ("web-2", "good")]
    fleet.vigil.aggregator.wait_for("restored from a backup.*invitations=2")
    for thief, command in (("thief", used_later), ("web-4", never_used)):  # whoever kept it
        said = fleet.enroll(thief, command, check=False)
        assert said.returncode == 1 and "restored from a backup" in said.stderr, said
    assert [each["name"] for each in fleet.json("user", "list")] == ["ada"]
    assert "enrolled as web-3" in fleet.enroll("web-3", fleet.invite("web-3")).stdout


def test_a_backup_can_leave_the_authority_out_and_only_admins_get_one(fleet, tmp_path):
    key = (fleet.vigil.data / "identity" / "ca.key").read_bytes()
    without = tmp_path / "without"
    fleet.cli("backup", str(without), "--without-identity")
    assert all(key not in path.read_bytes() for path in without.rglob("*") if path.is_file())
    assert not any("identity" in path.name for path in without.rglob("*"))
    out = fleet.folder / "olga"
    fleet.cli("certificate", "issue", "--person", "olga", "--out", str(out))
    fleet.cli("user", "add", "olga", "--role", "operator", "--no-password")
    olga = ["--tls-ca", str(out / "ca.pem"), "--tls-cert", str(out / "olga.pem"), "--tls-key", str(out / "olga.key")]
    refused = fleet.vigil.cli("backup", str(tmp_path / "hers"), *olga, check=False)
    assert refused.returncode == 1 and "admin" in refused.stderr, refused.stderr
    assert not any(path.is_file() and key in path.read_bytes() for path in (tmp_path / "hers").rglob("*"))


def test_init_is_safe_to_repeat_and_adds_names_while_the_aggregator_runs(fleet):
    data = fleet.vigil.data
    files = {path.name: path.read_bytes() for path in (data / "identity").iterdir()}
    said = init(data).stdout
    assert "kept the authority" in said and "kept the aggregator's certificate" in said
    assert {path.name: path.read_bytes() for path in (data / "identity").iterdir()} == files
    assert "made the aggregator's certificate" in init(data, "--name", "mon.example.org").stdout
    assert (data / "identity" / "ca.pem").read_bytes() == files["ca.pem"]

    def names():
        shown = subprocess.run(["openssl", "s_client", "-connect", fleet.vigil.grpc, "-alpn", "h2"], input="", capture_output=True, text=True, errors="replace", timeout=60).stdout
        return subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName"], input=shown, capture_output=True, text=True).stdout

    eventually("the new name is shown", lambda: "mon.example.org" in names())
    assert fleet.json("hosts") == []


def test_what_init_makes_is_in_the_log_of_changes(fleet):
    init(fleet.vigil.data, "--person", "bob", "--out", fleet.folder / "bob")  # beside the running aggregator
    noted = [(each["who"], each["what"], each["object"]) for each in fleet.json("audit") if "init" in each["who"]]
    assert [(what, object) for _, what, object in noted] == [
        ("authority.make", ""), ("certificate.issue", "the aggregator"), ("certificate.issue", "ada"), ("user.add", "ada"), ("certificate.issue", "bob"), ("user.add", "bob")]
    serial = json.loads(fleet.json("audit", "--what", "certificate.issue")[-1]["after"])["serial"]
    assert serial in [each["serial"] for each in fleet.json("certificate", "list") if each["name"] == "bob"]


def test_invitations_have_ids_and_one_of_them_is_revoked(fleet):
    first, second = fleet.invite("web-1"), fleet.invite("web-1")
    ids = [each["invitation"] for each in fleet.json("agent", "list")]
    assert len(set(ids)) == 2 and all(re.fullmatch("[0-9a-f]{8}", id) for id in ids)
    assert "0 certificates, 1 invitation" in fleet.cli("agent", "revoke", "--invitation", ids[0]).stdout
    assert [each["invitation"] for each in fleet.json("agent", "list")] == ids[1:]
    said = fleet.cli("agent", "revoke", "--invitation", ids[0], check=False)
    assert said.returncode == 1 and "vigil agent list" in said.stderr
    answers = [fleet.enroll("web-1", command, check=False) for command in (first, second)]
    assert sorted(answer.returncode for answer in answers) == [0, 1], answers


def test_a_token_that_is_none_is_refused_before_anybody_is_asked(fleet):
    command = fleet.invite("web-1")
    token = command[command.index("--token") + 1]
    for wrong in (token[:-1], token + "0", "x" * 40):
        said = fleet.enroll("web-1", [wrong if word == token else word for word in command], check=False)
        assert said.returncode == 2 and "40 hexadecimal digits" in said.stderr and wrong not in said.stderr, said
    assert "enrolled as web-1" in fleet.enroll("web-1", command).stdout


def test_modes_of_files(fleet):
    fleet.enrolled("web-1").wait_for("delivery: connected")
    identity = fleet.vigil.data / "identity"
    expected = {"ca.key": 0o600, "ca.pem": 0o644, "server.pem": 0o600, "identity.db": 0o600}
    assert {path.name: mode(path) for path in identity.iterdir() if not path.name.endswith("-journal")} == expected
    assert mode(identity) == 0o700
    assert mode(fleet.folder / "web-1" / "identity.pem") == 0o600
    assert mode(fleet.folder / "ada" / "ada.key") == 0o600


def test_people_get_certificates_and_lose_them(fleet):
    out = fleet.folder / "bob"
    fleet.cli("certificate", "issue", "--person", "bob", "--out", str(out), "--life", "1d")
    bob = ["--tls-ca", str(out / "ca.pem"), "--tls-cert", str(out / "bob.pem"), "--tls-key", str(out / "bob.key")]
    assert mode(out / "bob.key") == 0o600
    stranger = fleet.vigil.cli("hosts", *bob, check=False)
    assert stranger.returncode == 1 and "there is no user bob" in stranger.stderr, stranger.stderr
    fleet.cli("user", "add", "bob", "--role", "viewer", "--no-password")
    assert fleet.vigil.cli("hosts", *bob).returncode == 0
    assert sorted(each["name"] for each in fleet.json("certificate", "list")) == ["ada", "bob"]
    fleet.cli("certificate", "revoke", "--person", "bob")
    said = fleet.vigil.cli("hosts", *bob, check=False)
    assert said.returncode == 1 and "was revoked" in said.stderr


def test_an_invitation_says_when_its_address_leads_nowhere(fleet):
    own = fleet.cli("agent", "invite", "--name", "web-1")
    assert "leads a host to itself" in own.stderr and "--address" in own.stderr
    assert own.stdout.startswith("vigil-agent enroll "), "the command stands alone on standard output"
    named = fleet.cli("agent", "invite", "--name", "web-1", "--address", "mon.example.org:8460")
    assert "is not for mon.example.org" in named.stderr and "--name mon.example.org on the" in named.stderr
    init(fleet.vigil.data, "--name", "mon.example.org")
    good = fleet.cli("agent", "invite", "--name", "web-1", "--address", "mon.example.org:8460")
    assert "warning" not in good.stderr and "--aggregator mon.example.org:8460" in good.stdout


def examine(fleet, name, *args):
    """Findings of the doctor of an agent that knows nothing but its folder, of the area identity."""
    said = subprocess.run([BIN / "vigil-agent", "doctor", "--spool", fleet.folder / name, "-o", "json", *args], capture_output=True, text=True, timeout=60)
    findings = json.loads(said.stdout)
    return {each["about"].removeprefix(str(fleet.folder / name) + "/"): each for each in findings if each["area"] == "identity"}, findings


def test_the_doctor_of_a_host_looks_at_its_identity(fleet):
    fleet.enroll("web-1", fleet.invite("web-1"))
    path = fleet.folder / "web-1" / "identity.pem"
    mine, findings = examine(fleet, "web-1")
    assert {about: each["verdict"] for about, each in mine.items() if about != "name"} == {"identity.pem": "ok", "certificate": "ok", "authority": "ok"}
    reached = [each for each in findings if each["area"] == "ports" and fleet.vigil.grpc in each["about"]]
    assert reached and "by TLS" in reached[0]["seen"], "it goes where the host was enrolled"
    assert not [each for each in findings if each["area"] == "versions" and each["verdict"] != "ok"]

    path.chmod(0o644)
    opened = examine(fleet, "web-1")[0]["identity.pem"]
    assert opened["verdict"] == "problem" and f"chmod 600 {path}" in opened["fix"]
    path.chmod(0o600)
    assert examine(fleet, "web-1", "--name", "web-2")[0]["name"]["verdict"] == "problem"

    fleet.enroll("web-2", fleet.invite("web-2"))
    strangers = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "30", "-subj", "/CN=strangers", "-keyout", "/dev/null"], check=True, capture_output=True, text=True).stdout
    text = path.read_text()
    path.write_text(text[:text.rindex("-----BEGIN CERTIFICATE")] + strangers)
    foreign = examine(fleet, "web-1")[0]["identity.pem"]
    assert foreign["verdict"] == "problem" and "not signed by this authority" in foreign["seen"]
    path.write_text(text)

    fleet.cli("agent", "revoke", "web-1")
    revoked = examine(fleet, "web-1")[0]["at the aggregator"]
    assert revoked["verdict"] == "problem" and "was revoked" in revoked["seen"] and "vigil agent invite --name web-1" in revoked["fix"]
    assert "at the aggregator" not in examine(fleet, "web-2")[0]


def test_the_doctor_says_when_a_certificate_is_over(vigil):
    fleet = Fleet(vigil, "identity: {host_life: 10s}\n")
    fleet.enroll("web-1", fleet.invite("web-1"))
    over = eventually("it expired", lambda: next(each for each in [examine(fleet, "web-1")[0]["certificate"]] if "expired at" in each["seen"]))
    assert over["verdict"] == "problem" and "vigil agent invite" in over["fix"]
    # There is no client_ca, and nothing of tls in agent.yml.
    reached = next(each for each in examine(fleet, "web-1")[1] if each["area"] == "certificates" and fleet.vigil.grpc in each["about"])
    assert "our certificate, which expired at" in reached["seen"] and reached["fix"].startswith("vigil agent invite --name web-1 --replace"), reached
    agent = fleet.agent("web-1")
    agent.wait_for('why it is not connected.*our certificate, which expired at.*fix="vigil agent invite --name web-1 --replace')
    agent.wait_for('the certificate expired: this host has to enroll again.*fix="vigil agent invite --name web-1 --replace')


def test_a_socket_needs_no_tls_whatever_the_shell_says(fleet):
    environment = dict(os.environ, VIGIL_AGGREGATOR=f"unix:{fleet.vigil.data}/vigil.sock", VIGIL_TLS_CA=str(fleet.ca), VIGIL_TLS_CERT=fleet.ada[3], VIGIL_TLS_KEY="/nowhere/ada.key")
    said = subprocess.run([BIN / "vigil", "user", "list"], env=environment, capture_output=True, text=True, timeout=60)
    assert said.returncode == 0 and "ada" in said.stdout, said  # only admins may ask


def test_only_tls_1_3_is_spoken(fleet):
    def connects(version):
        said = subprocess.run(["openssl", "s_client", "-connect", fleet.vigil.grpc, "-alpn", "h2", version], input="", capture_output=True, text=True, errors="replace", timeout=60)
        return said.returncode == 0 and "BEGIN CERTIFICATE" in said.stdout

    assert connects("-tls1_3")
    assert not connects("-tls1_2")


class LosesAnswers(CountingProxy):
    """Cuts connections before anything that the aggregator sends once it has enrolled a host."""

    def __init__(self, target, log):
        self.log, self.lost = log, 0
        super().__init__(target)

    def _pass(self, index, source, sink):
        try:
            while piece := source.recv(1 << 16):
                if index == 1 and "identity: enrolled" in self.log.read_text():
                    self.lost += 1
                    break
                sink.sendall(piece)
        except OSError:
            pass  # the other direction has ended it
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def test_an_answer_that_was_lost_is_given_again_to_the_same_key_and_to_nobody_else(fleet):
    command = fleet.invite("web-1")
    proxy = LosesAnswers(fleet.vigil.grpc, fleet.folder / "aggregator.log")
    cut = fleet.enroll("web-1", [proxy.address if word == fleet.vigil.grpc else word for word in command], check=False)
    proxy.listener.close()
    assert cut.returncode == 1 and proxy.lost == 1, cut
    assert not (fleet.folder / "web-1" / "identity.pem").exists()
    issued = fleet.json("agent", "list")
    assert [(each["name"], each["state"]) for each in issued] == [("web-1", "good")], "it was enrolled, and does not know"

    # Somebody else with the token gets nothing; the host, by the line it was given, what it was given before.
    thief = fleet.enroll("thief", command, check=False)
    assert thief.returncode == 1 and "used already" in thief.stderr
    assert "enrolled as web-1" in fleet.enroll("web-1", command).stdout
    assert fleet.json("agent", "list", "--all") == issued
    cert, _ = fleet.parts("web-1")
    serial = subprocess.run(["openssl", "x509", "-noout", "-serial", "-in", cert], capture_output=True, text=True, check=True).stdout
    assert serial.strip().lower().split("=")[1].lstrip("0") == issued[0]["serial"].lstrip("0")
    again = [json.loads(each["after"]).get("again", False) for each in fleet.json("audit", "--what", "host.enroll")]
    assert again == [False, True]
    fleet.agent("web-1").wait_for("delivery: connected")
    assert fleet.enroll("web-2", command, check=False).returncode == 1


def no_room():
    """Files of this process stay empty, as on a disk that is full; a pipe takes what it took before."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def test_where_nothing_can_be_kept_nobody_is_invited_and_no_certificate_made(fleet):
    made = lambda: (fleet.json("certificate", "list", "--all"), fleet.json("agent", "list", "--all"))
    before = made()

    def on_full_disk(*args):
        return subprocess.run([BIN / "vigil", "--aggregator", fleet.vigil.grpc, *map(str, args), *fleet.ada], preexec_fn=no_room, restore_signals=False, capture_output=True, text=True, timeout=60)

    out = fleet.folder / "out"
    invited = on_full_disk("agent", "invite", "--name", "web-1", "--out", out / "invitation")
    assert invited.returncode == 1 and "nobody was invited" in invited.stderr, invited
    out.mkdir()
    invited = on_full_disk("agent", "invite", "--name", "web-1", "--out", out / "invitation")
    assert invited.returncode == 1 and "too large" in invited.stderr.lower() and "nobody was invited" in invited.stderr, invited
    issued = on_full_disk("certificate", "issue", "--person", "bob", "--out", out)
    assert issued.returncode == 1 and "no certificate was made" in issued.stderr, issued

    for name in ("bob.key", "bob.pem", "ca.pem"):  # a folder is in the way
        (out / name).mkdir()
        issued = fleet.cli("certificate", "issue", "--person", "bob", "--out", str(out), check=False)
        assert issued.returncode == 1 and str(out / name) in issued.stderr and "no certificate was made" in issued.stderr, issued
        made_here = init(fleet.vigil.data, "--person", "bob", "--out", out, check=False)
        assert made_here.returncode == 1 and "no certificate was made" in made_here.stderr, made_here
        (out / name).rmdir()
    assert os.listdir(out) == []
    named = fleet.cli("certificate", "issue", "--person", "../bob", "--out", str(out), check=False)
    assert named.returncode == 2 and "letters, digits" in named.stderr
    assert made() == before
    assert "bob" not in [each["object"] for each in fleet.json("audit", "--what", "certificate.issue")]


def test_the_aggregators_certificate_is_replaced_while_an_agent_delivers_and_nothing_is_lost(fleet):
    agent = fleet.enrolled("web-1")
    agent.wait_for("delivery: connected")
    fleet.wait_for_host("web-1")
    stamps = lambda: [row["time_ms"] for row in fleet.json("query", 'node_load1{instance="web-1"}[5m]')]
    eventually("it samples", lambda: len(stamps()) > 3)
    last = stamps()[-1]

    def serial():
        shown = subprocess.run(["openssl", "s_client", "-connect", fleet.vigil.grpc, "-alpn", "h2"], input="", capture_output=True, text=True, errors="replace", timeout=60).stdout
        return subprocess.run(["openssl", "x509", "-noout", "-serial"], input=shown, capture_output=True, text=True).stdout

    before = serial()
    assert "made the aggregator's certificate" in init(fleet.vigil.data, "--name", "mon.example.org").stdout
    eventually("gRPC shows the new one", lambda: serial() not in ("", before))
    eventually("the agent goes on", lambda: stamps()[-1] > last + 3000)
    assert "not connected" not in agent.text() and agent.text().count("delivery: connected") == 1, "over the connection it has"
    # And over a new one, whose certificate it has not seen.
    agent.kill(signal.SIGTERM)
    again = fleet.agent("web-1")
    again.wait_for("delivery: connected")
    ended = stamps()[-1]
    eventually("it delivers", lambda: stamps()[-1] > ended + 2000)
    seen = [stamp for stamp in stamps() if stamp <= ended]
    assert [b - a for a, b in zip(seen, seen[1:]) if b - a > 1500] == [], "a beat a second, before and after"
    assert fleet.vigil.aggregator.text().count("ready grpc=") == 1


def test_a_certificate_that_ends_soon_is_told_once_and_by_the_doctor(fleet):
    out = fleet.folder / "my keys"
    said = fleet.cli("certificate", "issue", "--person", "bob", "--out", str(out), "--life", "30s").stdout
    assert f"export VIGIL_TLS_CERT='{out}/bob.pem'" in said, said
    fleet.cli("user", "add", "bob", "--role", "viewer", "--no-password")
    bob = ["--tls-ca", str(out / "ca.pem"), "--tls-cert", str(out / "bob.pem"), "--tls-key", str(out / "bob.key")]
    renew = f"vigil certificate issue --person bob --out '{out}', which an admin may"
    assert "warning" not in fleet.cli("hosts").stderr, "Ada's is good for 90 days"

    def warned():
        done = fleet.vigil.cli("hosts", *bob, check=False)
        return done.returncode == 0 and done.stderr.count("vigil: warning:") == 1 and renew in done.stderr

    eventually("it is told", warned)
    doctor = fleet.vigil.cli("doctor", *bob, "-o", "json", check=False)
    own = next(each for each in json.loads(doctor.stdout) if each["about"] == "--tls-cert")
    assert own["verdict"] != "ok" and own["fix"] == renew, own
