"""From older packages to these: what was kept stays, who was let in stays so, and there is no way back that would harm it.

The older ones are in the folder that VIGIL_PREVIOUS_PACKAGES names (of an earlier commit: packaging/build --revision 0). Without it they are
these packages with a lower version, which shows the way, but no format that has changed since."""

import json
import os
import pathlib

import pytest

from machine import Machine, eventually

NAMES = ("vigil", "vigil-aggregator", "vigil-agent")
SERVICES = ("vigil-aggregator.service", "vigil-agent.service")
PREVIOUS = os.environ.get("VIGIL_PREVIOUS_PACKAGES")
ENV = "VIGIL_TLS_CA=/root/vigil/ca.pem VIGIL_TLS_CERT=/root/vigil/me.pem VIGIL_TLS_KEY=/root/vigil/me.key"
RULES = """groups:
- name: upgrade
  rules:
  - alert: AlwaysHere
    expr: node_load1 >= 0
    labels: {severity: warning}
"""


def vigil(machine, *arguments):
    return json.loads(machine.run("env", *ENV.split(), "vigil", *arguments, "-o", "json").stdout)


def value(machine, expression):
    return max(row["value"] for row in vigil(machine, "query", expression))


def host_is_up(machine):
    eventually("both run", lambda: all(machine.state(unit) == "active" for unit in SERVICES))
    eventually("the host is up", lambda: [(host["name"], host["state"]) for host in vigil(machine, "hosts")] == [("app", "up")])


def formats(machine):
    """What SQLite keeps for a file's owner, of each file that lasts: bytes 60 to 63."""
    files = machine.run("sh", "-c", "ls /var/lib/vigil/*.db /var/lib/vigil/identity/*.db | grep -v /journal").stdout.split()
    return {pathlib.Path(file).name: int(machine.run("od", "-An", "-tx1", "-j60", "-N4", file).stdout.replace(" ", ""), 16) for file in files}


@pytest.fixture(scope="module")
def machine(debs, bootable, tmp_path_factory):
    """One that ran the older packages for a while: with an authority, an enrolled host, history, a silence, a token and an alert that fires."""
    machine = Machine(tmp_path_factory.mktemp("upgrade"), "app")
    try:
        machine.write("/etc/hosts", "127.0.0.1 localhost app\n")
        machine.fetch(debs.values())
        machine.boot()
        (machine.root / "root" / "older").mkdir()
        for name in NAMES:
            target = f"/root/older/{name}.deb"
            if PREVIOUS is None:
                machine.with_version(debs[name], "0.0.9-0vigil1", target)
            else:
                [deb] = pathlib.Path(PREVIOUS).glob(f"{name}_*_amd64.deb")
                machine.write(target, "")
                (machine.root / target.lstrip("/")).write_bytes(deb.read_bytes())
        machine.apt("install", *[f"/root/older/{name}.deb" for name in NAMES])
        machine.write("/etc/vigil/rules.yml", RULES)
        machine.write("/etc/vigil/aggregator.yml", "rules: {files: [/etc/vigil/rules.yml]}\n")
        machine.run("vigil-aggregator", "init", "--data-dir", "/var/lib/vigil", "--name", "localhost", "--person", "me", "--out", "/root/vigil")
        machine.run("systemctl", "restart", "vigil-aggregator.service")
        line = machine.run("env", *ENV.split(), "vigil", "agent", "invite", "--name", "app", "--address", "localhost:8460").stdout.strip()
        machine.run("sh", "-c", line)
        machine.run("systemctl", "restart", "vigil-agent.service")
        host_is_up(machine)
        eventually("the alert fires", lambda: [alert for alert in vigil(machine, "alerts", "--firing") if alert["name"] == "AlwaysHere"])
        machine.run("env", *ENV.split(), "vigil", "silence", "add", "alertname=Nothing", "--for", "2h", "--comment", "kept over an upgrade")
        machine.token = machine.run("vigil", "--aggregator", "unix:/var/lib/vigil/vigil.sock", "token", "create", "robot", "--role", "viewer").stdout.strip()
        eventually("some history", lambda: value(machine, "count_over_time(node_load1[10m])") > 10)
        yield machine
    finally:
        machine.close()


@pytest.fixture(scope="module")
def upgraded(machine, debs):
    before = {
        "oldest": value(machine, "min(min_over_time(timestamp(node_load1)[10m:1s]))"),
        "since": [alert["active_since_ms"] for alert in vigil(machine, "alerts", "--firing") if alert["name"] == "AlwaysHere"],
        "version": machine.run("dpkg-query", "-W", "-f=${Version}", "vigil-aggregator").stdout,
        "certificate": machine.run("sha256sum", "/var/lib/vigil-agent/identity.pem", "/var/lib/vigil/identity/ca.pem").stdout,
        "formats": formats(machine),
    }
    machine.apt("-o", "Dpkg::Options::=--force-confold", "install", *[f"/root/packages/{debs[name].name}" for name in NAMES])
    return before


def test_hosts_stay_enrolled_and_people_let_in(machine, upgraded):
    assert machine.run("dpkg-query", "-W", "-f=${Version}", "vigil-aggregator").stdout > upgraded["version"]
    host_is_up(machine)
    assert machine.run("sha256sum", "/var/lib/vigil-agent/identity.pem", "/var/lib/vigil/identity/ca.pem").stdout == upgraded["certificate"]
    assert machine.run("env", "VIGIL_TLS_CA=/root/vigil/ca.pem", f"VIGIL_TOKEN={machine.token}", "vigil", "hosts").returncode == 0
    assert [row for row in vigil(machine, "agent", "list") if row["name"] == "app"]


def test_history_silences_and_alerts_go_on(machine, upgraded):
    host_is_up(machine)
    assert value(machine, "min(min_over_time(timestamp(node_load1)[30m:1s]))") <= upgraded["oldest"]
    assert "kept over an upgrade" in json.dumps(vigil(machine, "silence", "list"))
    since = lambda: [alert["active_since_ms"] for alert in vigil(machine, "alerts", "--firing") if alert["name"] == "AlwaysHere"]
    assert eventually("the alert fires on", since) == upgraded["since"]


def test_files_of_older_formats_were_brought_to_those_of_today(machine, upgraded):
    after = formats(machine)
    assert {name: number for name, number in upgraded["formats"].items() if after.get(name, number) < number} == {}
    if PREVIOUS is None:
        pytest.skip("the older packages are these with a lower version: VIGIL_PREVIOUS_PACKAGES names a folder of really older ones")
    assert any(after[name] > number for name, number in upgraded["formats"].items() if name in after), (upgraded["formats"], after)


def test_back_to_the_older_packages_only_where_they_can_read_what_there_is(machine, upgraded):
    newer = {name: number for name, number in formats(machine).items() if number > upgraded["formats"].get(name, number)}
    done = machine.run("dpkg", "-i", *[f"/root/older/{name}.deb" for name in NAMES], check=False)
    if newer:
        assert done.returncode != 0 and "cannot read the data" in done.stderr, done
        assert machine.run("dpkg-query", "-W", "-f=${Version}", "vigil-aggregator").stdout > upgraded["version"]
        machine.run("dpkg", "-i", *[f"/root/packages/{file.name}" for file in sorted((machine.root / "root" / "packages").iterdir())])
    else:
        assert done.returncode == 0, done.stderr
    host_is_up(machine)
    assert value(machine, "min(min_over_time(timestamp(node_load1)[30m:1s]))") <= upgraded["oldest"]
