"""What systemd says of the units; and that the agent's sandbox hides nothing that is measured: what it sees in its unit is what root sees without one."""

import re
import subprocess

import pytest

import hardening
from machine import ROOT, Machine

UNITS = ROOT / "packaging" / "systemd"
RATED = dict(re.findall(r"^\| `(vigil-[\w-]+\.service)` \| ([\d.]+) \|", (ROOT / "docs" / "hardening.md").read_text(), re.MULTILINE))


@pytest.fixture(scope="module")
def machine(debs, bootable, tmp_path_factory):
    machine = Machine(tmp_path_factory.mktemp("hardening"), "hard")
    try:
        machine.fetch(debs.values())
        machine.boot()
        machine.apt("install", *[f"/root/packages/{deb.name}" for deb in debs.values()])
        hardening.prepare(machine)
        machine.run("systemctl", "stop", "vigil-agent.service")
        yield machine
    finally:
        machine.close()


def test_every_service_is_rated_in_the_documentation():
    assert set(RATED) == {path.name for path in UNITS.glob("*.service")}


@pytest.mark.parametrize("unit", RATED)
def test_what_a_unit_exposes_is_at_most_1_5_and_as_documented(unit):
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=15", UNITS / unit], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-200:]
    assert re.search(rf"exposure level for {re.escape(unit)}: ([\d.]+)", done.stdout)[1] == RATED[unit]


@pytest.mark.parametrize("unit", RATED)
def test_where_it_is_installed_systemd_says_the_same(machine, unit):
    said = machine.run("systemd-analyze", "security", "--no-pager", unit).stdout
    assert re.search(rf"exposure level for {re.escape(unit)}: ([\d.]+)", said)[1] == RATED[unit]


def test_systemd_finds_nothing_wrong_with_the_units(machine):
    units = machine.run("sh", "-c", "ls /usr/lib/systemd/system/vigil*").stdout.split()
    assert {path.rsplit("/", 1)[1] for path in units} == {path.name for path in UNITS.iterdir()}
    # No manual is installed in so small a Debian; that each page there is, is looked at below.
    found = machine.run("systemd-analyze", "verify", "--man=no", *units, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_every_unit_names_a_page_that_its_package_brings(machine):
    for path in UNITS.iterdir():
        for page in re.findall(r"(?:man:|file://)(\S+)", re.search(r"^Documentation=(.*)$", path.read_text(), re.MULTILINE)[1]):
            name = re.fullmatch(r"([\w.-]+)\((\d)\)", page)
            machine.run("test", "-e", f"/usr/share/man/man{name[2]}/{name[1]}.{name[2]}.gz" if name else page)


def test_in_its_unit_the_agent_sees_every_series_that_root_sees_without_one(machine):
    hardening.with_reader(machine)
    free = hardening.look(machine, [], "root")
    held = hardening.look(machine, hardening.lines_of_unit(machine))
    for family in ("node_timex_sync_status", "vigil_process_read_bytes_total", "node_filesystem_size_bytes", "node_systemd_units"):
        assert family in held  # or the comparison below would be of nothing
    assert len(hardening.series(held)) > 300
    assert hardening.cost(free, held) == "nothing"


def test_file_systems_have_their_own_sizes_in_the_unit_too(machine):
    free = hardening.look(machine, [], "root")
    held = hardening.look(machine, hardening.lines_of_unit(machine))
    sizes = hardening.values(free, "node_filesystem_size_bytes")
    assert len([name for name in sizes if "/home" in name or "/var/data" in name or '"/tmp"' in name or "/run/user" in name]) == 4
    assert sizes == hardening.values(held, "node_filesystem_size_bytes")
    assert hardening.values(free, "node_filesystem_readonly") == hardening.values(held, "node_filesystem_readonly")


@pytest.mark.parametrize("directive, lost", [
    ("ProtectProc=invisible", "node_processes_pids"),
    ("ProcSubset=pid", "node_boot_time_seconds"),
    ("ProtectHome=yes", "node_filesystem_size_bytes"),
    ("ProtectClock=yes", "node_timex_"),
    ("RestrictAddressFamilies=AF_INET AF_INET6", "node_systemd_units"),
])
def test_the_measurement_sees_what_a_directive_costs(machine, directive, lost):
    hardening.without_reader(machine)
    cost = hardening.cost(hardening.look(machine, []), hardening.look(machine, [directive]))
    assert lost in cost


def test_without_the_kernel_reader_only_the_clock_and_others_io_are_missing(machine):
    free = hardening.look(machine, [], "root")
    hardening.without_reader(machine)
    held = hardening.look(machine, hardening.lines_of_unit(machine))
    assert {name for name in hardening.series(free) - hardening.series(held) if not name.startswith(("node_timex_", "node_time_zone_"))} == set()
    assert "vigil_process_read_bytes_total" in hardening.cost(free, held)
