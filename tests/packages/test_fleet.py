"""The README's path, word by word, in three booted machines with a network of their own: an aggregator, two hosts, and Slack, which is ours."""

import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys

import pytest

import readme
from machine import Machine, eventually, wire

HOSTS = {"web-1": "10.77.1", "web-2": "10.77.2"}
AGGREGATOR = "monitor.example.org"
SLACK = "hooks.slack.com"


class Slack:
    """hooks.slack.com as the hub sees it: a name in its hosts file, a certificate of an authority it trusts."""

    def __init__(self, hub, folder):
        self.folder = pathlib.Path(folder)
        self.kept = self.folder / "messages"
        openssl = lambda *arguments: subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]
        openssl("req", "-x509", *key, "-days", "2", "-subj", "/CN=an authority of the test", "-keyout", "ca.key", "-out", "ca.pem")
        openssl("req", *key, "-subj", f"/CN={SLACK}", "-keyout", "slack.key", "-out", "slack.csr")
        (self.folder / "ext").write_text(f"subjectAltName = DNS:{SLACK}\n")
        openssl("x509", "-req", "-in", "slack.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out", "slack.pem")
        hub.write("/usr/local/share/ca-certificates/test.crt", (self.folder / "ca.pem").read_text())
        hub.run("update-ca-certificates")
        self.child = subprocess.Popen(["nsenter", f"--net=/proc/{hub.init()}/ns/net", sys.executable, pathlib.Path(__file__).with_name("fake_slack.py"),
                                       "slack.pem", "slack.key", self.kept], cwd=self.folder, stdout=subprocess.PIPE, text=True)
        assert self.child.stdout.readline() == "listening\n"

    def messages(self):
        return [json.loads(line) for line in self.kept.read_text().splitlines()] if self.kept.exists() else []

    def about(self, *names):
        """Texts of the messages that name all of these."""
        texts = [json.dumps(kept["message"], ensure_ascii=False) for kept in self.messages()]
        return [text for text in texts if all(name in text for name in names)]

    def close(self):
        self.child.kill()
        self.child.wait(timeout=60)
        self.child.stdout.close()


class Path:
    """Who follows the README: what is typed, and that all of it was."""

    def __init__(self):
        self.typed = []

    def follow(self, shell, lines, changed=lambda line: line):
        said = []
        for line in lines:
            said.append(shell.type(changed(line)))
            self.typed.append(line)
        return said


def machine_of(folder, name, debs, hosts, booted=True):
    machine = Machine(folder, name)
    machine.write("/etc/hosts", f"127.0.0.1 localhost {name}\n::1 localhost\n{hosts}\n")
    machine.write("/etc/apt/apt.conf.d/yes", 'APT::Get::Assume-Yes "true";\n')  # who is asked says so
    if booted:
        machine.fetch(debs)
    else:  # while nothing runs, as an image is made: what the packages enabled starts with the machine
        machine.install(debs)
    (machine.root / "root" / "dist").symlink_to("packages")
    return machine.boot()


def enrol(path, shell, host, name):
    """Steps of the README for a host, which is invited in the hub's shell. The first host's are typed as they are there."""
    [said] = path.follow(shell, readme.INVITE, lambda line: line.replace("web-1", name))
    [line] = [each for each in said.splitlines() if each.startswith("vigil-agent enroll")]
    shape = lambda text: re.sub(r"(--token|--fingerprint|--aggregator) \S+", r"\1", text)
    told = lambda typed: line if typed.startswith("vigil-agent enroll") else typed
    assert shape(line) == shape(readme.HOST[1])
    hosts_shell = host.shell("/root/dist")
    path.follow(hosts_shell, readme.HOST if name == "web-1" else readme.HOST[1:], told)
    hosts_shell.close()  # one that is open would keep the machine from going down


