"""The agent for any Linux, set up with systemd by the very commands of the README that comes with it."""

import json
import re
import tarfile

import pytest

from machine import Machine, eventually
from tools import one


@pytest.fixture(scope="module")
def machine(debs, packages, bootable, tmp_path_factory):
    tarball = one(packages, "vigil-agent-*-x86_64.tar.gz")
    machine = Machine(tmp_path_factory.mktemp("tarball"), "anylinux")
    try:
        machine.fetch([debs["vigil"], debs["vigil-aggregator"]])
        machine.boot()
        machine.apt("install", *[f"/root/packages/{debs[name].name}" for name in ("vigil", "vigil-aggregator")])
        with tarfile.open(tarball) as tar:
            tar.extractall(machine.root / "root" / "unpacked")
        [folder] = (machine.root / "root" / "unpacked").iterdir()
        text = (folder / "README").read_text()
        machine.steps = [line.strip() for line in re.search(r"With systemd, as root:\n(.*?)\nWith Docker", text, re.S).group(1).splitlines()]
        machine.folder = f"/root/unpacked/{folder.name}"
        yield machine
    finally:
        machine.close()


def test_its_readme_leads_to_a_host_that_is_up(machine):
    assert len(machine.steps) >= 6
    shell = machine.shell(machine.folder)
    for step in machine.steps:
        shell.type(step)
    shell.close()
    eventually("the host is up", lambda: [host["state"] for host in json.loads(machine.run("vigil", "hosts", "-o", "json").stdout)] == ["up"])
    # Through its reader, which has a place of its own here.
    eventually("the clock's state", lambda: json.loads(machine.run("vigil", "query", "node_timex_sync_status", "-o", "json").stdout))
    assert machine.run("stat", "-c", "%U", f"/proc/{machine.show('vigil-agent.service', 'MainPID')}").stdout.strip() == "vigil-agent"


def test_systemd_finds_nothing_wrong_with_its_units(machine):
    units = machine.run("sh", "-c", "ls /etc/systemd/system/vigil*.service /etc/systemd/system/vigil*.socket").stdout.split()
    assert len(units) == 7
    found = machine.run("systemd-analyze", "verify", *units, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
