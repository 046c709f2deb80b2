"""TLS as the shipped programs speak it: who may connect, and what they are told otherwise."""

import json
import subprocess

import pytest
from support import BIN, LOOPBACK, eventually


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


class Authority:
    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.pem, self.key = folder / f"{name}-ca.pem", folder / f"{name}-ca.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "2", "-subj", f"/CN={name} CA",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", self.key, "-out", self.pem)

    def sign(self, name, extensions):
        pem, key, request, extras = (self.folder / f"{self.name}-{name}.{end}" for end in ("pem", "key", "csr", "ext"))
        extras.write_text(extensions)
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.pem, "-CAkey", self.key, "-CAcreateserial", "-days", "2", "-extfile", extras, "-out", pem)
        return pem, key


@pytest.fixture
def ours(tmp_path):
    return Authority(tmp_path, "ours")


def server_section(authority, more=""):
    pem, key = authority.sign("server", f"subjectAltName = DNS:localhost, IP:{LOOPBACK}\nextendedKeyUsage = serverAuth\n")
    return f"tls: {{cert: {pem}, key: {key}{more}}}\n"


def test_with_a_client_authority_only_its_certificates_are_let_in(vigil, ours, tmp_path):
    strangers = Authority(tmp_path, "strangers")
    client = "extendedKeyUsage = clientAuth\n"
    pem, key = ours.sign("friend", client)
    wrong_pem, wrong_key = strangers.sign("stranger", client)
    # Paths in a file begin at its folder.
    person_pem, person_key = ours.sign("alice", client)
    vigil.start(server_section(ours, f", client_ca: {ours.pem.name}") + "access: {certificates: {alice: viewer}}\n")
    me = ["--tls-ca", str(ours.pem), "--tls-cert", str(person_pem), "--tls-key", str(person_key)]

    outsider = vigil.agent("outsider", config=f"tls: {{enabled: true, ca: {ours.pem}}}\n")
    stranger = vigil.agent("stranger", config=f"tls: {{enabled: true, ca: {ours.pem}, cert: {wrong_pem}, key: {wrong_key}}}\n")
    outsider.wait_for("delivery: not connected")
    outsider.wait_for('why it is not connected.*does not take our certificate, or that we show none.*fix="a certificate of')
    stranger.wait_for("delivery: not connected")
    vigil.agent("plain").wait_for('why it is not connected.*does not speak plain text; it wants TLS.*fix="a host enrolls with the line that vigil agent invite prints')
    friend = vigil.agent("friend", config=f"tls: {{enabled: true, ca: {ours.pem}, cert: {pem.name}, key: {key.name}}}\n")
    friend.wait_for("delivery: connected")
    assert [host["name"] for host in vigil.json("hosts", *me)] == ["friend"]
    # Whoever has its certificate speaks for it, and for nobody else.
    thief = vigil.agent("somebody", config=f"tls: {{enabled: true, ca: {ours.pem}, cert: {pem.name}, key: {key.name}}}\n")
    thief.wait_for("not connected.*the certificate is for 'friend', not for somebody")

    as_agent = vigil.cli("hosts", *me[:2], "--tls-cert", str(pem), "--tls-key", str(key), check=False)
    assert as_agent.returncode == 1 and "host friend has the role agent" in as_agent.stderr, as_agent.stderr

    assert vigil.cli("hosts", check=False).returncode == 3
    assert vigil.cli("hosts", *me[:2], check=False).returncode == 3
    assert vigil.cli("hosts", *me[:2], "--tls-cert", str(wrong_pem), "--tls-key", str(wrong_key), check=False).returncode == 3


def test_a_key_that_is_not_the_certificates_is_told_before_anybody_is_asked(vigil, ours, tmp_path):
    pem, _ = ours.sign("alice", "extendedKeyUsage = clientAuth\n")
    _, key = ours.sign("bob", "extendedKeyUsage = clientAuth\n")
    vigil.start(server_section(ours, f", client_ca: {ours.pem}"))
    for command in ("hosts", "doctor"):
        said = vigil.cli(command, "--tls-ca", str(ours.pem), "--tls-cert", str(pem), "--tls-key", str(key), check=False)
        assert (said.returncode, said.stderr) == (2, f"vigil: --tls-cert {pem} and --tls-key {key}: the key is not the certificate's\n")
    config = tmp_path / "agent.yml"
    config.write_text(f"tls: {{enabled: true, cert: {pem}, key: {key}}}\n")
    said = subprocess.run([BIN / "vigil-agent", "--check", "--config", config], capture_output=True, text=True, timeout=60)
    assert said.returncode == 2 and f"tls.key: {pem} and {key}: the key is not the certificate's" in said.stderr, said


