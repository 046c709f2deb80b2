"""Own metrics: what docs/metrics.md lists is what the programs have, and the other way round. And the shipped rules about vigil itself."""

import re
import subprocess
import urllib.request

import pytest
from support import BIN, ROOT, eventually, metric
from test_tls import Authority, server_section

PAGE = (ROOT / "docs" / "metrics.md").read_text()


def section(title):
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL).group(1)


def documented(text):
    """The names in the first column: `name{labels}`."""
    return {name for row in re.findall(r"^\| (.*?) \|", text, re.MULTILINE) for name in re.findall(r"`([a-z_]+)(?:\{[^}]*\})?`", row)}


@pytest.fixture
def ours(tmp_path):
    return Authority(tmp_path, "ours")


@pytest.fixture
def everything(vigil, ours, sink):
    """An aggregator and an agent with every part that has metrics of its own."""
    agent_pem, agent_key = ours.sign("agent", "extendedKeyUsage = clientAuth\n")
    my_pem, my_key = ours.sign("me", "extendedKeyUsage = clientAuth\n")
    vigil.start(server_section(ours, f", client_ca: {ours.pem}") + f"""
access: {{certificates: {{me: viewer}}, oidc: {{issuer: "http://127.0.0.1:9", client_id: vigil, users: {{ada: viewer}}}}}}
notifications:
  receivers: [{{name: ops, webhook: {{url: {sink.url}/}}}}]
  heartbeat: {{url: {sink.url}/alive, interval: 1s}}
remote_write: {{enabled: true}}
actions: [{{name: touch, command: [/bin/true]}}]
""")
    vigil.agent("agent", config=f"tls: {{enabled: true, ca: {ours.pem}, cert: {agent_pem}, key: {agent_key}}}\n", flags=("--spool", str(vigil.folder / "spool")))
    vigil.me = ["--tls-ca", str(ours.pem), "--tls-cert", str(my_pem), "--tls-key", str(my_key)]
    eventually("the agent is up", lambda: vigil.json("hosts", *vigil.me)[0]["state"] == "up")
    return vigil


def test_the_aggregators_metrics_are_those_that_are_documented(everything):
    eventually("a heartbeat was sent", lambda: metric(everything, "vigil_heartbeats_sent_total") + metric(everything, "vigil_heartbeats_failures_total") > 0)
    text = urllib.request.urlopen(f"http://{everything.http}/metrics", timeout=5).read().decode()
    exported = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    assert exported == documented(section("The aggregator's own"))
    assert set(re.findall(r"^# HELP (\S+) \S", text, re.MULTILINE)) == exported  # each says what it is
    assert re.search(r'^vigil_aggregator_certificate_expiry_timestamp_seconds\{key="tls.cert"\} \d+', text, re.MULTILINE)


def test_the_agents_metrics_are_those_that_are_documented(everything):
    # Of what the agent says of itself, those of its job; of every host its collectors' health.
    def sent():
        rows = everything.query('count by (__name__) ({job="vigil_agent"})', *everything.me)
        return {row["metric"]["__name__"] for row in rows} - {"ALERTS", "ALERTS_FOR_STATE"}

    expected = {name for name in documented(section("The collectors and the agent")) if name.startswith("vigil_agent_")}
    eventually("its own series", lambda: expected <= sent())
    assert sent() == expected
    for name in documented(section("The collectors and the agent")) - expected:
        assert everything.query(name, *everything.me), name


def test_the_rules_about_vigil_itself_fire_when_they_should_here_and_at_prometheus():
    path = ROOT / "tests" / "e2e" / "rules" / "itself-tests.yml"
    ours = subprocess.run([BIN / "vigil-aggregator", "rules", "test", path], capture_output=True, text=True, timeout=300)
    assert ours.returncode == 0, ours.stdout + ours.stderr
    tested = set(re.findall(r"name: (\w+)", path.read_text()))
    group = (ROOT / "packaging" / "rules" / "production.yml").read_text().split("name: vigil-itself")[1]
    # A day of a test takes long: this one is the same as ConfigNotReloaded but for its time.
    assert tested == set(re.findall(r"alert: (\w+)", group)) - {"ConfigWaitsForRestart"}


def test_a_changed_file_that_is_refused_is_an_alert(vigil, tmp_path):
    vigil.start("rules: {overrides: [{alert: ConfigNotReloaded, for: 0s}]}")
    (tmp_path / "aggregator.yml").write_text("rules: {presett: none}")
    assert vigil.cli("reload", check=False).returncode == 1
    alert = eventually("it fires", lambda: [row for row in vigil.json("alerts") if row["name"] == "ConfigNotReloaded" and row["state"] == "firing"])
    assert "was refused" in alert[0]["summary"]
