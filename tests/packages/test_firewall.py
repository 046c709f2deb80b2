"""The firewall rules of docs/operations.md, loaded as they stand there: what they let through, and what they stop."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from machine import ROOT, eventually

RULES = re.search(r"```\n(nft add table.*?)```", (ROOT / "docs" / "operations.md").read_text(), re.S).group(1)
# Who knocks: hosts of the networks the rules name, and somebody else. Each with two addresses of each kind.
HOSTS, STRANGERS = "hosts", "strangers"
ADDRESSES = {HOSTS: ("10.1.0.", "fd00:1::"), STRANGERS: ("192.0.2.", "2001:db8:1::")}
GATE = 20  # connections of a source

# Connects as often as asked, from an address, and says how many came through; keeps them until its input ends.
KNOCK = """
import socket, sys
source, target, port, count, patience = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
kept = []
for _ in range(count):
    try:
        kept.append(socket.create_connection((target, port), timeout=patience, source_address=(source, 0)))
    except TimeoutError:
        pass
print(len(kept), flush=True)
sys.stdin.read()
"""


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


class Site:
    """An aggregator's machine behind the rules, and two networks before it, as network namespaces."""

    def __init__(self, folder, bin_folder):
        self.bin = bin_folder
        self.folder = folder
        self.names = {name: f"vigil-{os.getpid()}-{name}" for name in ("gate", HOSTS, STRANGERS)}
        self.children = []

    def inside(self, name):
        return ["ip", "netns", "exec", self.names[name]]

    def build(self):
        for name in self.names:
            run("ip", "netns", "add", self.names[name])
            run(*self.inside(name), "ip", "link", "set", "lo", "up")
        for name, networks in ADDRESSES.items():
            run("ip", "link", "add", name, "netns", self.names["gate"], "type", "veth", "peer", "name", "eth0", "netns", self.names[name])
            for side, link, numbers in (("gate", name, "1"), (name, "eth0", "23")):
                for network in networks:
                    bits, quiet = (64, ["nodad"]) if ":" in network else (24, [])
                    for number in numbers:
                        run(*self.inside(side), "ip", "address", "add", f"{network}{number}/{bits}", "dev", link, *quiet)
                run(*self.inside(side), "ip", "link", "set", "dev", link, "up")
        for line in RULES.splitlines():
            run(*self.inside("gate"), "sh", "-c", line)
        self.config("aggregator.yml", "grpc_listen: 0.0.0.0:8460\nhttp_listen: 127.0.0.1:8461\ntls: {plaintext: true}\n")
        self.start("gate", "vigil-aggregator", "--data-dir", self.folder / "data", "--config", self.folder / "aggregator.yml")
        eventually("it listens", lambda: self.hosts() == {})

    def config(self, name, text):
        (self.folder / name).write_text(text)

    def start(self, name, program, *arguments):
        with open(self.folder / f"{program}.log", "a") as log:
            self.children.append(subprocess.Popen([*self.inside(name), self.bin / program, *arguments], stdout=log, stderr=log))

    def hosts(self):
        # By the machine's own socket: a port in plain text that others reach gives nobody a role.
        socket = f"unix:{self.folder}/data/vigil.sock"
        rows = json.loads(run(*self.inside("gate"), self.bin / "vigil", "--aggregator", socket, "hosts", "-o", "json"))
        return {host["name"]: host["state"] for host in rows}

    def knock(self, name, source, count=1, port=8460, patience=5):
        """Connections that came through and are kept, and who keeps them."""
        target = f"{source[:-1]}1"
        child = subprocess.Popen([*self.inside(name), sys.executable, "-c", KNOCK, source, target, str(port), str(count), str(patience)],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.children.append(child)
        return int(child.stdout.readline()), child

    def comes_through(self, name, source, port=8460, patience=5):
        came, child = self.knock(name, source, 1, port, patience)
        self.leave(child)
        return came == 1

    def leave(self, child):
        child.communicate()
        self.children.remove(child)

    def close(self):
        for child in self.children:
            child.kill()
            child.wait(timeout=60)
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()
        for name in self.names.values():
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


@pytest.fixture(scope="module")
def site(bin_folder, tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("network namespaces and their rules need root")
    for tool in ("ip", "nft"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    site = Site(tmp_path_factory.mktemp("firewall"), bin_folder)
    try:
        site.build()
        yield site
    finally:
        site.close()


def test_an_agent_of_the_networks_that_are_named_delivers(site):
    site.config("agent.yml", "name: inside\naggregator: 10.1.0.1:8460\ntls: {plaintext: true}\n")
    site.start(HOSTS, "vigil-agent", "--config", site.folder / "agent.yml")
    eventually("its host is up", lambda: site.hosts() == {"inside": "up"})


@pytest.mark.parametrize("network", ADDRESSES[HOSTS])
def test_hosts_come_through_on_both_protocols(site, network):
    assert site.comes_through(HOSTS, f"{network}3")


@pytest.mark.parametrize("network", ADDRESSES[STRANGERS])
def test_everybody_else_is_dropped_without_an_answer(site, network):
    assert not site.comes_through(STRANGERS, f"{network}3", patience=1.5)
    # Not because they could not get there: another port refuses, it does not drop.
    refused = subprocess.run([*site.inside(STRANGERS), sys.executable, "-c", KNOCK, f"{network}3", f"{network}1", "8462", "1", "5"], capture_output=True, text=True, input="")
    assert "ConnectionRefusedError" in refused.stderr


@pytest.mark.parametrize("network, other", [("10.1.0.", "10.1.0.2"), ("fd00:1::", None)], ids=["IPv4", "IPv6"])
def test_a_source_has_twenty_connections_and_room_again_when_they_end(site, network, other):
    came, child = site.knock(HOSTS, f"{network}3", GATE + 2, patience=1.5)
    assert came == GATE
    if other:  # another address is another source; of IPv6 the network of 64 bits is one
        assert site.comes_through(HOSTS, other)
    else:
        assert not site.comes_through(HOSTS, f"{network}2", patience=1.5)
    site.leave(child)
    eventually("there is room", lambda: site.comes_through(HOSTS, f"{network}3", patience=1.5))
    assert site.hosts()["inside"] == "up"


def test_on_the_machine_itself_nothing_is_stopped(site):
    came = int(subprocess.run([*site.inside("gate"), sys.executable, "-c", KNOCK, "127.0.0.1", "127.0.0.1", "8460", str(GATE + 5), "5"],
                              capture_output=True, text=True, input="", check=True).stdout)
    assert came == GATE + 5
