"""The packages in a clean, booted Debian 12: installed, killed, rebooted, upgraded, refused, removed, purged."""

import json
import pathlib
import re

import pytest

from machine import Machine, eventually

FAKE_ENGINE = pathlib.Path(__file__).with_name("fake_engine.pl")

SERVICES = ("vigil-aggregator.service", "vigil-agent.service")


@pytest.fixture(scope="module")
def installed(debs, bootable, tmp_path_factory):
    """One machine, which the tests of this file take from state to state, in their order."""
    machine = Machine(tmp_path_factory.mktemp("boot"), "clean")
    try:
        machine.fetch(debs.values())
        machine.boot()
        machine.apt("install", *[f"/root/packages/{deb.name}" for deb in debs.values()])
        yield machine
    finally:
        machine.close()


def both_active(machine):
    return all(machine.state(unit) == "active" for unit in SERVICES)


def host(machine):
    return next(iter(json.loads(machine.run("vigil", "hosts", "-o", "json").stdout)))


def value(machine, expression, *arguments):
    rows = json.loads(machine.run("vigil", "query", expression, *arguments, "-o", "json").stdout)
    return [row["value"] for row in rows]


def host_is_up(machine):
    eventually("both services are active", lambda: both_active(machine))
    eventually("the host is up", lambda: host(machine)["state"] == "up")


def assert_nobody_else_reads(machine, *folders):
    """Of the daemons' folders: 0700, and nothing in them that others could read, should they get there."""
    for folder in folders or ("/var/lib/vigil", "/var/lib/vigil-agent"):
        assert machine.run("find", folder, "-maxdepth", "0", "-perm", "700").stdout.strip() == folder
        assert machine.run("find", folder, "-type", "f", "-perm", "/077").stdout == ""


def test_both_daemons_run_once_installed_and_the_host_is_seen(installed):
    host_is_up(installed)
    assert host(installed)["name"] == "clean"
    assert eventually("the load", lambda: value(installed, "node_load1"))
    assert installed.run("systemctl", "--failed", "--no-legend", "--plain", check=False).stdout.strip() == ""
    for unit in SERVICES:
        assert installed.run("systemctl", "is-enabled", unit).stdout.strip() == "enabled"
    assert installed.run("systemctl", "is-enabled", "vigil-backup.timer", check=False).stdout.strip() == "disabled"


def test_they_run_as_their_own_users_and_keep_their_folders_to_themselves(installed):
    for unit, user, folder in (("vigil-aggregator.service", "vigil", "/var/lib/vigil"), ("vigil-agent.service", "vigil-agent", "/var/lib/vigil-agent")):
        pid = installed.show(unit, "MainPID")
        assert installed.run("stat", "-c", "%U", f"/proc/{pid}").stdout.strip() == user
        assert installed.run("stat", "-c", "%U %G %a", folder).stdout.strip() == f"{user} {user} 700"
        assert re.search(r"^CapEff:\s+0000000000000000$", installed.run("cat", f"/proc/{pid}/status").stdout, re.MULTILINE)
    assert_nobody_else_reads(installed)


def test_what_the_agent_may_not_read_itself_the_kernel_reader_tells(installed):
    eventually("the clock's state", lambda: value(installed, "node_timex_sync_status"))
    assert installed.state("vigil-kernel-reader.service") == "active"
    # PID 1 is root's, and does the most I/O of a host that has just booted.
    eventually("the I/O of root's processes", lambda: value(installed, 'vigil_process_read_bytes_total{comm="systemd"}'))


def groups_of(machine, pid):
    return machine.run("sed", "-n", "s/^Groups:[[:space:]]*//p", f"/proc/{pid}/status").stdout.split()


