"""`doctor` of the three shipped programs: in order where all is well, and what is broken on purpose is found, with what would mend it."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile

import pytest
from support import BIN, LOOPBACK, eventually
from test_tls import Authority, server_section


def doctor(program, *args, code=None, prefix=()):
    done = subprocess.run([*prefix, BIN / program, "doctor", "-o", "json", *map(str, args)], capture_output=True, text=True, timeout=60)
    findings = json.loads(done.stdout)
    assert all(finding["fix"] for finding in findings if finding["verdict"] != "ok")
    problems = any(finding["verdict"] == "problem" for finding in findings)
    assert (done.returncode != 0) == problems, done
    if code is not None:
        assert done.returncode == code, done.stdout + done.stderr
    return findings


def found(findings, area, text):
    """The finding of this area whose `about` or `seen` holds the text."""
    matching = [finding for finding in findings if finding["area"] == area and (text in finding["about"] or text in finding["seen"])]
    assert matching, (area, text, findings)
    return matching[0]


def listing(folder):
    return sorted((entry.name, entry.stat().st_mtime_ns) for entry in os.scandir(folder))


@pytest.fixture
def ours(tmp_path):
    return Authority(tmp_path, "ours")


def test_all_three_are_in_order_where_all_is_well_and_change_nothing(vigil, ours, tmp_path):
    vigil.start(server_section(ours) + "access: {anonymous: viewer}\n")
    spool = tmp_path / "spool"
    agent = vigil.agent(config=f"tls: {{enabled: true, ca: {ours.pem}}}\n", flags=("--spool", spool))
    agent.wait_for("delivery: connected")
    me = ["--aggregator", vigil.grpc, "--tls-ca", str(ours.pem)]
    eventually("the agent is up", lambda: vigil.json("hosts", *me[2:])[0]["state"] == "up")

    mine = doctor("vigil-agent", "--config", tmp_path / "agent-here.yml", "--aggregator", vigil.grpc, "--spool", spool, code=0)
    assert "by TLS" in found(mine, "ports", vigil.grpc)["seen"]
    assert found(mine, "certificates", "tls.ca")["verdict"] == "warning"  # two days left
    assert found(mine, "certificates", "the aggregator's")["verdict"] == "warning"
    assert found(mine, "clock", "the aggregator's")["verdict"] == "ok"
    assert found(mine, "versions", "the aggregator's")["verdict"] == "ok"
    assert "fsync works" in found(mine, "disk", "fsync")["seen"] and os.listdir(spool) is not None

    flags = ["--config", tmp_path / "aggregator.yml", "--data-dir", vigil.data, "--grpc-listen", vigil.grpc, "--http-listen", vigil.http]
    own = lambda: {name for name, _ in listing(vigil.data) if not name.startswith("journal-")}  # these come and go
    before = own()
    theirs = doctor("vigil-aggregator", *flags, code=0)
    assert found(theirs, "ports", "grpc_listen")["seen"] == found(theirs, "ports", "http_listen")["seen"] == "the daemon listens"
    assert found(theirs, "service", "http_listen")["seen"] == "is ready"
    assert found(theirs, "certificates", "tls.key")["verdict"] == "ok"
    assert own() == before

    fleet = json.loads(subprocess.run([BIN / "vigil", *me, "doctor", "-o", "json"], check=True, capture_output=True, text=True).stdout)
    assert found(fleet, "aggregator", "status")["verdict"] == "ok"
    assert found(fleet, "hosts", "agents")["seen"] == "1 agent, none is down"
    assert vigil.host is not None and agent.child.poll() is None

    # And when it does not run: nobody answers the agent, and the aggregator could start.
    vigil.aggregator.stop()
    assert found(doctor("vigil-aggregator", *flags, code=0), "ports", "grpc_listen")["seen"] == "free; nobody listens now"
    gone = found(doctor("vigil-agent", "--aggregator", vigil.grpc, "--spool", spool, code=1), "ports", vigil.grpc)
    assert "refused" in gone["seen"] and "start the aggregator" in gone["fix"]
    lost = subprocess.run([BIN / "vigil", *me, "doctor"], capture_output=True, text=True)
    assert lost.returncode == 6 and "fix: start the aggregator" in lost.stdout


def test_what_is_broken_on_purpose_is_found(vigil, ours, tmp_path):
    vigil.start(server_section(ours))
    plain = doctor("vigil-agent", "--aggregator", vigil.grpc, code=1)
    assert "wants TLS" in found(plain, "ports", vigil.grpc)["seen"]
    assert found(plain, "disk", "no spool")["verdict"] == "warning"

    strangers = Authority(tmp_path, "strangers")
    config = tmp_path / "agent.yml"
    config.write_text(f"tls: {{enabled: true, ca: {strangers.pem}}}\ndocker_socket: {tmp_path}/none.sock\n")
    wrong = doctor("vigil-agent", "--config", config, "--aggregator", vigil.grpc, code=1)
    assert "does not prove who it is" in found(wrong, "certificates", vigil.grpc)["seen"]
    assert found(wrong, "docker", "none.sock")["verdict"] == "problem"

    http = found(doctor("vigil-agent", "--aggregator", vigil.http, code=1), "ports", vigil.http)
    assert "HTTP port" in http["seen"]

    config.write_text("intervall: 2s\nbuffer: 1KB\n")
    lines = [finding["seen"] for finding in doctor("vigil-agent", "--config", config, code=1) if finding["area"] == "configuration"]
    assert len(lines) == 2 and any("did you mean interval?" in line for line in lines)

    key = tmp_path / "open.key"
    key.write_text((tmp_path / "ours-server.key").read_text())
    key.chmod(0o644)
    data = tmp_path / "elsewhere"
    data.mkdir(mode=0o755)
    data.chmod(0o755)
    taken = socket.create_server((LOOPBACK, 0))
    port = taken.getsockname()[1]
    aggregator = tmp_path / "other.yml"
    aggregator.write_text(f"tls: {{cert: ours-server.pem, key: {key}}}\ndata_dir: {data}\ngrpc_listen: {LOOPBACK}:{port}\nhttp_listen: 192.0.2.7:8461\n")
    broken = doctor("vigil-aggregator", "--config", aggregator, code=1)
    assert "everybody may read" in found(broken, "certificates", "tls.key")["seen"]
    assert "everybody may read" in found(broken, "configuration", "tls.key")["seen"]
    assert "something else listens" in found(broken, "ports", "grpc_listen")["seen"]
    assert "cannot be listened at" in found(broken, "ports", "http_listen 192.0.2.7:8461")["seen"]
    open_folder = found(broken, "permissions", str(data))
    assert open_folder["verdict"] == "warning" and open_folder["fix"] == f"chmod 700 {data}"
    assert os.listdir(data) == []
    taken.close()


def test_who_is_refused_is_told_what_lets_him_in(vigil, tmp_path):
    vigil.start("access: {loopback: none}\n")
    own = lambda *words, **more: subprocess.run([BIN / "vigil", "--aggregator", vigil.grpc, *words], capture_output=True, text=True, timeout=60, **more)
    answers = lambda **more: found(json.loads(own("doctor", "-o", "json", **more).stdout), "aggregator", "its answers")
    assert answers()["fix"].startswith("Say who you are: --token-file")
    assert "vigil token create" in answers(env={**os.environ, "VIGIL_TOKEN": "vgl_wrong"})["fix"]


def test_a_home_that_the_user_may_not_enter_matters_only_where_a_login_is_needed(vigil, tmp_path):
    vigil.start("access: {loopback: none}\n")
    home = tmp_path / "home"
    home.mkdir(mode=0)
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    environment = {key: text for key, text in os.environ.items() if key != "XDG_CONFIG_HOME"} | {"HOME": str(home)}
    with tempfile.TemporaryDirectory() as folder:  # where another user may execute it
        os.chmod(folder, 0o755)
        program = shutil.copy(BIN / "vigil", folder)
        said = {command: subprocess.run([*as_nobody, program, "--aggregator", vigil.grpc, command], capture_output=True, text=True, timeout=60, env=environment)
                for command in ("whoami", "hosts")}
    assert said["whoami"].returncode == 0 and said["whoami"].stderr == "", said
    assert said["hosts"].returncode == 1 and said["hosts"].stderr.endswith(f"\nA login could not be looked for: {home}/.config/vigil/logins.json: Permission denied\n"), said


def test_a_client_certificate_that_the_aggregator_does_not_take_is_told(vigil, ours, tmp_path):
    strangers = Authority(tmp_path, "strangers")
    pem, key = strangers.sign("agent", "extendedKeyUsage = clientAuth\n")
    vigil.start(server_section(ours, f", client_ca: {ours.pem}"))
    config = tmp_path / "agent.yml"
    for tls in (f"ca: {ours.pem}", f"ca: {ours.pem}, cert: {pem}, key: {key}"):
        config.write_text(f"tls: {{enabled: true, {tls}}}\n")
        findings = doctor("vigil-agent", "--config", config, "--aggregator", vigil.grpc, code=1)
        assert "does not take our certificate" in found(findings, "certificates", vigil.grpc)["seen"]


def test_secrets_that_others_may_read_are_told_at_the_start_at_a_reload_and_by_the_doctor(vigil, tmp_path):
    config = tmp_path / "aggregator.yml"
    config.touch()
    config.chmod(0o644)
    alertmanager = tmp_path / "alertmanager.yml"
    alertmanager.write_text("route: {receiver: ops}\nreceivers: [{name: ops, pagerduty_configs: [{routing_key: k3y}]}]\n")
    alertmanager.chmod(0o644)
    word = tmp_path / "hook.token"
    word.write_text("s3cret\n")
    word.chmod(0o600)
    vigil.start(f"""
