"""The Ansible roles played on booted machines: packages are installed, certificates made, a host is enrolled, and a second play changes nothing."""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess

import pytest
import yaml

from machine import ROOT, Machine, eventually, wire

NET = "10.78.1"
TARGETS = ("python3", "python3-apt", "sudo")  # what Ansible needs where it works


class Site:
    """An aggregator and a host, as an inventory has them."""

    def __init__(self, folder, debs):
        self.folder = pathlib.Path(folder)
        self.debs = debs
        self.machines = {}
        self.variables = {
            "vigil_aggregator_debs": [str(debs["vigil"]), str(debs["vigil-aggregator"])],
            "vigil_aggregator_names": [f"{NET}.1"],
            "vigil_aggregator_config": {"grpc_listen": "0.0.0.0:8460"},
            "vigil_agent_deb": str(debs["vigil-agent"]),
            "vigil_agent_config": {"aggregator": f"{NET}.1:8460", "labels": {"rack": "r7"}},
        }

    def boot(self):
        for name, debs in (("watch", [self.debs["vigil"], self.debs["vigil-aggregator"]]), ("app", [self.debs["vigil-agent"]])):
            machine = Machine(self.folder, name)
            self.machines[name] = machine
            machine.fetch(debs, *TARGETS)
            machine.boot()
            machine.apt("install", *TARGETS)
        wire(self.machines["watch"], self.machines["app"], NET)

    def play(self, limit):
        """What the play says of each machine: {"changed": 3, "failed": 0, …}."""
        group = {"watch": "vigil_aggregator", "app": "vigil_agents"}
        inventory = {group[name]: {"hosts": {name: {"ansible_host": str(machine.init())}}} for name, machine in self.machines.items()}
        (self.folder / "inventory.json").write_text(json.dumps(inventory))
        (self.folder / "variables.json").write_text(json.dumps({**self.variables, "ansible_connection": "booted", "ansible_python_interpreter": "/usr/bin/python3"}))
        done = subprocess.run(["ansible-playbook", "-i", self.folder / "inventory.json", "-e", f"@{self.folder}/variables.json", "--limit", limit, "site.yml"],
                              cwd=ROOT / "packaging" / "ansible", capture_output=True, text=True, timeout=900,
                              env={**os.environ, "ANSIBLE_CONNECTION_PLUGINS": str(pathlib.Path(__file__).parent / "connection_plugins"), "LC_ALL": "C.UTF-8",
                                   "ANSIBLE_LOCAL_TEMP": str(self.folder / "ansible"), "ANSIBLE_NOCOLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"})
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        [recap] = re.findall(rf"^{limit} +: (.*)$", done.stdout, re.MULTILINE)
        return {key: int(count) for key, count in re.findall(r"(\w+)=(\d+)", recap)}

    def vigil(self, *arguments):
        return self.machines["watch"].run("vigil", "--aggregator", "unix:/var/lib/vigil/vigil.sock", *arguments).stdout

    def close(self):
        for machine in self.machines.values():
            machine.close()


@pytest.fixture(scope="module")
def site(debs, bootable, tmp_path_factory):
    if shutil.which("ansible-playbook") is None:
        pytest.skip("ansible-playbook is not installed")
    site = Site(tmp_path_factory.mktemp("ansible"), debs)
    try:
        site.boot()
        yield site
    finally:
        site.close()


def test_the_aggregators_role_installs_makes_certificates_and_backs_up(site):
    assert site.play("watch")["changed"] >= 5
    watch = site.machines["watch"]
    eventually("it runs", lambda: watch.state("vigil-aggregator.service") == "active" and site.vigil("status"))
    assert watch.run("stat", "-c", "%U %a", "/var/lib/vigil/identity/ca.pem").stdout.split()[0] == "vigil"
    assert watch.run("stat", "-c", "%U %G %a", "/etc/vigil/aggregator.yml").stdout.strip() == "root vigil 640"
    assert watch.state("vigil-backup.timer") == "active"


def test_the_agents_role_installs_and_enrols_the_host(site):
    line = site.vigil("agent", "invite", "--name", "app", "--address", f"{NET}.1:8460").strip()
    site.variables["vigil_agent_enrol_command"] = shlex.split(line)
    assert site.play("app")["changed"] >= 4
    eventually("the host is up", lambda: [(host["name"], host["state"]) for host in json.loads(site.vigil("hosts", "-o", "json"))] == [("app", "up")])
    eventually("its label", lambda: json.loads(site.vigil("query", 'node_load1{rack="r7"}', "-o", "json")))
    assert site.machines["app"].run("stat", "-c", "%U %a", "/var/lib/vigil-agent/identity.pem").stdout.strip() == "vigil-agent 600"


def test_a_second_play_changes_nothing(site):
    for name in site.machines:
        result = site.play(name)
        assert (result["changed"], result["failed"], result["unreachable"]) == (0, 0, 0), name


def test_a_wrong_configuration_is_not_put_in_place(site):
    right = dict(site.variables["vigil_agent_config"])
    site.variables["vigil_agent_config"] = {**right, "intervall": "1s"}
    with pytest.raises(AssertionError, match="intervall"):
        site.play("app")
    site.variables["vigil_agent_config"] = right
    assert "intervall" not in site.machines["app"].run("cat", "/etc/vigil/agent.yml").stdout
    assert site.machines["app"].state("vigil-agent.service") == "active"


def test_what_the_daemons_read_at_their_start_only_restarts_them():
    """Also where the configuration does not change: the packages start the daemons before they have certificates."""
    for role, names in (("vigil_aggregator", {"Make the certificates", "Configure the aggregator"}), ("vigil_agent", {"Enrol the host", "Configure the agent"})):
        tasks = yaml.safe_load((ROOT / f"packaging/ansible/roles/{role}/tasks/main.yml").read_text())
        assert {task["name"] for task in tasks if "notify" in task} == names