def standing(vigil, name, section):
    """What the doctor of an agent with this configuration says of its place at the aggregator."""
    path = vigil.folder / f"doctor-{name}.yml"
    path.write_text(f"aggregator: {vigil.grpc}\nname: {name}\n{section}")
    said = subprocess.run([BIN / "vigil-agent", "doctor", "--config", path, "-o", "json"], capture_output=True, text=True, timeout=60)
    found = [each for each in json.loads(said.stdout) if each["about"] == "at the aggregator"]
    return (said.returncode, *found)


def test_the_doctor_of_an_agent_with_its_own_certificate_asks_whether_it_is_let_in(vigil, ours):
    pem, key = ours.sign("friend", "extendedKeyUsage = clientAuth\n")
    vigil.start(server_section(ours, f", client_ca: {ours.pem.name}"))
    mine = f"tls: {{enabled: true, ca: {ours.pem}, cert: {pem}, key: {key}}}\n"
    _, fine = standing(vigil, "friend", mine)
    assert (fine["verdict"], fine["seen"]) == ("ok", "may deliver as friend")
    code, other = standing(vigil, "somebody", mine)
    assert code == 1 and other["verdict"] == "problem" and "the certificate is for 'friend', not for somebody" in other["seen"], other
    assert other["fix"].startswith("name: friend in agent.yml")
    assert vigil.cli("hosts", check=False).returncode == 3  # and nobody was made a host by asking


def test_the_doctor_of_an_agent_without_one_is_told_to_enroll(vigil, tmp_path):
    subprocess.run([BIN / "vigil-aggregator", "init", "--data-dir", vigil.data, "--name", LOOPBACK], check=True, capture_output=True, timeout=60)
    vigil.start()
    code, found = standing(vigil, "web-1", f"tls: {{enabled: true, ca: {vigil.data}/identity/ca.pem}}\n")
    assert code == 1 and found["verdict"] == "problem" and "has to enroll first" in found["seen"], found
    assert "vigil agent invite --name web-1" in found["fix"] and "tls left out of agent.yml" in found["fix"]


def shown_serial(address, *args):
    shown = subprocess.run(["openssl", "s_client", "-connect", address, "-alpn", "h2", *map(str, args)], input="", capture_output=True, text=True, errors="replace", timeout=60)
    if "BEGIN CERTIFICATE" not in shown.stdout:
        return None
    return subprocess.run(["openssl", "x509", "-noout", "-serial"], input=shown.stdout, capture_output=True, text=True, check=True).stdout.strip()


def test_only_tls_1_3_is_spoken(vigil, ours):
    vigil.start(server_section(ours))
    assert shown_serial(vigil.grpc, "-tls1_3")
    assert shown_serial(vigil.grpc, "-tls1_2") is None


def test_certificate_files_that_change_are_used_without_a_new_start(vigil, ours):
    vigil.start(server_section(ours) + "access: {anonymous: viewer}\n")
    before = shown_serial(vigil.grpc)
    assert before
    server_section(ours)  # signs another one, into the same files
    eventually("the new certificate is shown", lambda: shown_serial(vigil.grpc) not in (None, before))
    assert vigil.cli("hosts", "--tls-ca", str(ours.pem), check=False).returncode != 3  # it is believed


def test_a_key_that_everybody_may_read_is_refused_by_all_three_programs(ours, tmp_path):
    pem, key = ours.sign("server", "subjectAltName = DNS:localhost\n")
    key.chmod(0o644)
    aggregator, agent = tmp_path / "aggregator.yml", tmp_path / "agent.yml"
    aggregator.write_text(f"tls: {{cert: {pem}, key: {key}}}\n")
    agent.write_text(f"tls: {{enabled: true, cert: {pem}, key: {key}}}\n")
    for command in ([BIN / "vigil-aggregator", "--check", "--config", aggregator], [BIN / "vigil-agent", "--check", "--config", agent],
                    [BIN / "vigil", "hosts", "--tls-cert", pem, "--tls-key", key]):
        said = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert said.returncode == 2 and f"chmod 600 {key}" in said.stderr, said.stderr


def test_tls_files_that_would_have_no_effect_are_refused(ours, tmp_path):
    config = tmp_path / "agent.yml"
    config.write_text(f"tls:\n  ca: {ours.pem}\n")
    said = subprocess.run([BIN / "vigil-agent", "--check", "--config", config], capture_output=True, text=True, timeout=60)
    assert said.returncode == 2 and f"{config}:2:7: tls.ca: has no effect" in said.stderr, said.stderr