def may_write(machine, user, path):
    """Whether a process of this user and of its own group may, as the kernel says."""
    return machine.run("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "test", "-w", path, check=False).returncode == 0


@pytest.fixture(scope="module")
def with_engine(installed):
    """A package with an engine, installed after the agent. Its containers are made up; who may ask for them is not."""
    assert installed.state("vigil-docker-reader.socket") == "inactive"
    assert installed.run("systemctl", "is-enabled", "vigil-docker-reader.socket", check=False).stdout.strip() == "disabled"
    installed.write("/root/engine/DEBIAN/control", "Package: engine\nVersion: 1\nArchitecture: all\nMaintainer: a test <packages@example.org>\n"
                                                   "Description: answers as Docker does\n")
    installed.write("/root/engine/DEBIAN/postinst", "#!/bin/sh\ngetent group docker >/dev/null || groupadd --system docker\n", 0o755)
    installed.write("/root/engine/usr/sbin/dockerd", FAKE_ENGINE.read_text(), 0o755)
    installed.run("dpkg-deb", "-Zgzip", "--root-owner-group", "-b", "/root/engine", "/root/engine.deb")
    installed.run("dpkg", "-i", "/root/engine.deb")
    installed.run("systemd-run", "--unit=engine", "/usr/sbin/dockerd")
    eventually("the engine listens", lambda: installed.run("test", "-S", "/run/docker.sock", check=False).returncode == 0)
    return installed


def test_an_engine_that_is_installed_later_is_asked_through_its_reader(with_engine):
    assert with_engine.run("systemctl", "is-enabled", "vigil-docker-reader.socket").stdout.strip() == "enabled"
    assert with_engine.state("vigil-docker-reader.socket") == "active"
    assert with_engine.run("systemctl", "is-enabled", "vigil-podman-reader.socket", check=False).stdout.strip() == "disabled"
    host_is_up(with_engine)
    eventually("the container", lambda: value(with_engine, 'container_info{name="web",image="nginx"}') == [1])
    eventually("its state", lambda: value(with_engine, 'container_state{name="web",state="running"}') == [1])
    assert "through vigil-docker-reader" in with_engine.run("vigil-agent", "doctor", check=False).stdout


def test_only_the_reader_is_in_dockers_group_and_only_the_agent_may_ask_it(with_engine):
    docker = with_engine.run("getent", "group", "docker").stdout.strip().split(":")
    assert docker[3] == "", "nobody is a member"
    agent = with_engine.show("vigil-agent.service", "MainPID")
    assert docker[2] not in groups_of(with_engine, agent)
    reader = with_engine.show("vigil-docker-reader.service", "MainPID")
    assert docker[2] in groups_of(with_engine, reader)
    status = with_engine.run("cat", f"/proc/{reader}/status").stdout
    assert re.search(r"^CapEff:\s+0000000000000000$", status, re.MULTILINE)
    assert int(re.search(r"^Uid:\s+(\d+)", status, re.MULTILINE)[1]) >= 61184, "one of systemd's dynamic users"
    assert with_engine.run("stat", "-c", "%U %G %a", "/run/vigil/docker.sock").stdout.strip() == "root vigil-agent 660"
    assert with_engine.run("stat", "-c", "%U %G %a", "/run/docker.sock").stdout.strip() == "root docker 660"
    assert may_write(with_engine, "vigil-agent", "/run/vigil/docker.sock")
    assert not may_write(with_engine, "vigil-agent", "/run/docker.sock")
    assert not may_write(with_engine, "vigil", "/run/vigil/docker.sock")


def test_the_reader_survives_what_is_no_question_and_tells_no_secret(with_engine):
    ask = lambda request: with_engine.run("perl", "-MIO::Socket::UNIX", "-e", """
        my $s = IO::Socket::UNIX->new(Peer => '/run/vigil/docker.sock') or die "connect: $!";
        print $s $ARGV[0]; $s->flush; local $/; print <$s>;""", request).stdout
    container = "ab" * 32
    answer = ask(f"GET /v1.43/containers/{container}/json HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.startswith("HTTP/1.1 200 OK") and '"/web"' in answer and "hunter2" not in answer
    assert ask("POST /containers/create HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith("HTTP/1.1 403 ")
    reader = with_engine.show("vigil-docker-reader.service", "MainPID")
    with_engine.run("kill", "-9", reader)
    eventually("the agent is told again", lambda: with_engine.show("vigil-docker-reader.service", "MainPID") not in ("0", reader))
    eventually("the container", lambda: value(with_engine, 'vigil_container_runtime_up{runtime="docker"}') == [1])


def test_a_secret_comes_as_a_credential_that_only_the_daemon_can_read(installed):
    installed.write("/etc/vigil/slack-url", "https://hooks.slack.com/services/T0/B0/x\n", 0o600)
    installed.write("/etc/systemd/system/vigil-aggregator.service.d/slack.conf", "[Service]\nLoadCredential=slack-url:/etc/vigil/slack-url\n")
    installed.write("/etc/vigil/aggregator.yml", """\
notifications:
  receivers:
    - name: on-call
      slack: {webhook_url_file: /run/credentials/vigil-aggregator.service/slack-url}
""")
    installed.run("systemctl", "daemon-reload")
    installed.run("systemctl", "restart", "vigil-aggregator.service")
    host_is_up(installed)
    assert "on-call" in installed.run("vigil", "receivers").stdout
    refused = installed.run("setpriv", "--reuid=vigil-agent", "--regid=vigil-agent", "--clear-groups", "cat",
                            "/run/credentials/vigil-aggregator.service/slack-url", check=False)
    assert refused.returncode != 0


def test_a_reload_by_systemd_restarts_neither(installed):
    before = {unit: installed.show(unit, "MainPID") for unit in SERVICES}
    installed.write("/etc/vigil/agent.yml", "labels: {room: r1}\n")
    installed.run("systemctl", "reload", *SERVICES)
    eventually("the new label", lambda: value(installed, 'node_load1{room="r1"}'))
    assert {unit: installed.show(unit, "MainPID") for unit in SERVICES} == before


@pytest.mark.parametrize("unit", SERVICES)
def test_a_daemon_that_is_killed_comes_back(installed, unit):
    before = installed.show(unit, "MainPID")
    installed.run("kill", "-9", before)
    eventually(f"{unit} runs anew", lambda: installed.state(unit) == "active" and installed.show(unit, "MainPID") not in ("0", before))
    host_is_up(installed)


def test_a_daemon_that_hangs_is_killed_by_the_watchdog(installed):
    installed.write("/etc/systemd/system/vigil-agent.service.d/watchdog.conf", "[Service]\nWatchdogSec=3\n")
    installed.run("systemctl", "daemon-reload")
    installed.run("systemctl", "restart", "vigil-agent.service")
    host_is_up(installed)
    before = installed.show("vigil-agent.service", "MainPID")
    installed.run("kill", "-STOP", before)
    eventually("it runs anew", lambda: installed.state("vigil-agent.service") == "active" and installed.show("vigil-agent.service", "MainPID") not in ("0", before))
    installed.run("rm", "/etc/systemd/system/vigil-agent.service.d/watchdog.conf")
    installed.run("systemctl", "daemon-reload")
    installed.run("systemctl", "restart", "vigil-agent.service")


def test_a_backup_is_made_and_read_back(installed):
    installed.run("systemctl", "start", "vigil-backup.service")
    assert installed.show("vigil-backup.service", "Result") == "success"
    assert installed.run("stat", "-c", "%U %a", "/var/backups/vigil").stdout.strip() == "vigil 700"
    installed.run("systemctl", "enable", "--now", "vigil-backup.timer")
    assert installed.state("vigil-backup.timer") == "active"
    assert int(installed.show("vigil-backup.timer", "NextElapseUSecRealtime") != "")
    # Who restores is root, whose umask lets others read.
    installed.run("sh", "-c", "umask 022; vigil restore /var/backups/vigil --data-dir /root/restored")
    assert installed.run("sh", "-c", "ls /root/restored/*.db").stdout != ""
    assert_nobody_else_reads(installed, "/root/restored", "/var/backups/vigil")


def oldest(machine):
    """When the first sample was taken that a query can still see."""
    rows = json.loads(machine.run("vigil", "query", "node_load1", "--start", "30m", "--step", "10s", "-o", "json").stdout)
    return min(row["time_ms"] if "time_ms" in row else row["at_ms"] for row in rows)


def test_a_reboot_keeps_the_data(installed):
    first = oldest(installed)
    installed.reboot()
    host_is_up(installed)
    assert oldest(installed) <= first + 10_000
    assert_nobody_else_reads(installed)
    doctor = installed.run("vigil-agent", "doctor", check=False).stdout
    assert re.search(r"^ok +docker +/run/vigil/docker.sock +no engine there$", doctor, re.MULTILINE), "an engine that is gone is no trouble"


def test_an_upgrade_keeps_data_and_configuration_and_restarts_both(installed, debs):
    """To these packages with a higher version; from really older ones: test_upgrade.py."""
    first = oldest(installed)
    installed.run("sh", "-c", "echo 'labels: {rack: r7}' >/etc/vigil/agent.yml")
    before = {unit: installed.show(unit, "MainPID") for unit in SERVICES}
    for name, deb in debs.items():
        installed.with_version(deb, "9.0.0-0vigil1", f"/root/{name}-9.deb")
    installed.apt("-o", "Dpkg::Options::=--force-confold", "install", *[f"/root/{name}-9.deb" for name in debs])
    host_is_up(installed)
    for unit in SERVICES:
        assert installed.show(unit, "MainPID") != before[unit]
    assert installed.run("cat", "/etc/vigil/agent.yml").stdout == "labels: {rack: r7}\n"
    eventually("its label", lambda: value(installed, 'node_load1{rack="r7"}'))
    assert oldest(installed) <= first + 10_000
    assert_nobody_else_reads(installed)
    assert installed.state("vigil-backup.timer") == "active"


def test_an_older_package_is_installed_where_it_can_read_the_data(installed, debs):
    installed.run("dpkg", "-i", *[f"/root/packages/{deb.name}" for deb in debs.values()])
    host_is_up(installed)


def test_an_older_package_is_refused_where_the_data_is_newer_and_the_newer_goes_on(installed, debs):
    installed.run("dpkg", "-i", "/root/vigil-9.deb", "/root/vigil-aggregator-9.deb")
    host_is_up(installed)
    installed.run("systemctl", "stop", "vigil-aggregator.service")
    # A newer format, as SQLite notes it: bytes 60 to 63 of the file. Who wrote it is the newer program.
    known = installed.run("od", "-An", "-tx1", "-j60", "-N4", "/var/lib/vigil/history.db").stdout.split()
    poke = lambda octets: installed.run("sh", "-ec", f"printf '{octets}' | dd of=/var/lib/vigil/history.db bs=1 seek=60 conv=notrunc status=none")
    poke("\\000\\000\\003\\347")
    refused = installed.run("dpkg", "-i", f"/root/packages/{debs['vigil-aggregator'].name}", check=False)
    assert refused.returncode != 0
    assert "cannot read the data that 9.0.0-0vigil1 has written:\n  /var/lib/vigil/history.db\n" in refused.stderr
    assert "restore a backup" in refused.stderr
    assert installed.run("dpkg-query", "-W", "-f=${Version} ${Status}", "vigil-aggregator").stdout == "9.0.0-0vigil1 install ok installed"
    poke("".join(f"\\{int(octet, 16):03o}" for octet in known))
    installed.run("systemctl", "restart", "vigil-aggregator.service")
    host_is_up(installed)


def test_what_the_administrator_disabled_stays_so(installed, debs):
    installed.run("systemctl", "disable", "--now", "vigil-agent.service")
    installed.run("dpkg", "-i", "/root/vigil-agent-9.deb")
    assert installed.run("systemctl", "is-enabled", "vigil-agent.service", check=False).stdout.strip() == "disabled"
    installed.run("systemctl", "enable", "--now", "vigil-agent.service")
    host_is_up(installed)


def test_removal_stops_both_and_keeps_data_and_configuration(installed):
    installed.apt("remove", "vigil-agent", "vigil-aggregator")
    for unit in (*SERVICES, "vigil-kernel-reader.socket", "vigil-docker-reader.socket", "vigil-docker-reader.service", "vigil-backup.timer"):
        assert installed.state(unit) != "active"
    assert installed.run("pgrep", "-f", "vigil-a", check=False).stdout == ""
    installed.run("test", "-e", "/var/lib/vigil/meta.db")
    installed.run("test", "-e", "/etc/vigil/agent.yml")


def test_installed_again_it_goes_on_with_its_data(installed, debs):
    installed.apt("install", *[f"/root/{name}-9.deb" for name in debs])
    host_is_up(installed)
    eventually("its label", lambda: value(installed, 'node_load1{rack="r7"}'))


def test_a_purge_leaves_nothing_but_backups_and_what_others_put_there(installed):
    installed.apt("purge", "vigil-agent", "vigil-aggregator", "vigil")
    left = installed.run("sh", "-c", "find / -xdev -iname '*vigil*' -not -path '/proc/*' -not -path '/root/*' -not -path '/var/cache/apt/*'"
                                     " -not -path '/sys/*' -not -path '/var/log/*' -prune", check=False).stdout.split()
    assert sorted(left) == ["/etc/systemd/system/vigil-aggregator.service.d", "/etc/vigil", "/var/backups/vigil"]
    assert installed.run("ls", "/etc/vigil").stdout.split() == ["slack-url"]
    assert installed.run("systemctl", "--failed", "--no-legend", "--plain", check=False).stdout.strip() == ""