notifications:
  alertmanager_file: {alertmanager}
  receivers:
    - {{name: on-call, slack: {{webhook_url: 'http://127.0.0.1:9/hunter2'}}}}
    - {{name: hook, webhook: {{url: 'http://127.0.0.1:9/', token_file: {word}}}}}
""")
    flags = ["--config", config, "--data-dir", vigil.data, "--grpc-listen", vigil.grpc, "--http-listen", vigil.http]
    said = lambda: [row["what"] for row in json.loads(vigil.cli("reload", "-o", "json").stdout) if row["outcome"] == "warning"]
    mine = f"{config}: everybody may read it, and it holds notifications.receivers[0].slack.webhook_url: "
    routes = f"{alertmanager}: everybody may read it, and it holds receivers[0].pagerduty_configs[0].routing_key: "
    vigil.aggregator.wait_for(re.escape(mine))
    vigil.aggregator.wait_for(re.escape(routes))
    assert "hunter2" not in vigil.aggregator.text() and "k3y" not in vigil.aggregator.text()
    assert [line for line in said() if line.startswith(mine)] and [line for line in said() if line.startswith(routes)], said()
    checked = subprocess.run([BIN / "vigil-aggregator", "--check", *map(str, flags)], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0 and f"warning: {mine}" in checked.stdout, checked
    findings = doctor("vigil-aggregator", *flags)
    for path in (config, alertmanager):
        found_open = found(findings, "permissions", str(path))
        assert found_open["verdict"] == "warning" and f"chmod 640 {path}" in found_open["fix"]
    assert found(findings, "permissions", "closed to others")["verdict"] == "ok"

    for path in (config, alertmanager):
        path.chmod(0o600)
    assert not [line for line in said() if "may read it" in line]
    word.chmod(0o644)
    findings = doctor("vigil-aggregator", *flags, code=1)
    refused = found(findings, "permissions", str(word))
    assert refused["verdict"] == "problem" and "so it is refused" in refused["seen"]
