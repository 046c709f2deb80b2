"""Three booted machines with a network of their own between them: an aggregator, and two hosts, set up by the very commands of the README."""

import json
import os
import re
import shlex
import signal
import subprocess

import pytest

from machine import ROOT, Machine, eventually

HOSTS = {"web-1": "10.77.1", "web-2": "10.77.2"}


def path_of_the_readme():
    """Its commands, in their order: what a newcomer types is what is tested."""
    text = (ROOT / "README.md").read_text()
    section = text[text.index("## Five minutes to a fleet"):text.index("## Documentation")]
    return [line.split("  #")[0].strip() for block in re.findall(r"```sh\n(.*?)```", section, re.S) for line in block.splitlines()]


COMMANDS = path_of_the_readme()


def command(beginning):
    [found] = [line for line in COMMANDS if line.startswith(beginning)]
    return found


def wire(hub, machine, net):
    """A cable between two machines."""
    ends = f"v{os.getpid() % 10000}a", f"v{os.getpid() % 10000}b"
    subprocess.run(["ip", "link", "add", ends[0], "netns", str(hub.init()), "type", "veth", "peer", "name", ends[1], "netns", str(machine.init())], check=True)
    for side, name, address in ((hub, ends[0], f"{net}.1/24"), (machine, ends[1], f"{net}.2/24")):
        new = f"to-{machine.name}" if side is hub else "eth0"
        side.run("ip", "link", "set", name, "name", new)
        side.run("ip", "address", "add", address, "dev", new)
        side.run("ip", "link", "set", new, "up")


@pytest.fixture(scope="module")
def fleet(debs, bootable, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fleet")
    machines = []
    try:
        hub = Machine(folder, "hub")
        machines.append(hub)
        # Installed while nothing runs, as an image is made: what the packages enabled starts with the machine.
        hub.install([debs["vigil"], debs["vigil-aggregator"]])
        hub.boot()
        said = hub.run("sh", "-c", command("vigil-aggregator init").replace("monitor.example.org", " --name ".join(f"{net}.1" for net in HOSTS.values())))
        assert "me is an admin" in said.stdout, said
        hub.write("/etc/vigil/aggregator.yml", "grpc_listen: 0.0.0.0:8460\nnotifications:\n  receivers:\n    - name: on-call\n"
                  "      slack: {webhook_url_file: /etc/vigil/slack-url}\n")
        hub.run("sh", "-c", command("install -m 640"))
        hub.run("sh", "-c", command("echo https://hooks.slack.com"))
        hub.run("sh", "-c", command("vigil-aggregator --check"))
        hub.run("sh", "-c", command("systemctl restart vigil-aggregator"))
        for name, net in HOSTS.items():
            machine = Machine(folder, name)
            machines.append(machine)
            machine.install([debs["vigil-agent"]])
            machine.boot()
            wire(hub, machine, net)
            invite = command("vigil agent invite").replace("web-1", name).replace("monitor.example.org", f"{net}.1")
            line = hub.run("sh", "-c", f"{command('export VIGIL_TLS_CA')}; {invite}").stdout.strip()
            shape = re.sub(r"(--token|sha256:|--aggregator)( ?)\S+", r"\1\2", command("vigil-agent enroll"))
            assert re.sub(r"(--token|sha256:|--aggregator)( ?)\S+", r"\1\2", line) == shape
            machine.run("sh", "-c", line)
            machine.run("sh", "-c", command("systemctl restart vigil-agent"))
        yield {machine.name: machine for machine in machines}
    finally:
        for machine in machines:
            machine.close()


def vigil(hub, *arguments):
    line = f"{command('export VIGIL_TLS_CA')}; vigil {shlex.join(arguments)} -o json"
    return json.loads(hub.run("sh", "-c", line).stdout)


def states(hub):
    return {host["name"]: host["state"] for host in vigil(hub, "hosts")}


def test_a_backup_is_made_as_the_timer_does(fleet):
    hub = fleet["hub"]
    hub.run("sh", "-c", command("systemctl enable --now vigil-backup.timer"))
    hub.run("systemctl", "start", "vigil-backup.service")
    assert hub.run("sh", "-c", "ls /var/backups/vigil").stdout.strip()


def test_two_hosts_come_in_over_tls(fleet):
    eventually("both are up", lambda: states(fleet["hub"]) == {"web-1": "up", "web-2": "up"})


def test_a_host_that_loses_its_power_is_told_of_and_comes_back_with_what_it_had(fleet):
    hub, lost = fleet["hub"], fleet["web-1"]
    os.kill(lost.init(), signal.SIGKILL)
    lost.nspawn.wait(timeout=60)
    eventually("it is down", lambda: states(hub)["web-1"] == "down")
    firing = lambda: [alert for alert in vigil(hub, "alerts", "--firing") if alert["name"] == "HostDown" and "web-1" in json.dumps(alert)]
    eventually("somebody would be told", firing)
    assert states(hub)["web-2"] == "up"
    lost.boot()
    wire(hub, lost, HOSTS["web-1"])
    eventually("it is up again", lambda: states(hub)["web-1"] == "up")
    eventually("the alert is over", lambda: not firing())


def test_a_host_that_is_shut_down_has_left(fleet):
    hub, leaving = fleet["hub"], fleet["web-2"]
    leaving.run("systemctl", "poweroff", check=False)
    leaving.nspawn.wait(timeout=90)
    eventually("it has left", lambda: states(hub)["web-2"] == "left")