@pytest.fixture(scope="module")
def fleet(debs, bootable, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fleet")
    closing = []
    try:
        path = Path()
        hub = machine_of(folder, "hub", [debs["vigil"], debs["vigil-aggregator"]], f"127.0.0.1 {AGGREGATOR} {SLACK}")
        closing.append(hub)
        shell = hub.shell("/root")
        said = path.follow(shell, readme.AGGREGATOR)
        assert "me is an admin" in said[1], said
        assert sorted(re.findall(r"VIGIL_TLS_\w+=\S+", said[1].replace("/root", "~"))) == sorted(re.findall(r"VIGIL_TLS_\w+=\S+", readme.AGGREGATOR[2]))
        slack = Slack(hub, folder)
        closing.append(slack)
        hub.write("/etc/vigil/aggregator.yml", readme.CONFIGURATION)
        tested = path.follow(shell, readme.RECEIVER)[-1]
        assert re.search(r"^yes +on-call +slack", tested, re.MULTILINE), tested
        hosts = {}
        for name, net in HOSTS.items():
            hosts[name] = machine_of(folder, name, [debs["vigil-agent"]], f"{net}.1 {AGGREGATOR}", booted=name == "web-1")
            closing.append(hosts[name])
            wire(hub, hosts[name], net)
            enrol(path, shell, hosts[name], name)
        yield {"hub": hub, **hosts, "slack": slack, "path": path, "shell": shell}
        shell.close()
    finally:
        for each in reversed(closing):
            each.close()


def vigil(hub, *arguments):
    exports = next(line for line in readme.AGGREGATOR if line.startswith("export"))
    return json.loads(hub.run("sh", "-c", f"{exports}; vigil {shlex.join(arguments)} -o json").stdout)


def states(hub):
    return {host["name"]: host["state"] for host in vigil(hub, "hosts")}


def both_are_up(hub):
    eventually("both are up", lambda: states(hub) == {"web-1": "up", "web-2": "up"})


def test_slack_says_hello(fleet):
    hello = next(kept for kept in fleet["slack"].messages() if "VigilTest" in json.dumps(kept["message"]))
    assert (hello["host"], hello["path"]) == (SLACK, "/services/...")
    assert fleet["hub"].run("stat", "-c", "%U %G %a", "/etc/vigil/slack-url").stdout.strip() == "root vigil 640"


def test_two_hosts_come_in_over_tls_and_are_looked_at(fleet):
    both_are_up(fleet["hub"])
    eventually("their memory", lambda: len(vigil(fleet["hub"], "query", "node_memory_MemAvailable_bytes")) == 2)
    hosts, top, _, plot = fleet["path"].follow(fleet["shell"], readme.LOOK)
    for name in HOSTS:
        assert name in hosts and name in top and name in plot


def test_slack_is_told_of_a_host_that_is_lost_and_that_it_is_back(fleet):
    both_are_up(fleet["hub"])
    shell = fleet["web-1"].shell("/root")
    before = len(fleet["slack"].messages())
    fleet["path"].follow(shell, [readme.LOSE])
    [lost] = eventually("Slack is told", lambda: fleet["slack"].about("HostDown on web-1"))
    assert "Critical" in lost and "Since" in lost
    fleet["path"].follow(shell, [readme.FIND])
    shell.close()
    eventually("Slack is told that it is over", lambda: [text for text in fleet["slack"].about("HostDown on web-1") if "Lasted" in text])
    # Nothing of the other host, and nothing twice.
    assert [text for text in fleet["slack"].about("web-2") if "HostDown" in text] == []
    assert len(fleet["slack"].about("HostDown on web-1")) == 2 <= len(fleet["slack"].messages()) - before
    both_are_up(fleet["hub"])


def test_a_busy_host_is_told_of_with_what_made_it_so(fleet):
    if "VIGIL_PATIENT" not in os.environ:
        pytest.skip("the average of five minutes takes as long: VIGIL_PATIENT=1 waits for it")
    both_are_up(fleet["hub"])
    shell = fleet["web-2"].shell("/root")
    shell.type(f"for each in $(seq $(nproc)); do {readme.BUSY} & done")
    try:
        told = eventually("Slack is told", lambda: fleet["slack"].about("HighCpu on web-2", "Critical"), 900)
        assert "Since" in told[0] and "yes" in told[0]
    finally:
        shell.type("pkill -x yes")
        shell.close()
    fleet["path"].typed.append(readme.BUSY)
    eventually("Slack is told that it is over", lambda: [text for text in fleet["slack"].about("HighCpu on web-2") if "Lasted" in text], 900)


def test_the_timer_makes_a_backup_and_reads_it_back(fleet):
    hub = fleet["hub"]
    fleet["path"].follow(fleet["shell"], readme.KEEP)
    assert int(hub.show("vigil-backup.timer", "NextElapseUSecRealtime") != "")
    assert hub.run("ls", "/var/backups/vigil").stdout == ""
    # The machine was off last night: so the timer, which is persistent, has to run now. Its delay is random, and none here.
    hub.write("/etc/systemd/system/vigil-backup.timer.d/now.conf", "[Timer]\nRandomizedDelaySec=0\n")
    hub.run("systemctl", "daemon-reload")
    hub.run("systemctl", "stop", "vigil-backup.timer")
    hub.run("touch", "-d", "2 days ago", "/var/lib/systemd/timers/stamp-vigil-backup.timer")
    hub.run("systemctl", "start", "vigil-backup.timer")
    [made] = eventually("a set", lambda: [name for name in hub.run("ls", "/var/backups/vigil").stdout.split() if name.startswith("set-")])
    eventually("it is read back", lambda: hub.show("vigil-backup.service", "ActiveState") == "inactive")
    assert hub.show("vigil-backup.service", "Result") == "success"
    assert hub.show("vigil-backup.timer", "LastTriggerUSec") != ""
    assert hub.show("vigil-backup.service", "ExecStartPost").count("status=0") == 1
    # What the README says that it holds: what a lost aggregator needs to go on with its hosts.
    hub.run("vigil", "restore", "/var/backups/vigil", "--verify")
    hub.run("vigil", "restore", "/var/backups/vigil", "--data-dir", "/root/elsewhere", "--set", made.removesuffix(".json"))
    assert hub.run("sh", "-c", "cmp /root/elsewhere/identity/ca.pem /root/vigil/ca.pem && ls /root/elsewhere/identity/*.key").stdout.strip()


def test_all_that_the_readme_says_was_typed(fleet):
    everything = [line for lines in (readme.AGGREGATOR, readme.RECEIVER, readme.INVITE, readme.HOST, readme.LOOK, readme.KEEP) for line in lines]
    assert len(everything) == 17
    assert [line for line in [*everything, readme.LOSE, readme.FIND] if line not in fleet["path"].typed] == []


def test_a_host_that_loses_its_power_is_told_of_and_comes_back_with_what_it_had(fleet):
    hub, lost = fleet["hub"], fleet["web-1"]
    both_are_up(hub)
    os.kill(lost.init(), signal.SIGKILL)
    lost.nspawn.wait(timeout=60)
    eventually("it is down", lambda: states(hub)["web-1"] == "down")
    firing = lambda: [alert for alert in vigil(hub, "alerts", "--firing") if alert["name"] == "HostDown" and "web-1" in json.dumps(alert)]
    eventually("somebody is told", firing)
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
