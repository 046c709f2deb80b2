"""The .rpm files in a booted machine: what their scripts do. It is a Debian, which has other libraries than they were made for, and rpm."""

import json
import re
import subprocess

import pytest

from machine import ROOT, Machine, eventually

NAMES = ("vigil", "vigil-agent", "vigil-aggregator")
SERVICES = ("vigil-aggregator.service", "vigil-agent.service")
# What they require is here, but dpkg knows of it, not rpm; and Debian's rpm warns whoever installs with it.
RPM = ("rpm", "--force-debian", "--nodeps", "--ignoreos")


def rpms(folder):
    found = [path for name in NAMES for path in sorted(folder.glob(f"{name}-[0-9]*.x86_64.rpm"))]
    if len(found) != len(NAMES):
        pytest.skip(f"no three .rpm files in {folder}: ./dev package makes them")
    return found


@pytest.fixture(scope="module")
def machine(packages, bootable, tmp_path_factory):
    rpms(packages)
    machine = Machine(tmp_path_factory.mktemp("rpm"), "rpmhost")
    try:
        machine.fetch([], "rpm")
        machine.boot()
        machine.apt("install", "rpm")
        # As distributions with .rpm have it: nothing is enabled unless a preset says so.
        machine.write("/etc/systemd/system-preset/99-default-disable.preset", "disable *\n")
        yield machine
    finally:
        machine.close()


def install(machine, files, *how):
    for file in files:
        (machine.root / "root" / file.name).write_bytes(file.read_bytes())
    done = machine.run(*RPM, *how, *[f"/root/{file.name}" for file in files])
    said = [line for line in done.stderr.splitlines() if not re.match(r"Creating (group|user) 'vigil", line)]  # systemd-sysusers
    assert (done.stdout, said) == ("", []), done


def enabled(machine, unit):
    return machine.run("systemctl", "is-enabled", unit, check=False).stdout.strip()


def host_is_up(machine):
    eventually("both run", lambda: all(machine.state(unit) == "active" for unit in SERVICES))
    eventually("the host is up", lambda: [host["state"] for host in json.loads(machine.run("vigil", "hosts", "-o", "json").stdout)] == ["up"])


def test_what_is_installed_waits_for_the_administrator_where_no_preset_enables_it(machine, packages):
    install(machine, rpms(packages), "-i")
    for unit in (*SERVICES, "vigil-kernel-reader.socket", "vigil-docker-reader.socket", "vigil-backup.timer"):
        assert (enabled(machine, unit), machine.state(unit)) == ("disabled", "inactive"), unit
    for user in ("vigil", "vigil-agent"):
        machine.run("getent", "passwd", user)
    assert machine.run("stat", "-c", "%U %a", "/var/backups/vigil").stdout.strip() == "vigil 700"
    assert machine.run("rpm", "--verify", "--nodeps", *NAMES).stdout == ""


def test_once_enabled_both_run_with_the_libraries_they_brought(machine):
    machine.run("systemctl", "enable", "--now", *SERVICES)
    host_is_up(machine)
    maps = machine.run("cat", f"/proc/{machine.show('vigil-aggregator.service', 'MainPID')}/maps").stdout
    libraries = set(re.findall(r"/\S+\.so\S*", maps))
    assert libraries and all(path.startswith("/usr/lib/vigil-aggregator/lib/") for path in libraries)
    # What the agent may not read itself comes from its reader.
    asked = lambda: json.loads(machine.run("vigil", "query", "node_timex_sync_status", "-o", "json").stdout)
    eventually("the clock's state", asked)
    machine.run("systemctl", "start", "vigil-backup.service")
    assert machine.show("vigil-backup.service", "Result") == "success"


@pytest.fixture(scope="module")
def newer(bin_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("newer")
    subprocess.run([ROOT / "packaging/build", "--bin", bin_folder, "--out", folder, "--revision", "2", "rpm"], check=True, capture_output=True)
    return rpms(folder)


def test_an_upgrade_restarts_what_runs_and_keeps_data_and_configuration(machine, newer):
    machine.write("/etc/vigil/agent.yml", "labels: {rack: r7}\n")
    before = {unit: machine.show(unit, "MainPID") for unit in SERVICES}
    seen_first = machine.run("vigil", "query", "count_over_time(node_load1[30m])", "-o", "json").stdout
    install(machine, newer, "-U")
    for unit in SERVICES:
        eventually(f"{unit} runs anew", lambda unit=unit: machine.show(unit, "MainPID") not in ("0", before[unit]))
        assert enabled(machine, unit) == "enabled"
    host_is_up(machine)
    assert machine.run("cat", "/etc/vigil/agent.yml").stdout == "labels: {rack: r7}\n"
    labelled = lambda: json.loads(machine.run("vigil", "query", 'node_load1{rack="r7"}', "-o", "json").stdout)
    eventually("its label", labelled)
    assert machine.run("rpm", "-q", *NAMES).stdout.count("-2.x86_64") == 3
    samples = lambda text: max(row["value"] for row in json.loads(text))
    assert samples(machine.run("vigil", "query", "max(count_over_time(node_load1[30m]))", "-o", "json").stdout) >= samples(seen_first)


def test_an_older_one_does_not_replace_a_newer_one(machine, packages):
    files = [f"/root/{file.name}" for file in rpms(packages)]
    refused = machine.run(*RPM, "-U", *files, check=False)
    assert refused.returncode != 0 and "which is newer than" in refused.stderr


def test_removal_stops_and_disables_and_keeps_data(machine):
    machine.run("rpm", "--nodeps", "-e", "vigil-agent", "vigil-aggregator")
    for unit in (*SERVICES, "vigil-kernel-reader.socket"):
        assert machine.state(unit) != "active"
    assert machine.run("pgrep", "-f", "vigil-a", check=False).stdout == ""
    machine.run("test", "-e", "/var/lib/vigil/meta.db")
    left = machine.run("sh", "-c", "find /etc/systemd /usr/lib/systemd -name 'vigil*'").stdout
    assert left == ""
    assert machine.run("cat", "/etc/vigil/agent.yml.rpmsave").stdout == "labels: {rack: r7}\n"
